"""The loss of the mini-batches in windows: sums over the right steps, few rows, from a checkpoint too."""

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.training.batch_loss import MOST_WINDOWS, BatchLoss
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import Training

IMAGES = split_images(tiny.config(), tiny.dataset())


def training(*settings: str) -> Training:
    return build_training([tiny.config(*settings)], IMAGES)


@pytest.mark.parametrize("steps", [0, 1, 499, 500, 501, 1700, 9000])
def test_each_window_has_the_mean_over_its_steps(steps: int) -> None:
    losses = np.random.default_rng(1).random((steps, 2))
    batch_loss = BatchLoss(steps, 2)
    for step, loss in enumerate(losses):
        batch_loss.add(step, loss)
    rows = batch_loss.rows(steps, member=1)
    assert len(rows) <= MOST_WINDOWS
    ends = [0, *(int(row["step"]) for row in rows)]
    assert ends[-1] == steps
    for row, start, end in zip(rows, ends[:-1], ends[1:], strict=True):
        assert row["loss"] == pytest.approx(losses[start:end, 1].mean())


def test_a_window_is_there_once_it_has_ended() -> None:
    batch_loss = BatchLoss(1000, 1)
    for step in range(5):
        batch_loss.add(step, np.ones(1))
    assert [row["step"] for row in batch_loss.rows(5)] == [2, 4]


def test_it_is_the_loss_of_the_forward_pass_of_each_update() -> None:
    run, again = training("training.steps=5"), training("training.steps=5")
    list(run.records())
    losses = []
    for batch in again._batches():
        losses.append(float(again.update(*batch)[0]))
        again.step += 1
    assert [row["loss"] for row in run.batch_loss.rows(5)] == losses


@pytest.mark.parametrize("at", [1, 17, 80])
def test_restored_it_goes_on_to_the_same_rows(at: int) -> None:
    through, part, rest = (training() for _ in range(3))
    list(through.records())
    part.run_until(lambda: part.step == at)
    rest.restore(part.state())
    list(rest.records())
    assert rest.batch_loss.rows(tiny.STEPS) == through.batch_loss.rows(tiny.STEPS)


def test_without_it_in_a_state_of_before_the_curve_begins_there() -> None:
    part, rest = training(), training()
    part.run_until(lambda: part.step == 30)
    state = part.state()
    del state["batch_loss"]
    rest.restore(state)
    list(rest.records())
    assert rest.step == tiny.STEPS
    assert rest.batch_loss.rows(tiny.STEPS) == []
