"""What pulls at the weights of a network that doesn't learn, and a deliberate mistake in its gradient."""

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.nn import Network, softmax_cross_entropy
from cifarmlp.nn.diagnosis import gradient_and_decay
from cifarmlp.training import gradcheck
from cifarmlp.training.diagnosis import gradient_and_decay_at
from cifarmlp.training.gradcheck import NetworkCheck

NORM = (1e-12, 0.9)


def wrong(check: NetworkCheck) -> list[str]:
    ((_, differences),) = gradcheck.run_checks([check], tiny.dataset())
    return sorted(gradcheck.wrong_parameters(differences))


# A mistake made on purpose


@pytest.mark.parametrize(
    ("hidden", "below"),
    [
        ((8,), ["W1"]),
        ((8, 6), ["W1", "W2", "beta1", "gamma1"]),
        ((8, 6, 5), ["W1", "W2", "W3", "beta1", "beta2", "gamma1", "gamma2"]),
    ],
)
def test_the_mistake_is_seen_below_a_normalisation_and_nowhere_else(
    hidden: tuple[int, ...], below: list[str]
) -> None:
    assert wrong(NetworkCheck(hidden, NORM, mistake="constant statistics")) == below
    assert wrong(NetworkCheck(hidden, NORM)) == []


def test_the_mistake_takes_both_statistics_for_given_numbers() -> None:
    rng = np.random.default_rng(1)
    net = Network([5, 4, 3], [rng], ["he"], NORM, np.float64)
    gradcheck._hold_statistics(net)
    x, dlogits = rng.standard_normal((7, 5)), rng.standard_normal((7, 1, 3))
    net.forward(x)
    net.backward(dlogits.copy())
    W1, W2 = (net.parameters()[name][0] for name in ("W1", "W2"))
    s = x @ W1
    normed = (s - s.mean(axis=0)) / s.std(axis=0)
    dy = (dlogits[:, 0] @ W2.T) * (normed > 0)
    by_hand = {"W1": x.T @ (dy / s.std(axis=0)), "gamma1": (dy * normed).sum(axis=0), "beta1": dy.sum(axis=0)}
    for name, gradient in by_hand.items():
        np.testing.assert_allclose(net.gradients()[name][0], gradient, rtol=1e-9, atol=1e-12)


def test_without_a_normalisation_there_is_no_such_mistake() -> None:
    assert wrong(NetworkCheck((8, 6), None, mistake="constant statistics")) == []


def test_the_mistake_does_not_stay() -> None:
    checks = [NetworkCheck((8,), NORM, mistake="constant statistics"), NetworkCheck((8,), NORM)]
    (_, mistaken), (_, right) = gradcheck.run_checks(checks, tiny.dataset())
    assert gradcheck.wrong_parameters(mistaken) == ["W1"]
    assert gradcheck.wrong_parameters(right) == []


# Pulls


def network(scale: float = 1.0) -> Network:
    """2 inputs, 2 units, 3 classes; float64."""
    net = Network([2, 2, 3], [np.random.default_rng(1)], ["he"], None, np.float64)
    parameters = net.parameters()
    parameters["W1"][0] = scale * np.array([[1.0, -1.0], [0.5, 2.0]])
    parameters["b1"][0] = [0.1, -0.2]
    parameters["W2"][0] = [[1.0, 0.0, -1.0], [0.5, -0.5, 0.25]]
    parameters["b2"][0] = [0.0, 0.1, 0.2]
    return net


def test_pulls_by_hand() -> None:
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


def test_pulls_too_small_to_be_squared() -> None:
    net = Network([2, 2, 3], [np.random.default_rng(1)], [1e-25], None, np.float32)
    x, labels = np.ones((4, 2), np.float32), np.array([0, 0, 1, 1], np.uint8)
    (first, decay), (second, _) = gradient_and_decay(net, softmax_cross_entropy, x, labels, 0.5)
    assert 1e-27 < decay < 1e-24
    assert first >= 0
    assert 0 < second < 1e-24


def test_pulls_of_nothing() -> None:
    net = network()
    for name in ("W1", "W2"):
        net.parameters()[name][...] = 0
    x, labels = np.ones((2, 2)), np.array([0, 1], np.uint8)
    assert gradient_and_decay(net, softmax_cross_entropy, x, labels, 0.1)[0] == (0, 0)


SHORT = "training.steps=30"


def test_pulls_on_the_way_have_a_row_a_step_and_layer() -> None:
    rows = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (10, 0, 20))
    assert [(row["step"], row["layer"]) for row in rows] == [(s, n) for s in (0, 10, 20) for n in (1, 2, 3)]
    assert all(row["gradient"] > 0 and row["decay"] > 0 for row in rows)
    decay = [row["decay"] for row in rows if row["layer"] == 1]
    assert decay == sorted(decay, reverse=True)  # lambda is large in these


def test_pulls_at_a_step_are_those_of_a_training_that_ends_there() -> None:
    through = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (0, 7, 20))
    straight = gradient_and_decay_at(tiny.config("training.steps=20"), tiny.dataset(), (20,))
    assert [row["step"] for row in straight] == [20] * 3
    for row, other in zip(through[-3:], straight, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_pulls_end_with_the_training() -> None:
    rows = gradient_and_decay_at(tiny.config(SHORT), tiny.dataset(), (0, 100, 1000))
    assert [row["step"] for row in rows] == [0] * 3 + [30] * 3


def test_pulls_end_where_the_training_diverges() -> None:
    fast = "training.schedule={kind: constant, eta: 1.0e+9, epochs: 4}"
    rows = gradient_and_decay_at(
        tiny.config(fast, "network.batch_norm=false"), tiny.dataset(), (0, 40, 50, 60)
    )
    steps = [int(row["step"]) for row in rows]
    assert len(steps) == 6
    assert 0 < steps[-1] < 40
