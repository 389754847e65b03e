"""Updates worked by hand."""

import numpy as np
import pytest

from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float


def network(
    members: int = 1,
    hidden: tuple[int, ...] = (),
    batch_norm: tuple[float, float] | None = None,
    dtype: type[np.floating] = np.float64,
) -> Network:
    generators = [np.random.default_rng(seed) for seed in range(members)]
    return Network([2, *hidden, 2], generators, ["he"] * members, batch_norm, dtype)


def set_gradients(net: Network, W: Float | float, others: float) -> None:
    """Gradients of every layer: of its weights `W`, by an identity for a mini-batch; of b, gamma, beta."""
    for linear in net.linears:
        groups, width, n = linear.W.shape
        linear.x = np.broadcast_to(np.eye(width, dtype=net.dtype), (groups, width, width)).copy()
        linear.ds = np.broadcast_to(np.asarray(W, net.dtype), (groups, width, n)).copy()
    for _, gradient in net.vectors():
        gradient[...] = others


def test_one_step_with_l2_by_hand() -> None:
    net = network()
    W, b = net.parameters()["W1"], net.parameters()["b1"]
    W[0], b[0] = [[1, 2], [3, 4]], [5, 6]
    eta, lam = np.array([0.1]), np.array([0.5])
    set_gradients(net, 0.1 * np.array([[1, 0], [0, -1]]), 0)  # gradients carry eta
    net.gradients()["b1"][0] = 0.1 * np.array([10, 20])
    SGD(net).step(eta, lam)
    W = net.parameters()["W1"]
    # W - 0.1 (g + 2 0.5 W) = 0.9 W - 0.1 g; the bias has no L2
    np.testing.assert_allclose(W[0], [[0.9 - 0.1, 1.8], [2.7, 3.6 + 0.1]], rtol=1e-14)
    np.testing.assert_allclose(b[0], [4, 4], rtol=1e-14)


def test_two_momentum_steps_by_hand() -> None:
    net = network()
    W, b = net.parameters()["W1"], net.parameters()["b1"]
    W[0], b[0] = 1, 1
    optimiser, eta, lam = SGD(net, rho=0.9), np.array([0.1]), np.array([0.5])
    set_gradients(net, 0.1 * 2, 0.1 * 2)
    optimiser.step(eta, lam)  # v = 0.1 (2 + 1) = 0.3 for W, 0.2 for b
    np.testing.assert_allclose(W[0], 0.7, rtol=1e-14)
    np.testing.assert_allclose(b[0], 0.8, rtol=1e-14)
    set_gradients(net, 0.1 * 2, 0.1 * 2)
    optimiser.step(eta, lam)  # v = 0.27 + 0.1 (2 + 0.7) = 0.54 for W, 0.18 + 0.2 = 0.38 for b
    np.testing.assert_allclose(W[0], 0.16, rtol=1e-13)
    np.testing.assert_allclose(b[0], 0.42, rtol=1e-13)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_l2_shrinks_weights_only(rho: float) -> None:
    net = network(hidden=(3,), batch_norm=(1e-12, 0.9))
    for parameter in net.parameters().values():
        parameter[...] = 1
    set_gradients(net, 0, 0)
    SGD(net, rho).step(np.array([0.1]), np.array([1.0]))
    for name, parameter in net.parameters().items():
        np.testing.assert_allclose(parameter, 0.8 if name[0] == "W" else 1, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_members_have_their_own_eta_and_lambda_in_every_layer(rho: float) -> None:
    net = network(3, hidden=(4, 3))
    for parameter in net.parameters().values():
        parameter[...] = 1
    set_gradients(net, 0, 0)
    SGD(net, rho).step(np.array([0.1, 0.2, 0.1]), np.array([0.5, 0.5, 0.0]))
    for name in ("W1", "W2", "W3"):
        for member, expected in enumerate((0.9, 0.8, 1.0)):
            np.testing.assert_allclose(net.parameters()[name][member], expected, rtol=1e-14)


def test_plain_descent_keeps_no_velocity_and_momentum_one_for_every_parameter() -> None:
    net = network(2, hidden=(3,), batch_norm=(1e-12, 0.9))
    assert SGD(net).velocities == []
    velocities = SGD(net, 0.9).velocities
    assert sum(v.size for v in velocities) == sum(p.size for p in net.parameters().values())
    assert not any(v.any() for v in velocities)


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_keeps_the_dtype(rho: float, dtype: type[np.floating]) -> None:
    net = network(3, hidden=(4,), batch_norm=(1e-12, 0.9), dtype=dtype)
    optimiser = SGD(net, rho)
    set_gradients(net, 0.1, 0.1)
    optimiser.step(np.full(3, 0.1, dtype), np.full(3, 0.1, dtype))
    assert {p.dtype for p in net.parameters().values()} == {np.dtype(dtype)}
    assert {g.dtype for g in net.gradients().values()} == {np.dtype(dtype)}
    assert {v.dtype for v in optimiser.velocities} <= {np.dtype(dtype)}


@pytest.mark.parametrize("eta_lam", [1e-4, 0.1, 0.4, 0.5, 0.7])
def test_decay_is_the_same_however_much_there_is_of_it(eta_lam: float) -> None:
    net, lam = network(2, hidden=(3,)), np.array([eta_lam, 0])
    before = {name: p.copy() for name, p in net.parameters().items()}
    optimiser, g = SGD(net), 0.01
    for _ in range(30):
        set_gradients(net, g, 0)
        optimiser.step(np.ones(2), lam)
    for name in ("W1", "W2"):
        for member, decay in enumerate(1 - 2 * lam):
            W = before[name][member]
            for _ in range(30):
                W = decay * W - g
            np.testing.assert_allclose(net.parameters()[name][member], W, rtol=1e-12)
