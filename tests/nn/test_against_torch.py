"""The engine against PyTorch, step by step, from the same weights and over the same batches."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
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
