"""The blocks with parameters: Linear and BatchNorm."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from cifarmlp.nn.block import Block
from cifarmlp.nn.products import add_product, multiply
from cifarmlp.nn.types import Float

SMALLEST_SCALE = 0.25  # far from where the division by it would lose digits
TILE = 2**14  # weights that are updated at once
VANISHED = 1e-30  # of a gradient that moves no weight, and is near numbers that a processor is slow with


class Linear(Block):
    """s = x W + b for each member.

    W: (G, in, n), that is G products of width n. A hidden layer has one product a member: G = K, n = out.
    The first layer, whose input all members share, has one product in all: G = 1, n = K·out, so that K
    networks make one large matrix product: the speed of a population comes from there.
    With `apart` that layer, too, has a product a member, and nothing of a member is summed or looked at with
    others: then its bits are those of the same network alone.
    b: (K·out,), or None where batch norm follows and its beta stands in for it.
    The gradient of W is xᵀ ds. It is never stored: an update adds the product to its target.
    The first layer's weights are scale · W, with scale (n,): decay shrinks the scale and leaves the large W
    alone (Bottou 2012, 'Stochastic Gradient Descent Tricks', section 5.1). `fold` makes the scale 1.
    """

    def __init__(
        self,
        weights: list[Float],
        bias: bool,
        shared_input: bool,
        dtype: type[np.floating],
        apart: bool = False,
    ) -> None:
        """weights: one (in, out) array a member. shared_input: in the first layer, which sees the images."""
        self.parts = len(weights) if apart else 1
        stacked = np.stack(weights, axis=1)[None] if shared_input and not apart else np.stack(weights)
        self.W: Float = stacked.reshape(*stacked.shape[:2], -1).astype(dtype)
        self.b: Float | None = np.zeros(self.W.shape[0] * self.W.shape[2], dtype) if bias else None
        self.db: Float | None = None if self.b is None else np.zeros_like(self.b)
        self.scale: Float | None = np.ones(self.W.shape[0] * self.W.shape[2], dtype) if shared_input else None

    def vectors(self) -> dict[str, tuple[Float, Float]]:
        """b, where the layer has one."""
        return {} if self.b is None or self.db is None else {"b": (self.b, self.db)}

    def parameters(self) -> dict[str, Float]:
        """W and b; W is without its scale, see `fold`."""
        return {"W": self.W, **super().parameters()}

    def gradients(self) -> dict[str, Float]:
        """The gradients of W, computed here, and b."""
        gradient = np.zeros_like(self.W)
        self.add_gradient(gradient, 1)
        return {"W": gradient, **super().gradients()}

    def stored(self) -> dict[str, Float]:
        """W, its scale and b."""
        scale = {} if self.scale is None else {"scale": self.scale}
        return {"W": self.W, **scale, **super().parameters()}

    def spread(self, values: Float) -> Float:
        """Per-member values (K,) in a shape that multiplies W: (1, 1, K·out) or (K, 1, 1)."""
        groups, _, n = self.W.shape
        if groups == len(values):
            return values[:, None, None]
        return np.repeat(values, n // len(values))[None, None]

    def scales(self, scale: Float) -> Float:
        """The scale (K·out,) of a first layer in a shape that multiplies W, a view: (G, 1, n)."""
        return scale.reshape(len(self.W), 1, -1)

    def tiles(self) -> Iterator[slice]:
        """Slices of W's second axis, for passes over arrays of its shape piece by piece, in the cache."""
        groups, width, n = self.W.shape
        rows = max(1, TILE // (groups * n))
        return (slice(start, start + rows) for start in range(0, width, rows))

    def forward(self, x: Float, training: bool = True) -> Float:
        """x (B, G·in), or (B, in) for all members, -> s (B, G·n)."""
        groups, width, n = self.W.shape
        self.x = x.reshape(len(x), -1, width).transpose(1, 0, 2)
        s = np.empty((len(x), groups, n), x.dtype)
        multiply(self.x, self.W, s.transpose(1, 0, 2))
        flat = s.reshape(len(x), -1)
        if self.scale is not None:
            flat *= self.scale
        if self.b is not None:
            flat += self.b
        return flat

    def backward(self, ds: Float) -> Float | None:
        """ds (B, G·n), which must then stay as it is, -> dx (B, G·in); sets db = sum ds over the batch.

        The first layer computes no dx: it would be the gradient of the images, and a third of the work.
        """
        self.ds = ds.reshape(len(ds), self.W.shape[0], -1).transpose(1, 0, 2)
        if self.db is not None:
            np.add.reduce(ds, axis=0, out=self.db)
            for part, db in enumerate(self.db.reshape(self.parts, -1)):
                if 0 < np.maximum.reduce(np.abs(db)) < VANISHED:  # few numbers, that stand for all of ds
                    flush_denormals(ds.reshape(len(ds), self.parts, -1)[:, part])
        return self.input_gradient() if self.scale is None else None

    def input_gradient(self) -> Float:
        """dx = ds Wᵀ (B, G·in)."""
        groups, width, _ = self.W.shape
        dx = np.empty((self.ds.shape[1], groups, width), self.ds.dtype)
        multiply(self.ds, self.W.transpose(0, 2, 1), dx.transpose(1, 0, 2))
        return dx.reshape(len(dx), -1)

    def add_gradient(self, target: Float, alpha: float) -> None:
        """target (G, in, n) += alpha xᵀ ds, the gradient of W by the last backward pass."""
        if len(target) == self.parts:
            self._add_products(target, self.ds, alpha)
        else:
            target += target.dtype.type(alpha) * (self.x.transpose(0, 2, 1) @ self.ds)

    def _add_products(self, target: Float, ds: Float, alpha: float) -> None:
        for k, C in enumerate(target):
            add_product(C, self.x[k % len(self.x)], ds[k], alpha)

    def descend(self, shrink: Float) -> None:
        """W <- (1 - shrink) W - xᵀ ds, with shrink (K,)."""
        if self.scale is None:
            self.W *= self.spread(1 - shrink)
            self.add_gradient(self.W, -1)
            return
        scales = self.scales(self.scale)
        scales *= self.spread(1 - shrink)
        if not self.scale.min() > SMALLEST_SCALE:
            small = ~(scales > SMALLEST_SCALE)  # those only: no member's bits may depend on the others
            self.W *= np.where(small, scales, scales.dtype.type(1))
            scales[small] = 1
        self._add_products(self.W, np.divide(self.ds, scales, order="C"), -1)

    def fold(self) -> None:
        """Multiply the scale into W, and drop weights that have decayed to almost nothing."""
        flush_denormals(self.W)
        if self.scale is not None:
            self.W *= self.scales(self.scale)
            self.scale[:] = 1


def flush_denormals(array: Float) -> None:
    """Set the numbers to 0 that are too small for all their digits: products with them take 50 times as long.

    >>> array = np.array([1e-45, -1e-38, 1.0], np.float32)
    >>> flush_denormals(array)
    >>> array
    array([0., 0., 1.], dtype=float32)
    """
    array[np.abs(array) < np.finfo(array.dtype).smallest_normal] = 0


class BatchNorm(Block):
    """y = gamma (s - mean) / sqrt(var + eps) + beta; Ioffe and Szegedy 2015, algorithm 1 and section 3.1.

    mean and var (divided by B) are the batch's in training and running averages in evaluation; those start
    at the first batch's statistics and become momentum · old + (1 - momentum) · new each step.
    gamma, beta, mean, var: (K·d,).
    """

    def __init__(
        self,
        width: int,
        eps: float,
        momentum: float,
        dtype: type[np.floating],
        in_place: bool = True,
        parts: int = 1,
    ) -> None:
        """in_place: overwrite s in training; False after an activation, whose backward pass needs it.

        parts: in which means are taken: one, or K, so that no member's bits depend on the others.
        """
        self.in_place, self.parts = in_place, parts
        self.gamma: Float = np.ones(width, dtype)
        self.beta: Float = np.zeros(width, dtype)
        self.dgamma, self.dbeta = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.averages: Float = np.stack([np.zeros(width, dtype), np.ones(width, dtype)])
        self.mean, self.var = self.averages
        self.eps, self.momentum = self.gamma.dtype.type(eps), self.gamma.dtype.type(momentum)
        self.rounding = np.finfo(dtype).eps
        self.started = False

    def vectors(self) -> dict[str, tuple[Float, Float]]:
        """gamma and beta."""
        return {"gamma": (self.gamma, self.dgamma), "beta": (self.beta, self.dbeta)}

    def running_averages(self) -> dict[str, Float]:
        """mean and var."""
        return {"mean": self.mean, "var": self.var}

    def stored(self) -> dict[str, Float]:
        """gamma, beta and the running averages (2, K·d)."""
        return {**self.parameters(), "averages": self.averages}

    def resume(self, step: int) -> None:
        """Start the running averages only where no step has been made yet."""
        self.started = step > 0

    def forward(self, s: Float, training: bool = True) -> Float:
        """s (B, K·d) -> y (B, K·d).

        By the statistics of the batch, which move the running averages; in evaluation by those averages.
        """
        if not training:
            return self._evaluate(s)
        moments = np.empty((2, s.shape[1]), s.dtype)
        mean, var = moments
        self._mean(s, mean)
        s = np.subtract(s, mean, out=s if self.in_place else None)
        self._mean(s * s, var)
        self.inverse_std = self._inverse_std(mean, var, len(s))
        var *= (
            self.inverse_std > 0
        )  # so that evaluation takes rounding errors for signal no more than training
        self.centred = s
        self._move_averages(moments)
        y = s * (self.inverse_std * self.gamma)
        y += self.beta
        return y

    def _evaluate(self, s: Float) -> Float:
        s -= self.mean
        s *= self.scale()
        s += self.beta
        return s

    def scale(self) -> Float:
        """gamma / sqrt(var + eps) by the running averages, (K·d,); 0 of a unit that does not vary."""
        return self.gamma * self._inverse_std(self.mean, self.var)

    def backward(self, dy: Float) -> Float:
        """dy (B, K·d), overwritten, -> ds (B, K·d); sets dgamma = sum dy x̂ and dbeta = sum dy.

        ds = gamma / std (dy - dbeta / B - x̂ dgamma / B), with x̂ the normalised input.
        """
        mean, along = self._mean(dy), self._mean(dy * self.centred) * self.inverse_std
        np.multiply(mean, len(dy), out=self.dbeta)
        np.multiply(along, len(dy), out=self.dgamma)
        dy -= mean
        dy -= self.centred * (along * self.inverse_std)
        dy *= self.gamma * self.inverse_std
        return dy

    def _mean(self, values: Float, out: Float | None = None) -> Float:
        """Mean of (B, K·d) over the batch, (K·d,)."""
        share = _shares(len(values), values.dtype)
        if self.parts == 1:
            return np.matmul(share, values, out=out)
        of_parts = values.reshape(len(values), self.parts, -1).transpose(1, 0, 2)
        means = np.matmul(share, of_parts, out=None if out is None else out.reshape(self.parts, -1))
        return means.ravel()

    def _inverse_std(self, mean: Float, var: Float, rows: int = 0) -> Float:
        # A unit that doesn't vary over the batch has only rounding errors for a variance, which grow with
        # the rows summed; dividing by them would turn noise into signal, so such a unit puts out beta.
        rounding = max(32, rows) * self.rounding
        inverse: Float = 1 / np.sqrt(var + self.eps)
        inverse[var <= np.square(rounding * mean)] = 0
        return inverse

    def _move_averages(self, moments: Float) -> None:
        keep = self.momentum if self.started else self.momentum * 0
        self.averages *= keep
        self.averages += moments * (1 - keep)
        self.started = True


@cache
def _shares(rows: int, dtype: np.dtype[Any]) -> Float:
    # a mean over the batch as a product with these is twice as fast as a sum
    return np.full(rows, 1 / rows, dtype)
