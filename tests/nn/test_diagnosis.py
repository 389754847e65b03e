"""The gradient of the loss and that of weight decay, for a network that doesn't learn."""

import numpy as np
import pytest

from cifarmlp.nn import Network, softmax_cross_entropy
from cifarmlp.nn.diagnosis import gradient_and_decay, relative_change, saturation


def network(scale: float = 1.0) -> Network:
    """2 inputs, 2 units, 3 classes; float64."""
    net = Network([2, 2, 3], [np.random.default_rng(1)], ["he"], None, np.float64)
    parameters = net.parameters()
    parameters["W1"][0] = scale * np.array([[1.0, -1.0], [0.5, 2.0]])
    parameters["b1"][0] = [0.1, -0.2]
    parameters["W2"][0] = [[1.0, 0.0, -1.0], [0.5, -0.5, 0.25]]
    parameters["b2"][0] = [0.0, 0.1, 0.2]
    return net


def test_gradient_and_decay_by_hand() -> None:
    x, labels, lam = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, -1.0]]), np.array([0, 1, 2], np.uint8), 0.03
    net = network()
    W1, b1, W2, b2 = (net.parameters()[name][0].copy() for name in ("W1", "b1", "W2", "b2"))
    h = np.maximum(x @ W1 + b1, 0)
    p = np.exp(h @ W2 + b2)
    p /= p.sum(axis=1, keepdims=True)
    d2 = (p - np.eye(3)[labels]) / 3
    d1 = (d2 @ W2.T) * (h > 0)
    by_hand = [
        (np.sqrt(np.mean((x.T @ d1) ** 2)), 2 * lam * np.sqrt(np.mean(W1**2))),
        (np.sqrt(np.mean((h.T @ d2) ** 2)), 2 * lam * np.sqrt(np.mean(W2**2))),
    ]
    found = gradient_and_decay(net, softmax_cross_entropy, x, labels, lam)
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)


def test_numbers_too_small_to_be_squared() -> None:
    net = Network([2, 2, 3], [np.random.default_rng(1)], [1e-25], None, np.float32)
    x, labels = np.ones((4, 2), np.float32), np.array([0, 0, 1, 1], np.uint8)
    (first, decay), (second, _) = gradient_and_decay(net, softmax_cross_entropy, x, labels, 0.5)
    assert 1e-27 < decay < 1e-24
    assert first >= 0
    assert 0 < second < 1e-24


def test_gradient_and_decay_of_weights_of_zero() -> None:
    net = network()
    for name in ("W1", "W2"):
        net.parameters()[name][...] = 0
    x, labels = np.ones((2, 2)), np.array([0, 1], np.uint8)
    assert gradient_and_decay(net, softmax_cross_entropy, x, labels, 0.1)[0] == (0, 0)


def test_outputs_at_an_end_of_their_range_are_saturated() -> None:
    x = np.random.default_rng(2).standard_normal((200, 2))
    half, sparse = Network([2, 2, 3], [np.random.default_rng(1)], ["he"], None, np.float64), network()
    assert 0.3 < saturation(half, x)[0] < 0.7
    sparse.parameters()["b1"][...] = -3
    assert saturation(sparse, x)[0] > 0.9
    sparse.parameters()["b1"][...] = -100
    assert saturation(sparse, x) == [0.0]


def test_relative_change_by_hand() -> None:
    before = {"W1": np.ones((1, 2, 2)), "W2": np.zeros((1, 2, 2))}
    after = {"W1": np.full((1, 2, 2), 1.5), "W2": np.ones((1, 2, 2))}
    assert relative_change(before, after) == [0.5, pytest.approx(np.nan, nan_ok=True)]
