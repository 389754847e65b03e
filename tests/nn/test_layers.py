"""Linear, batch norm and ReLU against numbers worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarmlp.nn.activations import ReLU
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.nn.types import Float


def column(*values: float) -> Float:
    return np.array(values, float)[:, None]


def hand_made() -> tuple[BatchNorm, Float]:
    """Columns (0, 3, 6), of mean 3 and variance 6, and (1, 1, 4), of mean 2 and variance 2."""
    norm = BatchNorm(2, 0.0, 0.9, np.float64)
    norm.gamma[:], norm.beta[:] = (2, 1), (1, -1)
    return norm, np.array([[0.0, 1.0], [3.0, 1.0], [6.0, 4.0]])


def test_linear_is_x_w_plus_b() -> None:
    linear = Linear([np.array([[1.0, 2.0], [3.0, 4.0]])], True, True, np.float64)
    assert linear.b is not None
    linear.b[:] = (10, 20)
    np.testing.assert_array_equal(linear.forward(np.array([[1.0, -1.0], [0.0, 2.0]])), [[8, 18], [16, 28]])


def test_linear_gradients_by_hand() -> None:
    linear = Linear([np.array([[1.0, 2.0], [3.0, 4.0]])], True, True, np.float64)
    linear.forward(np.array([[1.0, -1.0], [0.0, 2.0]]))
    assert linear.backward(np.array([[1.0, 0.0], [3.0, 5.0]])) is None  # nobody needs that of the images
    gradients = linear.gradients()
    np.testing.assert_array_equal(gradients["W"], [[[1, 0], [5, 10]]])
    np.testing.assert_array_equal(gradients["b"], [4, 5])
    np.testing.assert_array_equal(linear.input_gradient(), [[1, 3], [13, 29]])


def test_a_gradient_that_has_vanished_has_no_numbers_that_are_slow() -> None:
    linear = Linear([np.ones((2, 3))], True, False, np.float32)
    linear.forward(np.ones((4, 2), np.float32))
    linear.backward(np.tile(np.array([1e-40, -1e-40, 1e-33], np.float32), (4, 1)))
    np.testing.assert_array_equal(linear.ds[0], np.tile(np.array([0, 0, 1e-33], np.float32), (4, 1)))


def test_tiny_numbers_in_a_gradient_that_moves_weights_stay() -> None:
    linear = Linear([np.ones((2, 2))], True, False, np.float32)
    linear.forward(np.ones((4, 2), np.float32))
    ds = np.tile(np.array([1e-40, 1e-3], np.float32), (4, 1))
    linear.backward(ds.copy())
    np.testing.assert_array_equal(linear.ds[0], ds)


def test_weights_that_have_decayed_to_almost_nothing_become_zero() -> None:
    linear = Linear([np.array([[1e-40, 1e-3]])], True, False, np.float32)
    linear.fold()
    np.testing.assert_array_equal(linear.W, np.array([[[0, 1e-3]]], np.float32))


def test_a_hidden_layer_passes_the_gradient_of_its_input_down() -> None:
    linear = Linear([np.array([[1.0, 2.0], [3.0, 4.0]])], True, False, np.float64)
    linear.forward(np.array([[1.0, -1.0], [0.0, 2.0]]))
    dx = linear.backward(np.array([[1.0, 0.0], [3.0, 5.0]]))
    np.testing.assert_array_equal(dx, [[1, 3], [13, 29]])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_blocks_name_their_arrays(bias: bool, shared: bool) -> None:
    linear = Linear([np.ones((2, 3))], bias, shared, np.float64)
    b, scale = ["b"] if bias else [], ["scale"] if shared else []
    assert list(linear.parameters()) == ["W", *b]
    assert list(linear.stored()) == ["W", *scale, *b]
    norm = BatchNorm(3, 0.0, 0.9, np.float64)
    assert list(norm.parameters()) == list(norm.gradients()) == ["gamma", "beta"]
    assert list(norm.stored()) == ["gamma", "beta", "averages"]
    assert list(norm.running_averages()) == ["mean", "var"]
    relu = ReLU()
    assert relu.parameters() == relu.gradients() == relu.stored() == relu.running_averages() == {}


@pytest.mark.parametrize("shared", [True, False])
def test_each_member_has_its_own_product(shared: bool) -> None:
    rng = np.random.default_rng(1)
    weights: list[Float] = [rng.standard_normal((4, 3)) for _ in range(5)]
    linear = Linear(weights, False, shared, np.float64)
    inputs = [rng.standard_normal((6, 4))] * 5 if shared else [rng.standard_normal((6, 4)) for _ in range(5)]
    s = linear.forward(inputs[0] if shared else np.concatenate(inputs, axis=1))
    expected = np.concatenate([x @ W for x, W in zip(inputs, weights, strict=True)], axis=1)
    np.testing.assert_allclose(s, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("shared", [True, False])
def test_values_of_members_spread_over_their_own_weights(shared: bool) -> None:
    linear = Linear([np.ones((2, 3)), np.ones((2, 3))], False, shared, np.float64)
    factors = np.broadcast_to(linear.spread(np.array([5.0, 7.0])), linear.W.shape)
    np.testing.assert_array_equal(np.sort(factors, axis=None), [5] * 6 + [7] * 6)
    linear.W *= linear.spread(np.array([5.0, 7.0]))
    x = np.ones((1, 2)) if shared else np.ones((1, 4))
    np.testing.assert_array_equal(linear.forward(x), [[10, 10, 10, 14, 14, 14]])


def test_relu_cuts_below_zero_and_stops_the_gradient_there() -> None:
    relu = ReLU()
    np.testing.assert_array_equal(relu.forward(np.array([[-1.0, 0.0, 2.0]])), [[0, 0, 2]])
    np.testing.assert_array_equal(relu.backward(np.array([[3.0, 3.0, 3.0]])), [[0, 0, 3]])


def test_batch_norm_forward_by_hand() -> None:
    norm, s = hand_made()
    y = norm.forward(s)
    six, two = math.sqrt(6), math.sqrt(2)
    np.testing.assert_allclose(y[:, 0], [1 - 6 / six, 1, 1 + 6 / six], rtol=1e-14)
    np.testing.assert_allclose(y[:, 1], [-1 - 1 / two, -1 - 1 / two, -1 + 2 / two], rtol=1e-14)


def test_batch_norm_backward_by_hand() -> None:
    norm, s = hand_made()
    norm.forward(s)
    ds = norm.backward(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    six, two = math.sqrt(6), math.sqrt(2)
    np.testing.assert_allclose(norm.dbeta, [1, 1], rtol=1e-14)
    np.testing.assert_allclose(norm.dgamma, [-3 / six, -1 / two], rtol=1e-14)
    np.testing.assert_allclose(ds[:, 0], np.array([1 / 6, -1 / 3, 1 / 6]) * 2 / six, atol=1e-15)
    np.testing.assert_allclose(ds[:, 1], np.array([-1 / 2, 1 / 2, 0]) / two, atol=1e-15)


def test_eps_is_added_to_the_variance() -> None:
    norm = BatchNorm(1, 10.0, 0.9, np.float64)
    np.testing.assert_allclose(norm.forward(column(0, 3, 6)), column(-0.75, 0, 0.75), rtol=1e-14)


def test_running_averages_start_at_the_first_batch_and_then_move_by_a_tenth() -> None:
    norm, s = hand_made()
    norm.forward(s)
    np.testing.assert_allclose(norm.mean, [3, 2], rtol=1e-14)
    np.testing.assert_allclose(norm.var, [6, 2], rtol=1e-14)
    norm.forward(np.array([[10.0, 0.0], [14.0, 2.0]]))  # means 12 and 1, variances 4 and 1
    np.testing.assert_allclose(norm.mean, [0.9 * 3 + 1.2, 0.9 * 2 + 0.1], rtol=1e-14)
    np.testing.assert_allclose(norm.var, [0.9 * 6 + 0.4, 0.9 * 2 + 0.1], rtol=1e-14)
    norm.forward(np.array([[10.0, 0.0], [14.0, 2.0]]))
    np.testing.assert_allclose(norm.mean[0], 0.9 * 3.9 + 1.2, rtol=1e-14)


def test_evaluation_uses_the_running_averages_and_leaves_them() -> None:
    norm, s = hand_made()
    norm.forward(s)
    y = norm.forward(np.array([[3.0 + math.sqrt(6), 2.0]]), training=False)
    np.testing.assert_allclose(y, [[1 + 2, -1]], rtol=1e-14)
    np.testing.assert_allclose([norm.mean, norm.var], [[3, 2], [6, 2]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", [0.0, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize("batch", [10, 100])
def test_a_unit_that_does_not_vary_puts_out_beta_and_passes_no_gradient(
    dtype: type[np.floating], level: float, batch: int
) -> None:
    rng = np.random.default_rng(3)
    norm = BatchNorm(2, 1e-12, 0.9, dtype)
    norm.gamma[:], norm.beta[:] = (2, 3), (0.25, 0)
    noise = 1 + np.finfo(dtype).eps * rng.integers(-2, 3, batch)  # the last bits of a product's sums
    s = np.stack([level * noise, rng.standard_normal(batch)], axis=1).astype(dtype)
    y = norm.forward(s)
    np.testing.assert_allclose(y[:, 0], 0.25, rtol=1e-6)
    np.testing.assert_allclose(y[:, 1].std(), 3, rtol=1e-5)  # its neighbour is as ever
    ds = norm.backward(rng.standard_normal((batch, 2)).astype(dtype))
    np.testing.assert_array_equal(ds[:, 0], 0)
    assert np.all(ds[:, 1] != 0)


@pytest.mark.parametrize("batch", [100, 500, 2000])
def test_equal_rows_give_beta_in_batches_of_any_size(batch: int) -> None:
    levels = np.random.default_rng(3).uniform(0.1, 10, 40).astype(np.float32)
    y = BatchNorm(40, 1e-12, 0.9, np.float32).forward(np.tile(levels, (batch, 1)))
    np.testing.assert_allclose(y, 0, atol=1e-3)


@pytest.mark.parametrize("batch", [20, 500, 2000])
def test_units_that_never_varied_give_beta_in_evaluation(batch: int) -> None:
    levels = np.random.default_rng(3).uniform(0.1, 1000, 40).astype(np.float32)
    norm = BatchNorm(40, 1e-12, 0.9, np.float32)
    norm.beta[:] = 0.5
    for _ in range(2):
        norm.forward(np.tile(levels, (batch, 1)))
    np.testing.assert_allclose(norm.forward(np.tile(levels, (3, 1)), training=False), 0.5, atol=1e-3)


def test_a_small_variance_around_a_small_mean_is_signal() -> None:
    norm = BatchNorm(1, 1e-12, 0.9, np.float32)
    s = (1e-5 * np.random.default_rng(3).standard_normal((100, 1))).astype(np.float32)
    np.testing.assert_allclose(norm.forward(s).std(), 1, rtol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_that_batch_norm_keeps_is_of_another_dtype(dtype: type[np.floating]) -> None:
    norm = BatchNorm(3, 1e-12, 0.9, dtype)
    for _ in range(2):
        norm.forward(np.eye(4, 3, dtype=dtype))
        norm.backward(np.eye(4, 3, dtype=dtype))
    assert {a.dtype for a in vars(norm).values() if isinstance(a, np.ndarray)} == {np.dtype(dtype)}


spreads = st.floats(1e-2, 1e2)
centres = st.floats(-10, 10)
seeds = st.integers(0, 2**32 - 1)


@given(seeds, spreads, centres, st.floats(-3, 3), centres)
@settings(max_examples=50, deadline=None)
def test_batch_norm_puts_out_mean_beta_and_standard_deviation_gamma(
    seed: int, spread: float, centre: float, gamma: float, beta: float
) -> None:
    norm = BatchNorm(1, 0.0, 0.9, np.float64)
    norm.gamma[:], norm.beta[:] = gamma, beta
    y = norm.forward(centre + spread * np.random.default_rng(seed).standard_normal((16, 1)))
    np.testing.assert_allclose(y.mean(), beta, atol=1e-9)
    np.testing.assert_allclose(y.std(), abs(gamma), atol=1e-9)


@given(seeds, spreads, centres)
@settings(max_examples=50, deadline=None)
def test_batch_norm_does_not_see_scale_or_shift_of_its_input(seed: int, scale: float, shift: float) -> None:
    s = np.random.default_rng(seed).standard_normal((16, 3))
    plain = BatchNorm(3, 0.0, 0.9, np.float64).forward(s.copy())
    moved = BatchNorm(3, 0.0, 0.9, np.float64).forward(shift + scale * s)
    np.testing.assert_allclose(moved, plain, atol=1e-9)


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_the_gradient_through_batch_norm_has_no_part_along_what_it_does_not_see(seed: int) -> None:
    rng = np.random.default_rng(seed)
    s, norm = rng.standard_normal((16, 3)), BatchNorm(3, 0.0, 0.9, np.float64)
    norm.forward(s.copy())
    ds = norm.backward(rng.standard_normal((16, 3)))
    np.testing.assert_allclose(ds.sum(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose((ds * s).sum(axis=0), 0, atol=1e-10)
