"""Activations against numbers worked by hand, and what they leave alone."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.block import Block

PHI = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # of 1
DENSITY = math.exp(-0.5) / math.sqrt(2 * math.pi)
BY_HAND: list[tuple[Callable[[], Block], list[float], list[float]]] = [  # y and dy/dx at -1, 0 and 1
    (ReLU, [0, 0, 1], [0, 0, 1]),
    (partial(LeakyReLU, 0.1), [-0.1, 0, 1], [0.1, 0.1, 1]),
    (partial(ELU, 2.0), [2 / math.e - 2, 0, 1], [2 / math.e, 2, 1]),
    (GELU, [PHI - 1, 0, PHI], [1 - PHI - DENSITY, 0.5, PHI + DENSITY]),
    (Tanh, [-math.tanh(1), 0, math.tanh(1)], [1 / math.cosh(1) ** 2, 1, 1 / math.cosh(1) ** 2]),
    (
        Sigmoid,
        [1 / (1 + math.e), 0.5, 1 / (1 + 1 / math.e)],
        [math.e / (1 + math.e) ** 2, 0.25, math.e / (1 + math.e) ** 2],
    ),
]
ACTIVATIONS = [make for make, _, _ in BY_HAND]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("make", "y", "slope"), BY_HAND)
def test_value_and_derivative_by_hand(
    make: Callable[[], Block], y: list[float], slope: list[float], dtype: type[np.floating]
) -> None:
    block = make()
    tolerance = 4 * float(np.finfo(dtype).eps)
    found = block.forward(np.array([[-1, 0, 1]], dtype))
    dx = block.backward(np.ones((1, 3), dtype))
    assert dx is not None
    assert found.dtype == dx.dtype == dtype
    np.testing.assert_allclose(found, [y], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dx, [slope], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("make", ACTIVATIONS)
def test_an_evaluation_puts_out_the_same(make: Callable[[], Block]) -> None:
    x = np.linspace(-3, 3, 12).reshape(3, 4)
    np.testing.assert_array_equal(make().forward(x.copy(), training=False), make().forward(x.copy()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", ACTIVATIONS)
def test_huge_inputs_give_finite_numbers_without_a_warning(
    make: Callable[[], Block], dtype: type[np.floating]
) -> None:
    block = make()
    assert np.isfinite(block.forward(np.array([[-1e4, 1e4]], dtype))).all()
    assert np.isfinite(block.backward(np.ones((1, 2), dtype))).all()
