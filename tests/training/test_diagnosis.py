"""Gradient and decay on the way of a training that doesn't learn."""

import pytest
from helpers import tiny

from cifarmlp.training.diagnosis import gradient_and_decay_at

SHORT = "training.steps=30"


def test_there_is_a_row_a_step_and_layer() -> None:
    rows = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (10, 0, 20))
    assert [(row["step"], row["layer"]) for row in rows] == [(s, n) for s in (0, 10, 20) for n in (1, 2, 3)]
    assert all(row["gradient"] > 0 and row["decay"] > 0 for row in rows)
    decay = [row["decay"] for row in rows if row["layer"] == 1]
    assert decay == sorted(decay, reverse=True)  # lambda is large in these


def test_the_numbers_of_a_step_are_those_of_a_training_that_ends_there() -> None:
    through = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (0, 7, 20))
    straight = gradient_and_decay_at(tiny.config("training.steps=20"), tiny.dataset(), (20,))
    assert [row["step"] for row in straight] == [20] * 3
    for row, other in zip(through[-3:], straight, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_rows_end_with_the_training() -> None:
    rows = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (0, 100, 1000))
    assert [row["step"] for row in rows] == [0] * 3 + [30] * 3


def test_rows_end_where_the_training_diverges() -> None:
    fast = "training.schedule={kind: constant, eta: 1.0e+9, epochs: 4}"
    rows = gradient_and_decay_at(
        tiny.config(fast, "network.batch_norm=false"), tiny.dataset(), (0, 40, 50, 60)
    )
    steps = [int(row["step"]) for row in rows]
    assert len(steps) == 6
    assert 0 < steps[-1] < 40
