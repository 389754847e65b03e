"""Softmax cross-entropy and its gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cifarmlp.nn.losses import (
    Loss,
    binary_cross_entropy,
    hinge,
    shares_of,
    smoothed_cross_entropy,
    softmax_cross_entropy,
)
from cifarmlp.nn.types import Float

ONE = np.ones(1)
LOSSES = [softmax_cross_entropy, smoothed_cross_entropy(0.1), hinge, binary_cross_entropy]
OF_SHARES = [softmax_cross_entropy, smoothed_cross_entropy(0.1), binary_cross_entropy]
LOGITS = arrays(np.float64, (4, 2, 10), elements=st.floats(-50, 50))
LABELS = arrays(np.uint8, 4, elements=st.integers(0, 9))


def test_uniform_logits_have_a_loss_of_log_10() -> None:
    loss, _ = softmax_cross_entropy(np.full((7, 1, 10), 3.0), np.arange(7, dtype=np.uint8), ONE)
    np.testing.assert_allclose(loss, math.log(10), rtol=1e-15)


def test_loss_and_gradient_by_hand() -> None:
    logits = np.log(np.array([[[1.0, 3.0]], [[3.0, 2.0]]]))  # p = (1/4, 3/4) and (3/5, 2/5)
    loss, gradient = softmax_cross_entropy(logits, np.array([1, 0], np.uint8), ONE)
    np.testing.assert_allclose(loss, [-(math.log(3 / 4) + math.log(3 / 5)) / 2], rtol=1e-14)
    np.testing.assert_allclose(gradient[:, 0], [[1 / 8, -1 / 8], [-1 / 5, 1 / 5]], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_give_a_finite_loss(dtype: type[np.floating]) -> None:
    logits = np.array([[[1e4, -1e4, 0.0]], [[1e4, -1e4, 0.0]]], dtype)
    loss, gradient = softmax_cross_entropy(logits, np.array([0, 1], np.uint8), np.ones(1, dtype))
    np.testing.assert_allclose(loss, [1e4])  # 0 for the first image, 2e4 for the second
    np.testing.assert_allclose(gradient[:, 0], np.array([[0, 0, 0], [0.5, -0.5, 0]]), atol=1e-30)


def test_each_member_has_its_own_loss_and_the_scale_multiplies_its_gradient_only() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.standard_normal((5, 3, 10)), rng.integers(0, 10, 5).astype(np.uint8)
    loss, gradient = softmax_cross_entropy(logits, labels, np.array([1.0, 0.5, 0.0]))
    for member, scale in enumerate((1.0, 0.5, 0.0)):
        alone, its_gradient = softmax_cross_entropy(logits[:, member : member + 1], labels, ONE)
        np.testing.assert_allclose(loss[member], alone[0], rtol=1e-14)
        np.testing.assert_allclose(gradient[:, member], scale * its_gradient[:, 0], rtol=1e-14)


def test_logits_are_left_as_they_are() -> None:
    logits = np.random.default_rng(1).standard_normal((5, 1, 10))
    before = logits.copy()
    softmax_cross_entropy(logits, np.zeros(5, np.uint8), ONE)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_and_gradient_have_the_dtype_of_the_logits(dtype: type[np.floating]) -> None:
    logits = np.zeros((5, 2, 10), dtype)
    results = softmax_cross_entropy(logits, np.zeros(5, np.uint8), np.ones(2, dtype))
    assert [result.dtype for result in results] == [dtype, dtype]


@given(LOGITS, LABELS)
@settings(deadline=None)
def test_the_loss_is_never_negative(logits: Float, labels: np.ndarray) -> None:
    loss, _ = softmax_cross_entropy(logits, labels, np.ones(2))
    assert np.all(loss >= 0)


@given(LOGITS, LABELS)
@settings(deadline=None)
def test_the_rows_of_the_gradient_sum_to_zero(logits: Float, labels: np.ndarray) -> None:
    _, gradient = softmax_cross_entropy(logits, labels, np.ones(2))
    np.testing.assert_allclose(gradient.sum(axis=2), 0, atol=1e-15)


@given(LOGITS, LABELS, st.floats(-100, 100))
@settings(deadline=None)
def test_adding_a_constant_to_the_logits_changes_nothing(
    logits: Float, labels: np.ndarray, constant: float
) -> None:
    loss, gradient = softmax_cross_entropy(logits, labels, np.ones(2))
    shifted_loss, shifted_gradient = softmax_cross_entropy(logits + constant, labels, np.ones(2))
    np.testing.assert_allclose(shifted_loss, loss, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(shifted_gradient, gradient, atol=1e-12)


def random_case(dtype: type[np.floating] = np.float64) -> tuple[Float, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((5, 3, 10)).astype(dtype), rng.integers(0, 10, 5).astype(np.uint8)


@pytest.mark.parametrize("loss", OF_SHARES)
def test_shares_that_are_one_hot_are_labels(loss: Loss) -> None:
    logits, labels = random_case()
    for ours, theirs in zip(
        loss(logits, labels, np.ones(3)), loss(logits, shares_of(labels, logits), np.ones(3)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("loss", OF_SHARES)
def test_a_mixture_of_labels_has_the_mixture_of_their_losses(loss: Loss) -> None:
    logits, labels = random_case()
    other = np.roll(labels, 1)
    mixed = 0.3 * shares_of(labels, logits) + 0.7 * shares_of(other, logits)
    results = [loss(logits, each, np.ones(3)) for each in (labels, other, mixed)]
    for first, second, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, 0.3 * first + 0.7 * second, rtol=1e-12, atol=1e-15)


def test_label_smoothing_by_hand() -> None:
    logits = np.log(np.array([[[1.0, 3.0]]]))  # p = (1/4, 3/4)
    loss, gradient = smoothed_cross_entropy(0.2)(logits, np.array([1], np.uint8), ONE)
    np.testing.assert_allclose(loss, [-0.1 * math.log(1 / 4) - 0.9 * math.log(3 / 4)], rtol=1e-14)
    np.testing.assert_allclose(gradient[0, 0], [0.25 - 0.1, 0.75 - 0.9], rtol=1e-13)


def test_hinge_by_hand() -> None:
    logits = np.array([[[3.2, 5.1, -1.7]], [[1.3, 4.9, 2.0]], [[2.2, 2.5, -3.1]]])  # of cs231n's notes
    loss, gradient = hinge(logits, np.array([0, 1, 2], np.uint8), ONE)
    np.testing.assert_allclose(loss, [(2.9 + 0 + 12.9) / 3], rtol=1e-14)
    np.testing.assert_allclose(3 * gradient[:, 0], [[-1, 1, 0], [0, 0, 0], [1, 1, -2]])


def test_hinge_refuses_shares() -> None:
    logits, labels = random_case()
    with pytest.raises(ValueError, match="shares"):
        hinge(logits, shares_of(labels, logits), np.ones(3))


def test_binary_cross_entropy_by_hand() -> None:
    logits = np.array([[[math.log(3), 0.0]]])  # p = (3/4, 1/2)
    loss, gradient = binary_cross_entropy(logits, np.array([1], np.uint8), ONE)
    np.testing.assert_allclose(loss, [-math.log(1 / 4) - math.log(1 / 2)], rtol=1e-14)
    np.testing.assert_allclose(gradient[0, 0], [3 / 4, -1 / 2], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_takes_huge_logits_and_keeps_their_dtype(loss: Loss, dtype: type[np.floating]) -> None:
    logits = np.array([[[1e4, -1e4, 0.0]], [[1e4, -1e4, 0.0]]], dtype)
    before = logits.copy()
    results = loss(logits, np.array([0, 1], np.uint8), np.ones(1, dtype))
    assert all(result.dtype == dtype and np.isfinite(result).all() for result in results)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_member_has_a_loss_and_a_scale_of_its_own(loss: Loss) -> None:
    logits, labels = random_case()
    losses, gradient = loss(logits, labels, np.array([1.0, 0.5, 0.0]))
    for member, scale in enumerate((1.0, 0.5, 0.0)):
        alone, its_gradient = loss(logits[:, member : member + 1], labels, ONE)
        np.testing.assert_allclose(losses[member], alone[0], rtol=1e-13)
        np.testing.assert_allclose(gradient[:, member], scale * its_gradient[:, 0], rtol=1e-13)
