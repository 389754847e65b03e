"""Variants of the equations of a pass: each way in which a known mistake is made, as a change of `Steps`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cifarmlp.owncode.reference import Array, Norm, Steps, inverse_std

Variant = Callable[[Steps], Steps]


@dataclass(frozen=True)
class Mistake:
    """A known mistake. done: what the program does; right: the equation; cure: what to change in the code."""

    id: str
    done: str
    right: str
    cure: str
    reference: str
    variants: tuple[Variant, ...]


def change(**fields: object) -> Variant:
    """Return a variant that replaces fields of `Steps`."""
    return lambda steps: replace(steps, **fields)  # type: ignore[arg-type]


# Batch norm, backward


def no_term(dshat: Array, norm: Norm | None = None) -> Array:
    """Return zeros in place of a term."""
    return np.zeros_like(dshat)


def no_gamma(dy: Array, gamma: Array) -> Array:
    """Return dshat without the factor gamma."""
    return dy


def swap(pair: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the second, then the first."""
    return pair[1], pair[0]


def swapped_gradients(dy: Array, shat: Array) -> tuple[Array, Array]:
    """Return dbeta as dgamma, and dgamma as dbeta."""
    return dy.sum(axis=0), (dy * shat).sum(axis=0)


def swapped_parameters(shat: Array, gamma: Array, beta: Array) -> Array:
    """Return beta shat + gamma."""
    return beta * shat + gamma


# Batch norm, forward


def unbiased(x: Array, mean: Array) -> Array:
    """Return the variance divided by n - 1."""
    return np.asarray(np.square(x - mean).sum(axis=0) / (len(x) - 1))


def unbiased_term(dshat: Array, norm: Norm) -> Array:
    """Return the exact second term of the gradient for a variance divided by n - 1."""
    return np.asarray(norm.shat * (dshat * norm.shat).sum(axis=0) / (len(dshat) - 1))


def eps_outside(var: Array, eps: float) -> Array:
    """Return 1 / (sqrt(var) + eps)."""
    return np.asarray(1 / (np.sqrt(var) + eps))


def eps_outside_term(dshat: Array, norm: Norm) -> Array:
    """Return the exact second term of the gradient for 1 / (sqrt(var) + eps)."""
    x = norm.x - norm.mean
    std = np.sqrt(np.square(x).mean(axis=0))
    return np.asarray(x * norm.inverse_std / std * (dshat * x).mean(axis=0) * norm.inverse_std)


def other_eps(value: float) -> Variant:
    """Return the variant with another eps."""
    return change(inverse_std=lambda var, eps: inverse_std(var, value))


def second(batch: tuple[Array, Array], running: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the running statistics."""
    return running


# Averages over the batch


def times_n(steps: Steps, power: int, *kinds: str) -> Steps:
    """Multiply results of these kinds by n^power: dlogits, loss, weights, biases, gamma."""
    dlogits, loss, weight, bias, pair = (
        steps.dlogits, steps.loss, steps.weight_gradient, steps.bias_gradient, steps.gamma_and_beta_gradient,
    )  # fmt: skip

    def factor(rows: Array) -> float:
        return float(len(rows)) ** power

    made: dict[str, object] = {
        "dlogits": lambda P, Y: dlogits(P, Y) * factor(Y),
        "loss": lambda P, Y: loss(P, Y) * factor(Y),
        "weight_gradient": lambda h, ds: weight(h, ds) * factor(ds),
        "bias_gradient": lambda ds: bias(ds) * factor(ds),
        "gamma_and_beta_gradient": lambda dy, shat: tuple(g * factor(dy) for g in pair(dy, shat)),
    }
    return change(**{kind: made[kind] for kind in kinds})(steps)


def scaled(power: int) -> tuple[Variant, ...]:
    """Return the usual ways to divide by n too seldom (power 1) or too often (power -1)."""
    ways = (
        ("dlogits",),
        ("dlogits", "loss"),
        ("gamma_and_beta_gradient",),
        ("weight_gradient", "bias_gradient"),
        ("weight_gradient", "bias_gradient", "gamma_and_beta_gradient"),
        ("weight_gradient",),
        ("loss",),
    )
    return tuple(lambda steps, way=way: times_n(steps, power, *way) for way in ways)


# L2


def decay_of(**factors: float) -> Variant:
    """Return the variant whose gradient has lam w with other factors, such as W=1.0."""
    return lambda steps: replace(steps, decay={**steps.decay, **factors})


def penalty_of(**factors: float) -> Variant:
    """Return the variant whose cost has the squares of parameters with other factors."""
    return lambda steps: replace(steps, penalty={**steps.penalty, **factors})


def l2_on(*kinds: str) -> tuple[Variant, ...]:
    """Return the variants with L2 on more kinds of parameters: in the gradient, in the cost, in both."""
    gradient, cost = decay_of(**dict.fromkeys(kinds, 2.0)), penalty_of(**dict.fromkeys(kinds, 1.0))
    return gradient, lambda steps: cost(gradient(steps)), cost


# Output


def softmax_over_batch(s: Array) -> Array:
    """Return the softmax along the wrong axis."""
    e: Array = np.exp(s - s.max(axis=0))
    e /= e.sum(axis=0)
    return e


def shifted_labels(by: int) -> Variant:
    """Return the variant whose classes are off by one."""
    return change(targets=lambda Y: np.roll(Y, by, axis=1))


def negative(is_loss_only: bool) -> Variant:
    """Return the variant with -dlogits; if not only the loss's gradient, the L2 term has the sign, too."""
    fields: dict[str, object] = {"dlogits": lambda P, Y: (Y - P) / len(Y)}
    return change(**fields, **({} if is_loss_only else {"decay": {"W": -2.0}}))


# Biases


def bias_from(kind: str, both: bool) -> Variant:
    """Return the variant that takes the mean, the first or the last row in place of the sum."""
    pick: dict[str, Callable[[Array], Array]] = {
        "mean": lambda ds: ds.mean(axis=0),
        "first": lambda ds: ds[0],
        "last": lambda ds: ds[-1],
    }
    reduce = pick[kind]
    fields: dict[str, object] = {"bias_gradient": reduce}
    if both:
        fields["gamma_and_beta_gradient"] = lambda dy, shat: ((dy * shat).sum(axis=0), reduce(dy))
    return change(**fields)


RUNNING = (
    change(statistics_in_use=second),
    change(statistics_in_use=second, mean_term=no_term, variance_term=no_term),
    change(statistics=second, statistics_in_use=second),
    change(statistics=second, statistics_in_use=second, mean_term=no_term, variance_term=no_term),
)
