"""How weights start."""

import numpy as np
import pytest

from cifarmlp.nn.inits import draw_weights, sigma_of


@pytest.mark.parametrize(
    ("init", "fan_in", "fan_out", "sigma"),
    [
        ("he", 3072, 50, 0.025515518),  # sqrt(2 / 3072)
        ("he", 50, 10, 0.2),
        ("lecun", 25, 10, 0.2),
        ("xavier", 3072, 50, 0.025310373),  # sqrt(2 / 3122)
        ("xavier", 30, 20, 0.2),
        (0.001, 3072, 50, 0.001),
        (0.001, 10, 10, 0.001),
    ],
)
def test_standard_deviation_by_hand(init: str | float, fan_in: int, fan_out: int, sigma: float) -> None:
    assert sigma_of(init, fan_in, fan_out) == pytest.approx(sigma, rel=1e-7)


@pytest.mark.parametrize("init", ["he", "xavier", 0.1])
def test_weights_have_that_standard_deviation_and_mean_zero(init: str | float) -> None:
    for W in draw_weights(np.random.default_rng(1), [3072, 100, 400], init):
        sigma = sigma_of(init, *W.shape)
        assert W.std() == pytest.approx(sigma, rel=0.02)
        assert abs(W.mean()) < 5 * sigma / np.sqrt(W.size)


def test_weights_of_one_generator_are_always_the_same() -> None:
    first, again = (draw_weights(np.random.default_rng(5), [20, 10, 10], "he") for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_shapes_are_in_times_out() -> None:
    weights = draw_weights(np.random.default_rng(1), [20, 7, 10], "he")
    assert [W.shape for W in weights] == [(20, 7), (7, 10)]


def test_layers_do_not_repeat_each_other() -> None:
    first, second = draw_weights(np.random.default_rng(1), [10, 10, 10], "he")
    assert np.abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.3


def test_the_last_layer_may_have_an_init_of_its_own() -> None:
    by_layer, he, output = (
        draw_weights(np.random.default_rng(1), [20, 10, 8, 10], init) for init in (("he", 0.5), "he", 0.5)
    )
    for W, expected in zip(by_layer, [*he[:2], output[2]], strict=True):
        np.testing.assert_array_equal(W, expected)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        sigma_of("orthogonal", 10, 10)
