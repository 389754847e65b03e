"""Optimisers: gradient descent with L2, plain or with momentum, and Adam."""

import math
from typing import Protocol

import numpy as np

from cifarmlp.nn.layers import Linear
from cifarmlp.nn.network import Network
from cifarmlp.nn.types import Float


class Optimiser(Protocol):
    """The form of an optimiser. eta, lam: (K,), one a member, in the network's dtype."""

    def loss_scale(self, eta: Float) -> Float:
        """Return the factor that the gradients are to carry in `step`, (K,)."""

    def step(self, eta: Float, lam: Float) -> None:
        """Update the network once, by the gradients of its last backward pass."""

    def stored(self) -> dict[str, Float]:
        """Return the arrays that an update changes besides the network's, by the names of checkpoints."""


def parameters_of(network: Network) -> list[Float]:
    """Return the arrays that an optimiser changes: all W, then all b, gamma and beta."""
    return [*(linear.W for linear in network.linears), *(parameter for parameter, _ in network.vectors())]


class SGD:
    """v <- rho v + eta (g + 2 lam W);  W <- W - v.

    Polyak 1964; plain gradient descent where rho = 0, which keeps no v. With `nesterov` the step looks ahead
    along the new v, W <- W - (rho v + eta (g + 2 lam W)): Nesterov 1983, as rewritten by Bengio et al. 2013,
    'Advances in Optimizing Recurrent Networks', eq. 6. The L2 term is the gradient of lam sum W²: for
    weights only, not for b, gamma or beta.
    """

    def __init__(self, network: Network, rho: float = 0.0, nesterov: bool = False) -> None:
        self.network, self.rho, self.nesterov = network, rho, nesterov
        self.vectors = list(network.vectors())
        self.velocities = [np.zeros_like(p) for p in parameters_of(network)] if rho else []

    def loss_scale(self, eta: Float) -> Float:
        """Return eta: the update is linear in the gradient, and no pass over W then multiplies by it."""
        return eta

    def stored(self) -> dict[str, Float]:
        """Return the velocities: velocity0, ... of the weights, then of b, gamma and beta."""
        return {f"velocity{n}": v for n, v in enumerate(self.velocities)}

    def step(self, eta: Float, lam: Float) -> None:
        """Update by gradients that carry the factor eta already."""
        shrink = 2 * eta * lam
        if self.rho:
            self._step_with_velocity(shrink)
            return
        for linear in self.network.linears:
            linear.descend(shrink)
        for parameter, gradient in self.vectors:
            parameter -= gradient

    def _step_with_velocity(self, shrink: Float) -> None:
        of_vectors = self.velocities[len(self.network.linears) :]
        for linear, v in zip(self.network.linears, self.velocities, strict=False):
            decay = linear.spread(shrink)
            for rows in linear.tiles():
                self._look_ahead(linear.W[:, rows], v[:, rows], linear.W[:, rows] * decay)
            linear.add_gradient(v, 1)
            for rows in linear.tiles():
                self._follow(linear.W[:, rows], v[:, rows])
        for (parameter, gradient), v in zip(self.vectors, of_vectors, strict=True):
            self._look_ahead(parameter, v, gradient)
            self._follow(parameter, v)

    # Nesterov's step is rho v + (v - rho v_old): W + rho v_old - (1 + rho) v, so no array holds the gradient.

    def _look_ahead(self, parameter: Float, v: Float, gradient: Float) -> None:
        v *= v.dtype.type(self.rho)
        if self.nesterov:
            parameter += v
        v += gradient

    def _follow(self, parameter: Float, v: Float) -> None:
        parameter -= (1 + self.rho) * v if self.nesterov else v


class Adam:
    """Adam: steps of the size of eta, whatever the gradient's; Kingma and Ba 2015, algorithm 1.

        g = gradient + 2 lam W;  m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g²
        W <- W - eta m̂ / (sqrt(v̂) + eps),  m̂ = m / (1 - beta1^t),  v̂ = v / (1 - beta2^t)

    at the t-th update; the L2 term, for weights only, is part of g. With `decoupled`, AdamW (Loshchilov and
    Hutter 2019, algorithm 2), it is not: W <- (1 - 2 eta lam) W before the step.
    """

    def __init__(
        self,
        network: Network,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        decoupled: bool = False,
    ) -> None:
        self.network, self.beta1, self.beta2, self.eps = network, beta1, beta2, eps
        self.decoupled, self.vectors = decoupled, list(network.vectors())
        self.moments = [np.zeros((2, *p.shape), p.dtype) for p in parameters_of(network)]
        self.updates: Float = np.zeros(())  # t; float64, which counts to 2^53
        most = max(linear.W.size for linear in network.linears)
        self.gradient: Float = np.empty(most, network.dtype)  # of a layer's W

    def loss_scale(self, eta: Float) -> Float:
        """Return ones: the update is not linear in the gradient."""
        return np.ones_like(eta)

    def stored(self) -> dict[str, Float]:
        """Return the count of updates, and m and v as (2, ...), by the numbers that velocities have."""
        return {"updates": self.updates, **{f"moments{n}": each for n, each in enumerate(self.moments)}}

    def step(self, eta: Float, lam: Float) -> None:
        """Update by gradients that carry no factor."""
        self.updates += 1
        of_vectors = self.moments[len(self.network.linears) :]
        for linear, moments in zip(self.network.linears, self.moments, strict=False):
            self._update_weights(linear, moments, eta, lam)
        for (parameter, gradient), moments in zip(self.vectors, of_vectors, strict=True):
            of_members = self._direction(gradient, moments).reshape(len(eta), -1)
            parameter -= (eta[:, None] * of_members).ravel()

    def _update_weights(self, linear: Linear, moments: Float, eta: Float, lam: Float) -> None:
        W, rate = linear.W, linear.spread(eta)
        gradient = self.gradient[: W.size].reshape(W.shape)
        np.multiply(W, linear.spread(lam * 0 if self.decoupled else 2 * lam), out=gradient)
        linear.add_gradient(gradient, 1)
        shrink = linear.spread(1 - 2 * eta * lam)
        for rows in linear.tiles():
            if self.decoupled:
                W[:, rows] *= shrink
            W[:, rows] -= rate * self._direction(gradient[:, rows], moments[:, :, rows])

    def _direction(self, gradient: Float, moments: Float) -> Float:
        """Move the moments by the gradient, and return m̂ / (sqrt(v̂) + eps)."""
        m, v = moments
        m += (1 - self.beta1) * (gradient - m)
        v *= self.beta2
        v += (1 - self.beta2) * np.square(gradient)
        t = float(self.updates)
        direction: Float = np.sqrt(v)
        direction *= 1 / math.sqrt(1 - self.beta2**t)
        direction += self.eps
        np.divide(m, direction, out=direction)
        direction *= 1 / (1 - self.beta1**t)
        return direction
