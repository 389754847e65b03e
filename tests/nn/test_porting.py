"""The factors of docs/porting.md, each against PyTorch."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

from cifarmlp.nn.inits import sigma_of
from cifarmlp.nn.layers import BatchNorm
from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD, Adam, Optimiser
from cifarmlp.nn.schedules import Schedule, constant, cosine, cyclic, one_cycle

LAM, ETA, LENGTH = 0.01, 0.1, 30
HE = torch.nn.init.kaiming_normal_


def ours(optimiser_of: Callable[[Network], Optimiser], rates: Sequence[float]) -> np.ndarray:
    """The weights and biases of a linear classifier after a step at each rate."""
    net = Network([6, 10], [np.random.default_rng(1)], ["he"], None, np.float64)
    optimiser, rng = optimiser_of(net), np.random.default_rng(2)
    for rate in rates:
        x, labels = rng.standard_normal((20, 6)), rng.integers(0, 10, 20)
        eta = np.array([rate])
        _, dlogits = softmax_cross_entropy(net.forward(x), labels, optimiser.loss_scale(eta))
        net.backward(dlogits)
        optimiser.step(eta, np.array([LAM]))
    parameters = net.parameters()
    return np.concatenate([parameters["W1"][0], parameters["b1"]])


def theirs(
    optimiser_of: Callable[[Any, Any], Any],
    rates: Sequence[float],
    between: Callable[[Any, float, float], None] = lambda optimiser, before, now: None,
) -> np.ndarray:
    """The same of a torch.nn.Linear; `between` may change its optimiser before each step but the first."""
    start = Network([6, 10], [np.random.default_rng(1)], ["he"], None, np.float64).parameters()["W1"][0]
    model = torch.nn.Linear(6, 10, dtype=torch.float64)
    model.weight.data = torch.tensor(start.T.copy())
    torch.nn.init.zeros_(model.bias)
    optimiser, rng, before = optimiser_of(model.weight, model.bias), np.random.default_rng(2), rates[0]
    for rate in rates:
        between(optimiser, before, rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        x, labels = torch.tensor(rng.standard_normal((20, 6))), torch.tensor(rng.integers(0, 10, 20))
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()
        before = rate
    return np.concatenate([model.weight.detach().numpy().T, model.bias.detach().numpy()[None]])


def groups(weight: Any, bias: Any) -> list[dict[str, Any]]:
    """Decay of 2 lambda for weights, none for biases."""
    return [{"params": [weight], "weight_decay": 2 * LAM}, {"params": [bias], "weight_decay": 0.0}]


STEADY, CHANGING = [0.1] * 20, [0.1] * 5 + [0.02] * 5 + [0.2] * 10
MOMENTUM = {"lr": 1.0, "momentum": 0.9}


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_same_while_eta_is_constant(nesterov: bool) -> None:
    one = ours(lambda net: SGD(net, 0.9, nesterov), STEADY)
    other = theirs(lambda *p: torch.optim.SGD(groups(*p), **MOMENTUM, nesterov=nesterov), STEADY)
    np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_where_eta_changes_their_velocity_times_the_old_eta_over_the_new_is_ours(nesterov: bool) -> None:
    def rescale(optimiser: Any, before: float, now: float) -> None:
        for state in optimiser.state.values():
            state["momentum_buffer"] *= before / now

    def optimiser(*parameters: Any) -> Any:
        return torch.optim.SGD(groups(*parameters), **MOMENTUM, nesterov=nesterov)

    one = ours(lambda net: SGD(net, 0.9, nesterov), CHANGING)
    np.testing.assert_allclose(one, theirs(optimiser, CHANGING, rescale), rtol=1e-10, atol=1e-12)
    assert np.abs(one - theirs(optimiser, CHANGING)).max() > 0.01


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_is_the_same_whatever_eta_does(decoupled: bool) -> None:
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    one = ours(lambda net: Adam(net, decoupled=decoupled), CHANGING)
    other = theirs(lambda *p: kind(groups(*p)), CHANGING)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_their_weight_decay_is_of_biases_too_unless_these_have_a_group_of_their_own() -> None:
    one = ours(SGD, STEADY)
    grouped = theirs(lambda *p: torch.optim.SGD(groups(*p), lr=1.0), STEADY)
    plain = theirs(lambda *p: torch.optim.SGD(p, lr=1.0, weight_decay=2 * LAM), STEADY)
    np.testing.assert_allclose(one, grouped, rtol=1e-10, atol=1e-12)
    assert np.abs(one[-1] - plain[-1]).max() > 1e-4


def test_their_norms_keep_one_minus_our_momentum_and_an_unbiased_variance() -> None:
    rows, keep, rng = 25, 0.8, np.random.default_rng(3)
    norm = BatchNorm(4, 1e-5, keep, np.float64)
    twin = torch.nn.BatchNorm1d(4, eps=1e-5, momentum=1 - keep, dtype=torch.float64)
    batches = [rng.standard_normal((rows, 4)) * 3 + 1 for _ in range(30)]
    for s in batches:
        y = norm.forward(s.copy())
        np.testing.assert_allclose(y, twin(torch.tensor(s)).detach().numpy(), rtol=1e-10, atol=1e-12)
    started = keep ** len(batches)  # what is left of their start at mean 0, variance 1; ours has none
    first = batches[0]
    mean = twin.running_mean.numpy() + started * first.mean(axis=0)
    var = (twin.running_var.numpy() - started) * (rows - 1) / rows + started * first.var(axis=0)
    np.testing.assert_allclose(norm.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(norm.var, var, rtol=1e-10)


@pytest.mark.parametrize(
    ("draw", "sigma"),
    [
        (lambda weight: HE(weight, nonlinearity="relu"), sigma_of("he", 3072, 500)),
        (torch.nn.init.xavier_normal_, sigma_of("xavier", 3072, 500)),
        (lambda weight: torch.nn.Linear(3072, 500).weight, 1 / np.sqrt(3 * 3072)),
    ],
)
def test_the_spread_of_their_initial_weights(draw: Callable[[Any], Any], sigma: float) -> None:
    torch.manual_seed(1)
    assert draw(torch.empty(500, 3072)).std().item() == pytest.approx(sigma, rel=0.005)


EPOCH = 7
SCHEDULES: dict[str, tuple[Schedule, Callable[[Any], Any]]] = {
    "decay": (
        constant(ETA, 0.5, 2 * EPOCH),
        lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, 2 * EPOCH, 0.5),
    ),
    "cyclic": (
        cyclic(0.01, ETA, 10),
        lambda optimiser: torch.optim.lr_scheduler.CyclicLR(optimiser, 0.01, ETA, 10, cycle_momentum=False),
    ),
    "cosine": (
        cosine(ETA, LENGTH, 0.01),
        lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, LENGTH, 0.01),
    ),
    "cosine after a warm-up": (cosine(ETA, LENGTH, 0.01, 6), lambda optimiser: warmed_up(optimiser, 6)),
    "one cycle": (
        one_cycle(ETA, LENGTH),
        lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(optimiser, ETA, LENGTH, cycle_momentum=False),
    ),
    "one cycle of lines": (
        one_cycle(ETA, LENGTH, 0.45, 10, 100, "linear"),
        lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(
            optimiser, ETA, LENGTH, None, None, 0.45, "linear", False, div_factor=10, final_div_factor=100
        ),
    ),
}


def warmed_up(optimiser: Any, warmup: int) -> Any:
    """A linear rise, then half a cosine."""
    schedulers = torch.optim.lr_scheduler
    rise = schedulers.LinearLR(optimiser, 1 / (warmup + 1), total_iters=warmup)
    fall = schedulers.CosineAnnealingLR(optimiser, LENGTH - warmup, 0.01)
    return schedulers.SequentialLR(optimiser, [rise, fall], [warmup])


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.filterwarnings("ignore")  # of its own use of its own schedulers
def test_a_schedule_has_the_rates_of_its_scheduler(kind: str) -> None:
    ours, of_torch = SCHEDULES[kind]
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=ETA)
    scheduler, theirs = of_torch(optimiser), []
    for _ in range(LENGTH):
        theirs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    np.testing.assert_allclose([ours(step) for step in range(LENGTH)], theirs, rtol=1e-9)
