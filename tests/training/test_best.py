"""The best evaluation so far: which one it is, what is kept of it, and when patience ends a training."""

import math
from itertools import pairwise

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.training.average import model_views
from cifarmlp.training.best import Best
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import Record, Training

IMAGES = split_images(tiny.config(), tiny.dataset())


def training(*settings: str) -> Training:
    return build_training([tiny.config(*settings)], IMAGES)


def best_after(accuracies: list[float], patience: int | None = None) -> Best:
    run = training()
    best = Best(run.network, True, patience)
    for step, accuracy in enumerate(accuracies):
        ends = best.would_end_with(accuracy)
        best.note(accuracy, step, run.network)
        assert ends != best.is_waiting
        run.network.parameters()["b3"][:] = step + 1
    return best


@pytest.mark.parametrize(
    ("accuracies", "step", "waited"),
    [([0.1, 0.3, 0.2], 1, 1), ([0.3, 0.3, 0.3], 0, 2), ([0.2, math.nan, 0.1], 0, 2), ([math.nan], -1, 1)],
)
def test_it_is_the_first_of_the_highest(accuracies: list[float], step: int, waited: int) -> None:
    best = best_after(accuracies)
    assert (best.step, best.waited) == (step, waited)
    assert best.network is not None
    assert np.all(best.network.parameters()["b3"] == max(step, 0))


@pytest.mark.parametrize(
    ("accuracies", "is_waiting"),
    [([0.3, 0.2], True), ([0.3, 0.2, 0.3], False), ([0.1, 0.1, 0.2, 0.1], True), ([0.3], True)],
)
def test_patience_runs_out_after_so_many_evaluations(accuracies: list[float], is_waiting: bool) -> None:
    assert best_after(accuracies, patience=2).is_waiting == is_waiting


def accuracy(record: Record) -> float:
    assert record.validation is not None
    return float(record.validation.accuracy[0])


def test_a_training_keeps_the_parameters_of_its_best_evaluation() -> None:
    run = training("training.keep=best", "training.evaluate_every={steps: 1}", "training.steps=40")
    snapshots = {}
    records = []
    for record in run.records():
        records.append(record)
        snapshots[record.step] = {n: array.copy() for n, array in model_views(run.network).items()}
    expected = max(records, key=accuracy)  # the first of several
    network, step = run.kept
    assert step == expected.step < 40
    for name, array in model_views(network).items():
        np.testing.assert_array_equal(array, snapshots[step][name])
    np.testing.assert_array_equal(run.evaluate(IMAGES.validation, network).loss, expected.validation.loss)  # type: ignore[union-attr]


def test_a_training_without_patience_left_is_over_with_a_record_of_all_images() -> None:
    settings = ("training.patience=2", "training.evaluate_every={steps: 1}", "training.evaluate_images=30")
    run = training(*settings)
    records = list(run.records())
    waited = [accuracy(record) <= max(map(accuracy, records[:n])) for n, record in enumerate(records) if n]
    assert waited[-2:] == [True, True]
    assert (True, True) not in pairwise(waited[:-1])
    assert run.over
    assert run.step == records[-1].step < run.steps
    assert list(run.records()) == []
    np.testing.assert_array_equal(records[-1].train.loss, run.evaluate(run.train).loss)


def test_a_population_has_no_best_evaluation() -> None:
    with pytest.raises(ValueError, match="one network"):
        build_training([tiny.config("training.keep=best")] * 2, IMAGES)
