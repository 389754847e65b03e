"""The whole curve of each schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifarmlp.nn.schedules import constant, cyclic

LOW, HIGH, N_S = 1e-5, 1e-1, 2250


@pytest.mark.parametrize(
    ("step", "eta"),
    [
        (0, LOW),
        (N_S // 2, (LOW + HIGH) / 2),
        (N_S - 1, HIGH - (HIGH - LOW) / N_S),
        (N_S, HIGH),
        (N_S + 1, HIGH - (HIGH - LOW) / N_S),
        (2 * N_S, LOW),
        (2 * N_S + 1, LOW + (HIGH - LOW) / N_S),
        (3 * N_S, HIGH),
        (4 * N_S - 1, LOW + (HIGH - LOW) / N_S),
        (4 * N_S, LOW),
    ],
)
def test_cyclic_at_its_corners(step: int, eta: float) -> None:
    assert cyclic(LOW, HIGH, N_S)(step) == pytest.approx(eta, rel=1e-9)


def test_cyclic_rises_and_falls_in_equal_steps() -> None:
    curve = np.array([cyclic(0.0, 1.0, 4)(step) for step in range(17)])
    cycle = [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]
    np.testing.assert_allclose(curve, [*cycle, *cycle, 0], atol=1e-15)


def test_cyclic_of_one_step_each_way_alternates() -> None:
    assert [cyclic(1.0, 2.0, 1)(step) for step in range(4)] == [1, 2, 1, 2]


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10_000), st.integers(0, 100_000))
def test_cyclic_stays_between_its_bounds_and_repeats(low: float, span: float, n_s: int, step: int) -> None:
    schedule = cyclic(low, low + span, n_s)
    assert low <= schedule(step) <= (low + span) * (1 + 1e-15)
    assert schedule(step + 2 * n_s) == schedule(step)
    assert schedule(2 * n_s - step % (2 * n_s)) == pytest.approx(schedule(step), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cyclic_rates_of_members_are_an_array_in_their_dtype(dtype: type[np.floating]) -> None:
    schedule = cyclic(np.array([0, 0.1, 0.2], dtype), np.array([1, 1.1, 0.2], dtype), 10)
    for step, expected in ((0, [0, 0.1, 0.2]), (5, [0.5, 0.6, 0.2]), (10, [1, 1.1, 0.2])):
        eta = np.asarray(schedule(step))
        assert eta.dtype == dtype
        np.testing.assert_allclose(eta, expected, rtol=1e-6)


def test_constant_decays_after_each_epoch_and_not_within() -> None:
    schedule = constant(0.01, decay=0.95, steps_per_epoch=100)
    assert schedule(0) == schedule(99) == 0.01
    assert schedule(100) == schedule(199) == pytest.approx(0.0095)
    assert schedule(999) == pytest.approx(0.01 * 0.95**9)
    assert schedule(1000) == pytest.approx(0.01 * 0.95**10)


def test_constant_without_decay_is_constant() -> None:
    assert {constant(0.3)(step) for step in range(50)} == {0.3}


def test_constant_rates_of_members_are_an_array_in_their_dtype() -> None:
    eta = np.asarray(constant(np.array([0.1, 1], np.float32), 0.5, 10)(25))
    assert eta.dtype == np.float32
    np.testing.assert_allclose(eta, [0.025, 0.25], rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "n_s"),
    [(0.1, 0.01, 10), (-0.1, 0.1, 10), (0.1, 0.2, 0), (0.1, 0.2, -5), (np.zeros(2), np.array([1, -1]), 5)],
)
def test_cyclic_refuses_what_makes_no_cycle(low: float, high: float, n_s: int) -> None:
    with pytest.raises(ValueError, match="cyclic needs"):
        cyclic(low, high, n_s)


@pytest.mark.parametrize(
    ("eta", "decay", "epoch"),
    [(0.0, 1.0, 1), (-1.0, 1.0, 1), (0.1, 0.0, 1), (0.1, 1.1, 1), (0.1, 1.0, 0), (np.array([1, 0]), 1.0, 1)],
)
def test_constant_refuses_what_makes_no_rate(eta: float, decay: float, epoch: int) -> None:
    with pytest.raises(ValueError, match="constant needs"):
        constant(eta, decay, epoch)
