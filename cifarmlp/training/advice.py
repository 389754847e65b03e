"""The cause of a training that does not learn, found by measurements, and the setting that mends it.

    config -> the same training at its start -> signs there and at the end -> the causes that they show

The order is that of the causes: where the signal of the start is lost, neither gradient, eta nor lambda can
be judged; where decay rules or eta is wrong, the units that died or saturated are what follows.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Split, standardiser
from cifarmlp.nn import Float
from cifarmlp.nn.diagnosis import gradient_and_decay, layer_health, relative_change, saturation
from cifarmlp.training.build import build_training
from cifarmlp.training.cost import check_memory
from cifarmlp.training.loop import Training

STEP = 0.1  # change of a layer's weights in a first step, relative to them, at which a training learns well
PROBE = 1e-3  # eta of the step by which that is measured
DECAY = 0.1  # pull of weight decay, relative to the gradient's, below which a training learns well
FAR = 10  # factor from those two from which one of them is the cause
VANISHED, EXPLODED = 0.01, 20.0  # spread of a layer's outputs at the start; of standardised images it is 1
CLOSED = 0.8  # share of dead units, or of outputs at an end of their range
STILL = 0.02  # change of the weights in a whole training, relative to them, that is hardly any

HELPS = "what usually helps: "


@dataclass(frozen=True)
class Signs:
    """Measurements of a training and of the same one at its start, both of a single network."""

    config: Config
    training: Training

    @cached_property
    def x(self) -> Float:
        """Standardised images."""
        return sample(self.training)

    def start(self) -> Training:
        """Return the training as it was before its first step; batch norm has seen the images."""
        t = self.training
        images = Split(t.train, t.validation, t.validation)
        start = build_training([self.config], images, statistics=(t.mean, t.std))
        start.network.forward(self.x)
        return start

    @cached_property
    def batch(self) -> int:
        """Images of a mini-batch."""
        return min(self.config.training.batch_size, len(self.x))

    @property
    def eta(self) -> float:
        """The highest rate of the schedule."""
        schedule = self.config.training.schedule
        return float(getattr(schedule, schedule.rates[-1]))

    @cached_property
    def fitting_eta(self) -> float:
        """The rate at which the first step changes no layer's weights by more than STEP; 0 if none does."""
        start, labels = self.start(), self.training.train.labels[: self.batch]
        start.schedule, start.lam = lambda step: PROBE, np.zeros_like(start.lam)
        before = {name: W.copy() for name, W in start.network.weights().items()}
        start.update(self.x[: self.batch], labels)
        change = max(relative_change(before, start.network.weights()))
        rho = getattr(self.config.training.optimiser, "rho", 0.0)  # steps add up to 1 / (1 - rho) of them
        eta = STEP * PROBE / change * (1 - rho) if change > 0 else 0.0
        return eta if math.isfinite(eta) else 0.0

    @cached_property
    def pull(self) -> float:
        """Weight decay against the gradient at the start, in the layer where it is strongest."""
        start, labels, lam = self.start(), self.training.train.labels[: self.batch], self.config.training.lam
        pairs = gradient_and_decay(start.network, start.loss, self.x[: self.batch], labels, lam)
        return max(decay / gradient if gradient > 0 else math.inf for gradient, decay in pairs)

    @cached_property
    def moved(self) -> float:
        """Change of the weights since the start, relative to them, in the layer where it is largest."""
        return max(relative_change(self.start().network.weights(), self.training.network.weights()))


@np.errstate(all="ignore")
def remedies(config: Config, training: Training) -> list[str]:
    """Return lines with the settings that help a training which did not learn, and the signs that say so."""
    signs = Signs(config, training)
    try:
        check_memory(config)  # the start is a second network
    except MemoryError:
        return [f"{HELPS}{_set_eta(config, signs.eta / 10)}"]
    together = (_strong_decay, _large_eta, _small_eta)
    found = [_lost_signal(signs)]
    found = found if found[0] else [cause(signs) for cause in together]
    found = found if any(found) else [_closed_units(signs) or _first_try(signs)]
    return [f"{HELPS}{line}" for line in found if line]


def _lost_signal(signs: Signs) -> str | None:
    """The weights of the start let the images vanish, or explode, on their way to the last layer."""
    start = signs.start()
    spreads = [layer.spread for layer in layer_health(start.network, signs.x)]
    closed = [share > CLOSED for share in saturation(start.network, signs.x)]
    vanished = [spread < VANISHED for spread in spreads[:-1]]
    exploded = [not spread < EXPLODED for spread in spreads]
    if True in vanished:
        n = vanished.index(True)
        sign = f"the images vanish in layer {n + 1} from the start, spread {spreads[n]:.1g}"
    elif True in exploded:
        n = exploded.index(True)
        size = f"spread {spreads[n]:.1g}" if math.isfinite(spreads[n]) else "its outputs are not finite"
        sign = f"layer {n + 1} explodes from the start, {size}"
    elif True in closed:
        sign = f"layer {closed.index(True) + 1} is saturated from the start"
    else:
        return None
    return f"{_set_init(signs.config)} ({sign})"


def _strong_decay(signs: Signs) -> str | None:
    """Weight decay outweighs the gradient of the loss, so that the weights shrink to nothing."""
    if not FAR < signs.pull < math.inf:
        return None
    lam = _one_digit(signs.config.training.lam * DECAY / signs.pull)
    sign = f"at the start weight decay pulls {signs.pull:.2g} times as hard as the gradient"
    return f"--set training.lambda={lam} ({sign})"


def _large_eta(signs: Signs) -> str | None:
    fit = signs.fitting_eta
    if not 0 < fit * FAR < signs.eta:
        return None
    change = STEP * signs.eta / fit
    return f"{_set_eta(signs.config, fit)} (the highest eta changes weights by {change:.2g} of their size)"


def _small_eta(signs: Signs) -> str | None:
    fit = signs.fitting_eta
    if not (fit > FAR * signs.eta and signs.moved < STILL):
        return None
    return f"{_set_eta(signs.config, fit)} (the weights moved by {signs.moved:.1g} of their size only)"


def _closed_units(signs: Signs) -> str | None:
    """Units died, or saturated, on the way."""
    network, x = signs.training.network, signs.x
    dead = [layer.dead for layer in layer_health(network, x)]
    for n, shares in enumerate(zip(dead, saturation(network, x), strict=False), 1):
        if max(shares) > CLOSED:
            state = "dead" if shares[0] > CLOSED else "saturated"
            return f"{_set_eta(signs.config, _lower(signs))} (layer {n} is {max(shares):.0%} {state})"
    return None


def _first_try(signs: Signs) -> str:
    t = signs.training
    if t.step < t.steps_per_epoch and not t.all_diverged:
        return f"--set training.steps={2 * t.steps_per_epoch} (less than an epoch shows little)"
    eta = signs.fitting_eta if signs.fitting_eta > FAR * signs.eta else _lower(signs)
    return f"{_set_eta(signs.config, eta)} (no cause stands out: a first try)"


def _lower(signs: Signs) -> float:
    fit = signs.fitting_eta
    return min(signs.eta / 10, fit if fit > 0 else math.inf)


def _set_init(config: Config) -> str:
    network = config.network
    activation = getattr(getattr(network, "activation", None), "kind", "relu")
    fitting = "xavier" if activation in ("tanh", "sigmoid") else "he"
    if network.init.kind in ("he", "xavier", "lecun") and network.hidden and not network.batch_norm:
        return "--set network.batch_norm=true"
    return f"--set network.init={fitting}"


def _set_eta(config: Config, eta: float) -> str:
    """Return the settings that make `eta` the highest rate; lower rates above it become it, too."""
    *lower, highest = config.training.schedule.rates
    value = _one_digit(eta)
    names = [name for name in lower if getattr(config.training.schedule, name) > float(value)]
    return " ".join(f"--set training.schedule.{name}={value}" for name in [*names, highest])


def _one_digit(value: float) -> str:
    return f"{float(f'{value:.1g}'):g}"


def sample(training: Training) -> Float:
    """Return the first 1,000 training images, standardised, or as many as there are."""
    rows = np.arange(min(1000, len(training.train)))
    x = np.empty((len(rows), training.train.pixels.shape[1]), training.network.dtype)
    standardiser(training.mean, training.std, training.network.dtype)(training.train.pixels, rows, x)
    return x
