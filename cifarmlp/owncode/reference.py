"""Forward and backward pass of a network with batch normalisation, in plain NumPy, written for reading.

    X -> linear -> batch norm -> ReLU -> ... -> linear -> softmax -> loss, cost
      <- dW, db <- dgamma, dbeta <- ... <- dW, db <- (P - Y) / n

Rows are images. Each equation is a field of `Steps`, so that a mistake is the replacement of a field. Batch
norm: Ioffe and Szegedy 2015, 'Batch Normalization', algorithm 1; its backward pass as in section 3 there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Quantities = dict[str, Array]


@dataclass(frozen=True)
class Case:
    """A network, a mini-batch of n images and the settings of one update: float64, an image a row.

    arrays: X (n, d), labels (n,), Y (n, 10) one-hot, W1... (in, out), b1... (out,), and where there is batch
    norm gamma1, beta1, running_mean1, running_var1... (out,). lam: L2; eps: under batch norm's root; eta:
    learning rate; rho: share of the old that the running averages keep. momentum: share of the old velocity
    that an update keeps, with the velocities vW1, vb1, ...; None for plain gradient descent.
    """

    arrays: Mapping[str, Array]
    lam: float
    eps: float
    eta: float
    rho: float
    momentum: float | None = None

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    @property
    def depth(self) -> int:
        """Number of layers."""
        return sum(name[0] == "W" for name in self.arrays)

    @property
    def is_normalised(self) -> bool:
        """Return whether the hidden layers have batch norm."""
        return "gamma1" in self.arrays


@dataclass(frozen=True)
class Norm:
    """Intermediate results of batch norm that its backward pass needs."""

    x: Array
    mean: Array
    inverse_std: Array
    shat: Array
    gamma: Array


def inverse_std(var: Array, eps: float) -> Array:
    """Return 1 / sqrt(var + eps)."""
    inverse: Array = 1 / np.sqrt(var + eps)
    return inverse


def softmax(s: Array) -> Array:
    """Return exp(s) / sum of exp(s), image by image.

    >>> softmax(np.array([[0.0, 0.0], [np.log(3), 0.0]]))
    array([[0.5 , 0.5 ],
           [0.75, 0.25]])
    """
    e: Array = np.exp(s - s.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


def cross_entropy(P: Array, Y: Array) -> Array:
    """Return the loss, the mean over the images of -log of the right class's probability."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log((P * Y).sum(axis=1)).mean())


@dataclass(frozen=True)
class Steps:
    """Equations of a pass and an update, one a field. A mistake is a `dataclasses.replace` of some."""

    targets: Callable[[Array], Array] = lambda Y: Y
    # batch norm, forward: shat = (x - mean) / sqrt(var + eps), y = gamma shat + beta
    norm_first: bool = True  # before the activation
    biases_before_norm: bool = True  # batch norm cancels them
    mean: Callable[[Array], Array] = lambda x: x.mean(axis=0)
    variance: Callable[[Array, Array], Array] = lambda x, mean: np.square(x - mean).mean(axis=0)
    statistics: Callable[[tuple[Array, Array], tuple[Array, Array]], tuple[Array, Array]] = (
        lambda batch, running: batch
    )
    statistics_in_use: Callable[[tuple[Array, Array], tuple[Array, Array]], tuple[Array, Array]] = (
        lambda batch, running: batch
    )
    inverse_std: Callable[[Array, float], Array] = inverse_std
    scale_and_shift: Callable[[Array, Array, Array], Array] = lambda shat, gamma, beta: gamma * shat + beta
    # output and cost: cost = loss + lam sum W²
    softmax: Callable[[Array], Array] = softmax
    loss: Callable[[Array, Array], Array] = cross_entropy
    penalty: Mapping[str, float] = field(
        default_factory=lambda: {"W": 1.0}
    )  # the factor of each kind of parameter
    # backward
    dlogits: Callable[[Array, Array], Array] = lambda P, Y: (P - Y) / len(Y)
    weight_gradient: Callable[[Array, Array], Array] = lambda h, ds: h.T @ ds
    bias_gradient: Callable[[Array], Array] = lambda ds: ds.sum(axis=0)
    decay: Mapping[str, float] = field(
        default_factory=lambda: {"W": 2.0}
    )  # as penalty, of lam w in the gradient
    propagate: Callable[[Array, Array, Array], Array] = lambda ds, W, new_W: ds @ W.T
    mask: Callable[[Array, Array], NDArray[Any]] = lambda y, x: y > 0  # y: ReLU's input, x: batch norm's
    gamma_and_beta_gradient: Callable[[Array, Array], tuple[Array, Array]] = lambda dy, shat: (
        (dy * shat).sum(axis=0),
        dy.sum(axis=0),
    )
    # dx = (dshat - mean term - variance term) / sqrt(var + eps)
    dshat: Callable[[Array, Array], Array] = lambda dy, gamma: dy * gamma
    mean_term: Callable[[Array], Array] = lambda dshat: dshat.mean(axis=0)
    variance_term: Callable[[Array, Norm], Array] = lambda dshat, norm: (
        norm.shat * (dshat * norm.shat).mean(axis=0)
    )
    # update: w <- w - eta dw, or with momentum v <- momentum v + eta dw, w <- w - v
    velocity: Callable[[Array, Array, float], Array] = lambda v, change, momentum: momentum * v + change
    update: Callable[[Array, Array], Array] = lambda w, change: w - change
    gamma_and_beta: Callable[[tuple[Array, Array]], tuple[Array, Array]] = lambda pair: pair  # as updated
    gradients_in_use: Callable[[tuple[Array, Array]], tuple[Array, Array]] = lambda pair: pair
    running: Callable[[Array, Array, float], Array] = lambda old, new, rho: rho * old + (1 - rho) * new
    running_start: Callable[[str, Array], Array] = lambda kind, old: old
    running_variance: Callable[[Array, Array], Array] = lambda var, x: var


def squares(case: Case, factors: Mapping[str, float]) -> Array:
    """Return the sum of the squares of all parameters, each kind times its factor."""
    names = [(f"{kind}{n}", factor) for kind, factor in factors.items() for n in range(1, case.depth + 1)]
    return np.asarray(
        sum(factor * np.square(case[name]).sum() for name, factor in names if name in case.arrays)
    )


def answers_of(case: Case, steps: Steps | None = None) -> tuple[Quantities, Quantities]:
    """Return every quantity of a pass and an update, in order of computation, and the scales of some.

    Names and shapes, for n images: s1 (n, out), mean1, var1 (out,), shat1, h1 (n, out), ..., P (n, 10),
    loss, cost (), dW3 (in, out), db3 (out,), dgamma2, dbeta2, ..., newrunning_mean1, newrunning_var1, newW1,
    newb1, newgamma1, newbeta1, ... A scale is the size of the terms of a sum that may cancel.
    """
    return _Pass(case, steps or Steps()).run()


class _Pass:
    def __init__(self, case: Case, steps: Steps) -> None:
        self.case, self.steps = case, steps
        self.q: Quantities = {}
        self.scales: Quantities = {}
        self.norms: dict[int, Norm] = {}
        self.inputs: dict[int, Array] = {1: case["X"]}  # of each linear layer
        self.relus: dict[int, tuple[Array, Array]] = {}

    def run(self) -> tuple[Quantities, Quantities]:
        logits = self.forward()
        Y = self.steps.targets(self.case["Y"])
        P = self.q["P"] = self.steps.softmax(logits)
        loss = self.q["loss"] = self.steps.loss(P, Y)
        self.q["cost"] = loss + self.case.lam * squares(self.case, self.steps.penalty)
        self.backward(self.steps.dlogits(P, Y))
        self.move_averages()
        self.update()
        return self.q, self.scales

    def forward(self) -> Array:
        for n in range(1, self.case.depth):
            s = self.q[f"s{n}"] = self.linear(n)
            if not self.case.is_normalised:
                self.relus[n] = s, s
                h = np.maximum(s, 0)
            elif self.steps.norm_first:
                y = self.normalise(n, s)
                self.relus[n] = y, s
                h = np.maximum(y, 0)
            else:
                self.relus[n] = s, s
                h = self.normalise(n, np.maximum(s, 0))
            self.q[f"h{n}"] = self.inputs[n + 1] = h
        logits = self.q[f"s{self.case.depth}"] = self.linear(self.case.depth)
        return logits

    def linear(self, n: int) -> Array:
        s: Array = self.inputs[n] @ self.case[f"W{n}"]
        has_bias = n == self.case.depth or not self.case.is_normalised or self.steps.biases_before_norm
        return s + self.case[f"b{n}"] if has_bias else s

    def normalise(self, n: int, x: Array) -> Array:
        steps, case = self.steps, self.case
        mean = steps.mean(x)
        batch = mean, steps.variance(x, mean)
        running = case[f"running_mean{n}"], case[f"running_var{n}"]
        self.q[f"mean{n}"], self.q[f"var{n}"] = steps.statistics(batch, running)
        mean, var = steps.statistics_in_use(batch, running)
        inverse = steps.inverse_std(var, case.eps)
        shat = self.q[f"shat{n}"] = (x - mean) * inverse
        self.norms[n] = Norm(x, mean, inverse, shat, case[f"gamma{n}"])
        return steps.scale_and_shift(shat, case[f"gamma{n}"], case[f"beta{n}"])

    def backward(self, ds: Array) -> None:
        for n in range(self.case.depth, 0, -1):
            W = self.case[f"W{n}"]
            dW = self.steps.weight_gradient(self.inputs[n], ds) + self.decay("W", n)
            db = self.steps.bias_gradient(ds) + self.decay("b", n)
            self.q[f"dW{n}"], self.q[f"db{n}"] = dW, db
            self.scales[f"db{n}"] = np.abs(ds).sum(axis=0)
            if n > 1:
                ds = self.through_layer(n - 1, self.steps.propagate(ds, W, self.new(f"W{n}", dW)))

    def decay(self, kind: str, n: int) -> Array:
        return np.asarray(self.steps.decay.get(kind, 0.0) * self.case.lam * self.case[f"{kind}{n}"])

    def through_layer(self, n: int, dh: Array) -> Array:
        mask = self.steps.mask(*self.relus[n])
        if not self.case.is_normalised:
            return np.asarray(dh * mask)
        if self.steps.norm_first:
            return self.through_norm(n, dh * mask)
        return np.asarray(self.through_norm(n, dh) * mask)

    def through_norm(self, n: int, dy: Array) -> Array:
        steps, norm = self.steps, self.norms[n]
        dgamma, dbeta = steps.gamma_and_beta_gradient(dy, norm.shat)
        self.scales[f"dbeta{n}"] = np.abs(dy).sum(axis=0)
        self.scales[f"dgamma{n}"] = np.abs(dy * norm.shat).sum(axis=0)
        self.q[f"dgamma{n}"] = dgamma + self.decay("gamma", n)
        self.q[f"dbeta{n}"] = dbeta + self.decay("beta", n)
        dshat = steps.dshat(dy, norm.gamma)
        dx: Array = dshat - steps.mean_term(dshat) - steps.variance_term(dshat, norm)
        return dx * norm.inverse_std

    def move_averages(self) -> None:
        for n in self.norms:
            var = self.steps.running_variance(self.q[f"var{n}"], self.norms[n].x)
            for kind, new in (("mean", self.q[f"mean{n}"]), ("var", var)):
                old = self.steps.running_start(kind, self.case[f"running_{kind}{n}"])
                self.q[f"newrunning_{kind}{n}"] = self.steps.running(old, new, self.case.rho)

    def update(self) -> None:
        for n in range(1, self.case.depth + 1):
            for kind in ("W", "b"):
                self.put_new(f"{kind}{n}", self.new(f"{kind}{n}", self.q[f"d{kind}{n}"]))
            if n in self.norms:
                gradients = self.steps.gradients_in_use((self.q[f"dgamma{n}"], self.q[f"dbeta{n}"]))
                pair = self.new(f"gamma{n}", gradients[0]), self.new(f"beta{n}", gradients[1])
                for kind, new in zip(("gamma", "beta"), self.steps.gamma_and_beta(pair), strict=True):
                    self.put_new(f"{kind}{n}", new)

    def put_new(self, name: str, new: Array) -> None:
        self.q[f"new{name}"] = new

    def new(self, name: str, gradient: Array) -> Array:
        """Return the updated parameter."""
        change = self.case.eta * gradient
        if self.case.momentum is not None:
            change = self.steps.velocity(self.case[f"v{name}"], change, self.case.momentum)
        return self.steps.update(self.case[name], change)
