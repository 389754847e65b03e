"""The whole curve of each schedule."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifarmlp.nn.schedules import Rate, constant, cosine, cyclic, one_cycle

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
    schedule = constant(0.01, decay=0.95, steps_per_decay=100)
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


def test_constant_may_decay_after_several_epochs() -> None:
    schedule = constant(0.01, decay=0.1, steps_per_decay=20 * 245)
    assert schedule(20 * 245 - 1) == 0.01
    assert schedule(20 * 245) == pytest.approx(0.001)
    assert schedule(40 * 245) == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("step", "eta"),
    [
        (0, 0.1 / 6),
        (2, 0.1 * 3 / 6),
        (4, 0.1 * 5 / 6),
        (5, 0.1),
        (6, 0.01 + 0.09 * (1 + np.cos(np.pi / 40)) / 2),
        (15, 0.01 + 0.09 * (1 + np.cos(np.pi / 4)) / 2),
        (25, 0.055),
        (44, 0.01 + 0.09 * (1 - np.cos(np.pi / 40)) / 2),
        (45, 0.01),
        (46, 0.01),
        (1000, 0.01),
    ],
)
def test_cosine_with_warm_up_at_its_corners(step: int, eta: float) -> None:
    assert cosine(0.1, 45, 0.01, warmup=5)(step) == pytest.approx(eta, rel=1e-12)


def test_cosine_without_warm_up_begins_at_eta_and_ends_at_0() -> None:
    curve = [cosine(0.2, 4)(step) for step in range(6)]
    half = np.sqrt(0.5) / 2
    np.testing.assert_allclose(curve, 0.2 * np.array([1, 0.5 + half, 0.5, 0.5 - half, 0, 0]), atol=1e-15)


@pytest.mark.parametrize(
    ("step", "eta"),
    [
        (0, 1 / 25),
        (7, 1 / 25 + 24 / 25 * 7 / 29),
        (14, 1 / 25 + 24 / 25 * 14 / 29),
        (28, 1 / 25 + 24 / 25 * 28 / 29),
        (29, 1.0),
        (30, 1 - (1 - 1 / 25e4) / 70),
        (64, (1 + 1 / 25e4) / 2),
        (98, 1 / 25e4 + (1 - 1 / 25e4) / 70),
        (99, 1 / 25e4),
        (100, 1 / 25e4),
        (500, 1 / 25e4),
    ],
)
def test_one_linear_cycle_at_its_corners(step: int, eta: float) -> None:
    # 100 steps: the peak at step 0.3 · 100 - 1 = 29, the end at step 99
    assert one_cycle(1.0, 100, shape="linear")(step) == pytest.approx(eta, rel=1e-9)


def test_a_cosine_cycle_is_half_a_cosine_each_way() -> None:
    schedule = one_cycle(2.0, 21, rise=11 / 21, div_factor=4, final_div_factor=5)
    curve = [schedule(step) for step in (0, 5, 10, 15, 20, 21)]
    np.testing.assert_allclose(curve, [0.5, 1.25, 2, 1.05, 0.1, 0.1], rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_the_shortest_cycles_are_finite_and_end_low(steps: int) -> None:
    curve = np.array([one_cycle(1.0, steps)(step) for step in range(steps)])
    assert np.all((curve > 0) & (curve <= 1))
    assert curve[-1] == pytest.approx(1 / 25e4)


@pytest.mark.parametrize("make", [lambda eta: cosine(eta, 20, eta / 10, 4), lambda eta: one_cycle(eta, 20)])
def test_rates_of_members_are_an_array_in_their_dtype_and_each_as_alone(
    make: Callable[[Rate], Callable[[int], Rate]],
) -> None:
    together = make(np.array([0.1, 1], np.float32))
    for step in range(25):
        eta = np.asarray(together(step))
        assert eta.dtype == np.float32
        np.testing.assert_allclose(eta, [make(0.1)(step), make(1.0)(step)], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "changes", [{"eta": 0.01, "eta_min": 0.1}, {"eta_min": -0.1}, {"steps": 0}, {"warmup": 9}, {"warmup": -1}]
)
def test_cosine_refuses_what_makes_no_curve(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cosine needs"):
        cosine(**{"eta": 0.1, "steps": 9, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"eta_max": -1.0}, {"steps": 0}, {"rise": 0.0}, {"rise": 1.0}, {"div_factor": 0.5}, {"shape": "cos"}],
)
def test_one_cycle_refuses_what_makes_no_curve(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one_cycle"):
        one_cycle(**{"eta_max": 0.1, "steps": 9, **changes})  # type: ignore[arg-type]


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
