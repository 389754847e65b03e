"""Updates worked by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from cifarmlp.nn import layers
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD, Adam, Optimiser
from cifarmlp.nn.types import Float

KINDS: dict[str, Callable[[Network], Optimiser]] = {
    "sgd": SGD,
    "momentum": lambda net: SGD(net, 0.9),
    "nesterov": lambda net: SGD(net, 0.9, nesterov=True),
    "adam": Adam,
    "adamw": lambda net: Adam(net, decoupled=True),
}


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


def test_two_nesterov_steps_by_hand() -> None:
    net = network()
    W, b = net.parameters()["W1"], net.parameters()["b1"]
    W[0], b[0] = 1, 1
    optimiser, eta, lam = SGD(net, rho=0.9, nesterov=True), np.array([0.1]), np.array([0.5])
    set_gradients(net, 0.1 * 2, 0.1 * 2)
    optimiser.step(eta, lam)  # v = 0.3 for W, 0.2 for b; the steps 0.27 + 0.3 and 0.18 + 0.2
    np.testing.assert_allclose(W[0], 0.43, rtol=1e-13)
    np.testing.assert_allclose(b[0], 0.62, rtol=1e-13)
    set_gradients(net, 0.1 * 2, 0.1 * 2)
    optimiser.step(eta, lam)  # v = 0.27 + 0.1 (2 + 0.43) = 0.513 and 0.38; 0.4617 + 0.243 and 0.342 + 0.2
    np.testing.assert_allclose(W[0], 0.43 - 0.7047, rtol=1e-13)
    np.testing.assert_allclose(b[0], 0.62 - 0.542, rtol=1e-13)


@pytest.mark.parametrize("decoupled", [False, True])
def test_two_adam_steps_by_hand(decoupled: bool) -> None:
    net = network()
    W, b = net.parameters()["W1"], net.parameters()["b1"]
    W[0], b[0] = 1, 1
    optimiser = Adam(net, beta1=0.5, beta2=0.75, eps=0.5, decoupled=decoupled)
    eta, lam, one, two = np.array([0.1]), np.array([0.5]), 1.0, 1.0
    m_one = v_one = m_two = v_two = 0.0
    for t, g in ((1, 2.0), (2, -1.0)):
        set_gradients(net, g, g)
        optimiser.step(eta, lam)
        of_W = g + (0 if decoupled else 2 * 0.5 * one)
        m_one, v_one = 0.5 * m_one + 0.5 * of_W, 0.75 * v_one + 0.25 * of_W**2
        m_two, v_two = 0.5 * m_two + 0.5 * g, 0.75 * v_two + 0.25 * g**2
        mean, root = 1 - 0.5**t, (1 - 0.75**t) ** 0.5
        shrunk = 0.9 * one if decoupled else one
        one = shrunk - 0.1 * (m_one / mean) / (v_one**0.5 / root + 0.5)
        two -= 0.1 * (m_two / mean) / (v_two**0.5 / root + 0.5)
    np.testing.assert_allclose(W[0], one, rtol=1e-13)
    np.testing.assert_allclose(b[0], two, rtol=1e-13)


def test_the_first_step_of_adam_is_eta_whatever_the_size_of_the_gradient() -> None:
    net = network(2, hidden=(3,))
    before = {name: p.copy() for name, p in net.parameters().items()}
    set_gradients(net, -1e-3, 1e3)
    Adam(net).step(np.array([0.1, 0.2]), np.zeros(2))
    for name, p in net.parameters().items():
        step = np.array([0.1, 0.2]).reshape(2, *[1] * (p.ndim - 1)) * (1 if name[0] == "W" else -1)
        np.testing.assert_allclose(p - before[name], np.broadcast_to(step, p.shape), rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "left"), [("sgd", 0.8), ("momentum", 0.8), ("nesterov", 0.62), ("adamw", 0.8)]
)
def test_l2_shrinks_weights_only(kind: str, left: float) -> None:
    net = network(hidden=(3,), batch_norm=(1e-12, 0.9))
    for parameter in net.parameters().values():
        parameter[...] = 1
    set_gradients(net, 0, 0)
    KINDS[kind](net).step(np.array([0.1]), np.array([1.0]))
    for name, parameter in net.parameters().items():
        np.testing.assert_allclose(parameter, left if name[0] == "W" else 1, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_members_have_their_own_eta_and_lambda_in_every_layer(kind: str) -> None:
    etas, lams = np.array([0.1, 0.2, 0.1]), np.array([0.5, 0.5, 0.0])
    together = network(3, hidden=(4, 3), batch_norm=(1e-12, 0.9))
    twin, alone = network(3, hidden=(4, 3), batch_norm=(1e-12, 0.9)), KINDS[kind](together)
    singles = []
    for member in range(3):
        net = network(1, hidden=(4, 3), batch_norm=(1e-12, 0.9))
        for name, p in net.parameters().items():
            p[0] = twin.parameters()[name][member]
        singles.append((net, KINDS[kind](net)))
    for g in (0.03, -0.02, 0.01):
        set_gradients(together, g, g)
        alone.step(etas, lams)
        for member, (net, optimiser) in enumerate(singles):
            set_gradients(net, g, g)
            optimiser.step(etas[[member]], lams[[member]])
    for member, (net, _) in enumerate(singles):
        for name, p in net.parameters().items():
            np.testing.assert_allclose(together.parameters()[name][member], p[0], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_piece_by_piece_comes_to_the_same_bits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nets = []
    for tile in (1, 7, 10**6):
        monkeypatch.setattr(layers, "TILE", tile)
        net = network(3, hidden=(4, 3), batch_norm=(1e-12, 0.9))
        optimiser = KINDS[kind](net)
        for g in (0.03, -0.02, 0.01):
            set_gradients(net, g, g)
            optimiser.step(np.array([0.1, 0.2, 0.1]), np.array([0.5, 0.5, 0.0]))
        nets.append(net.parameters())
    for name, p in nets[0].items():
        np.testing.assert_array_equal(nets[1][name], p)
        np.testing.assert_array_equal(nets[2][name], p)


@pytest.mark.parametrize(("kind", "arrays"), [("sgd", 0), ("momentum", 1), ("nesterov", 1), ("adam", 2)])
def test_an_optimiser_keeps_its_arrays_for_every_parameter(kind: str, arrays: int) -> None:
    net = network(2, hidden=(3,), batch_norm=(1e-12, 0.9))
    stored = KINDS[kind](net).stored()
    kept = [array for name, array in stored.items() if name != "updates"]
    assert sum(v.size for v in kept) == arrays * sum(p.size for p in net.parameters().values())
    assert not any(v.any() for v in stored.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_keeps_the_dtype(kind: str, dtype: type[np.floating]) -> None:
    net = network(3, hidden=(4,), batch_norm=(1e-12, 0.9), dtype=dtype)
    optimiser = KINDS[kind](net)
    set_gradients(net, 0.1, 0.1)
    optimiser.step(np.full(3, 0.1, dtype), np.full(3, 0.1, dtype))
    assert optimiser.loss_scale(np.full(3, 0.1, dtype)).dtype == dtype
    assert {p.dtype for p in net.parameters().values()} == {np.dtype(dtype)}
    assert {g.dtype for g in net.gradients().values()} == {np.dtype(dtype)}
    assert {v.dtype for n, v in optimiser.stored().items() if n != "updates"} <= {np.dtype(dtype)}


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
