"""The engine against PyTorch, step by step, from the same weights and over the same batches."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.block import Block
from cifarmlp.nn.dropout import Dropout
from cifarmlp.nn.losses import (
    Loss,
    binary_cross_entropy,
    hinge,
    smoothed_cross_entropy,
    softmax_cross_entropy,
)
from cifarmlp.nn.network import HiddenBlocks, Network
from cifarmlp.nn.optimisers import SGD, Adam, Optimiser
from cifarmlp.nn.types import Float

torch.set_num_threads(1)  # small products: more threads only get in each other's way
SIZES = [60, 20, 15, 10]
STEPS, BATCH, ETA, LAM, EPS = 30, 25, 0.1, 0.01, 1e-5


BETAS, TINY = (0.8, 0.99), 1e-6  # not the defaults of either side
KINDS: dict[str, tuple[Callable[[Network], Optimiser], Callable[..., Any]]] = {
    "sgd": (SGD, lambda groups: torch.optim.SGD(groups, lr=ETA)),
    "momentum": (
        lambda net: SGD(net, 0.9),
        lambda groups: torch.optim.SGD(groups, lr=ETA, momentum=0.9),
    ),
    "nesterov": (
        lambda net: SGD(net, 0.9, nesterov=True),
        lambda groups: torch.optim.SGD(groups, lr=ETA, momentum=0.9, nesterov=True),
    ),
    "adam": (
        lambda net: Adam(net, *BETAS, TINY),
        lambda groups: torch.optim.Adam(groups, lr=ETA, betas=BETAS, eps=TINY),
    ),
    "adamw": (
        lambda net: Adam(net, *BETAS, TINY, decoupled=True),
        lambda groups: torch.optim.AdamW(groups, lr=ETA, betas=BETAS, eps=TINY),
    ),
}


def twin(net: Network, member: int) -> Any:
    """One member as a PyTorch model."""
    parts: list[Any] = []
    for n, linear in enumerate(net.linears):
        hidden = n < len(net.linears) - 1
        parts.append(torch.nn.Linear(*SIZES[n : n + 2], bias=linear.b is not None, dtype=torch.float64))
        parts[-1].weight.data = torch.tensor(net.parameters()[f"W{n + 1}"][member].T.copy())
        if linear.b is not None:
            torch.nn.init.zeros_(parts[-1].bias)
        if hidden and linear.b is None:
            parts.append(torch.nn.BatchNorm1d(SIZES[n + 1], EPS, momentum=0.1, dtype=torch.float64))
        if hidden:
            parts.append(torch.nn.ReLU())
    return torch.nn.Sequential(*parts)


def groups(model: Any) -> list[dict[str, object]]:
    """Weight decay on weights only; lambda W² has gradient 2 lambda W."""
    weights = [part.weight for part in model if isinstance(part, torch.nn.Linear)]
    known = {id(weight) for weight in weights}
    others = [p for p in model.parameters() if id(p) not in known]
    return [{"params": weights, "weight_decay": 2 * LAM}, {"params": others, "weight_decay": 0.0}]


def start_averages(model: Any) -> None:
    """PyTorch's averages start at 0 and 1; ours at the first batch's statistics."""
    for part in model:
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean /= 0.1
            part.running_var -= 0.9
            part.running_var /= 0.1


def assert_equal(ours: Float, theirs: Any) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("members", "member"), [(1, 0), (3, 2)])
def test_thirty_steps_agree(batch_norm: bool, kind: str, members: int, member: int) -> None:
    generators = [np.random.default_rng(seed) for seed in range(members)]
    net = Network(SIZES, generators, ["he"] * members, (EPS, 0.9) if batch_norm else None, np.float64)
    model = twin(net, member)
    ours, of_torch = KINDS[kind]
    optimiser, theirs = ours(net), of_torch(groups(model))
    eta, lam, rng = np.full(members, ETA), np.full(members, LAM), np.random.default_rng(9)
    for step in range(STEPS):
        x, labels = rng.standard_normal((BATCH, SIZES[0])), rng.integers(0, 10, BATCH)
        loss, dlogits = softmax_cross_entropy(
            net.forward(x), labels.astype(np.uint8), optimiser.loss_scale(eta)
        )
        net.backward(dlogits)
        optimiser.step(eta, lam)
        theirs.zero_grad()
        their_loss = torch.nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(labels))
        their_loss.backward()
        theirs.step()
        if step == 0:
            start_averages(model)
        assert_equal(loss[member], their_loss)
    compare(net, model, member)
    model.eval()
    for part in model:
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_var *= (BATCH - 1) / BATCH
    assert_equal(net.forward(x, training=False)[:, member], model(torch.tensor(x)))


def compare(net: Network, model: Any, member: int) -> None:
    """Every parameter and running average of one member with those of its twin."""
    ours = {n: p[member] for n, p in {**net.parameters(), **net.running_averages()}.items()}
    linears = [part for part in model if isinstance(part, torch.nn.Linear)]
    norms = [part for part in model if isinstance(part, torch.nn.BatchNorm1d)]
    for n, linear in enumerate(linears, start=1):
        assert_equal(ours.pop(f"W{n}"), linear.weight.T)
        if linear.bias is not None:
            assert_equal(ours.pop(f"b{n}"), linear.bias)
    for n, norm in enumerate(norms, start=1):
        assert_equal(ours.pop(f"gamma{n}"), norm.weight)
        assert_equal(ours.pop(f"beta{n}"), norm.bias)
        assert_equal(ours.pop(f"mean{n}"), norm.running_mean)
        assert_equal(ours.pop(f"var{n}"), norm.running_var * ((BATCH - 1) / BATCH))  # theirs is over n - 1
    assert not ours


F = torch.nn.functional
ACTIVATIONS: list[tuple[Callable[[], Block], Any]] = [
    (ReLU, F.relu),
    (partial(LeakyReLU, 0.1), partial(F.leaky_relu, negative_slope=0.1)),
    (partial(ELU, 0.7), partial(F.elu, alpha=0.7)),
    (GELU, F.gelu),
    (Tanh, torch.tanh),
    (Sigmoid, torch.sigmoid),
]
LOSSES: list[tuple[Loss, Any]] = [
    (softmax_cross_entropy, F.cross_entropy),
    (smoothed_cross_entropy(0.1), partial(F.cross_entropy, label_smoothing=0.1)),
    (hinge, lambda z, y: 10 * F.multi_margin_loss(z, y)),  # theirs is the mean over the classes
    (
        binary_cross_entropy,
        lambda z, y: 10 * F.binary_cross_entropy_with_logits(z, F.one_hot(y, 10).double()),
    ),
]


def their_logits(
    net: Network, p: dict[str, Any], x: Any, member: int, activate: Any, norm_first: bool
) -> Any:
    """The logits of one member by PyTorch, with the masks of dropout that our last forward pass drew."""
    masks = [torch.tensor(b.mask) for b in net.blocks if isinstance(b, Dropout)]
    h = x * masks[0]
    for n, width in enumerate(net.sizes[1:-1], start=1):
        h = h @ p[f"W{n}"] + p.get(f"b{n}", 0)
        h = h if norm_first else activate(h)
        h = F.batch_norm(h, None, None, p[f"gamma{n}"], p[f"beta{n}"], training=True, eps=EPS)
        h = activate(h) if norm_first else h
        h = h * masks[n][:, member * width : (member + 1) * width]
    last = len(net.sizes) - 1
    return h @ p[f"W{last}"] + p[f"b{last}"]


def assert_autograd_agrees(
    activation: tuple[Callable[[], Block], Any], loss: tuple[Loss, Any], norm_first: bool, member: int
) -> None:
    hidden = HiddenBlocks(activation[0], norm_first, dropout=(0.2, 0.3, 0.5), seeds=[1, 2, 3])
    generators = [np.random.default_rng(seed) for seed in range(3)]
    net = Network(SIZES, generators, ["he"] * 3, (EPS, 0.9), np.float64, hidden)
    rng = np.random.default_rng(9)
    x, labels = rng.standard_normal((BATCH, SIZES[0])), rng.integers(0, 10, BATCH).astype(np.uint8)
    value, dlogits = loss[0](net.forward(x), labels, np.ones(3))
    net.backward(dlogits)
    p = {n: torch.tensor(a[member].copy(), requires_grad=True) for n, a in net.parameters().items()}
    logits = their_logits(net, p, torch.tensor(x), member, activation[1], norm_first)
    theirs = loss[1](logits, torch.tensor(labels.astype(np.int64)))
    theirs.backward()
    assert_equal(value[member], theirs)
    for name, gradient in net.gradients().items():
        assert_equal(gradient[member], p[name].grad)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_blocks_have_the_gradients_of_autograd(
    activation: tuple[Callable[[], Block], Any], norm_first: bool
) -> None:
    assert_autograd_agrees(activation, LOSSES[0], norm_first, member=1)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_have_the_gradients_of_autograd(loss: tuple[Loss, Any]) -> None:
    assert_autograd_agrees(ACTIVATIONS[0], loss, norm_first=True, member=2)


@pytest.mark.parametrize(("ours", "theirs"), [LOSSES[0], LOSSES[1]])
def test_soft_labels_have_the_gradients_of_autograd(ours: Loss, theirs: Any) -> None:
    rng = np.random.default_rng(3)
    z, shares = rng.standard_normal((BATCH, 1, 10)), rng.dirichlet(np.ones(10), BATCH)
    value, gradient = ours(z, shares, np.ones(1))
    logits = torch.tensor(z[:, 0].copy(), requires_grad=True)
    loss = theirs(logits, torch.tensor(shares))
    loss.backward()
    assert_equal(value[0], loss)
    assert_equal(gradient[:, 0], logits.grad)
