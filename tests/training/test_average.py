"""The moving average of the parameters: its values, and what is evaluated, kept and stored of it."""

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import override_with
from cifarmlp.training.average import model_views
from cifarmlp.training.build import build_training, model_arrays, split_images, training_from_model
from cifarmlp.training.loop import Training

IMAGES = split_images(tiny.config(), tiny.dataset())
DECAY = 0.9


def training(*settings: str, members: int = 1) -> Training:
    config = tiny.config("training.steps=6", *settings)
    return build_training([override_with(config, {"seed": n}) for n in range(1, 1 + members)], IMAGES)


def averaging(*settings: str, members: int = 1) -> Training:
    return training(f"training.average={DECAY}", *settings, members=members)


@pytest.mark.parametrize("settings", [(), ("network.batch_norm=false",), ("training.optimiser=momentum",)])
def test_it_is_the_weighted_mean_of_the_parameters_after_each_step(settings: tuple[str, ...]) -> None:
    run, after = averaging(*settings, members=2), []
    for x, labels in run._batches():
        run._advance(x, labels)
        after.append({name: array.astype(np.float64) for name, array in model_views(run.network).items()})
    weights = DECAY ** np.arange(len(after))[::-1]
    for name, array in model_views(run.evaluated).items():
        expected = sum(w * each[name] for w, each in zip(weights, after, strict=True)) / weights.sum()
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-7, err_msg=name)


def test_it_starts_as_the_untrained_network_and_is_the_trained_one_after_a_step() -> None:
    run = averaging()
    for step in (0, 1):
        run.run_until(lambda step=step: run.step >= step)  # type: ignore[misc]
        for name, array in model_views(run.network).items():
            np.testing.assert_array_equal(model_views(run.evaluated)[name], array)


def test_it_is_evaluated_and_kept_and_leaves_the_training_as_it_is() -> None:
    run, plain = averaging(), training()
    *_, record = run.records()
    for batch in plain._batches():
        plain._advance(*batch)
    for name, array in model_views(plain.network).items():
        np.testing.assert_array_equal(model_views(run.network)[name], array)
    kept = training_from_model(tiny.config("training.average=0.9"), IMAGES, model_arrays(run))
    assert kept.average is None
    assert record.validation is not None
    np.testing.assert_array_equal(kept.evaluate(IMAGES.validation).loss, record.validation.loss)
    assert record.validation.loss != plain.evaluate(IMAGES.validation).loss


def test_a_network_that_diverges_takes_its_average_with_it() -> None:
    wild = "training.schedule={kind: constant, eta: 1.0e+30}"
    *_, last = averaging(wild, "network.batch_norm=false").records()
    assert np.isnan(last.train.loss).all()
