"""Optimisers: gradient descent with L2, plain or with momentum."""

from typing import Protocol

import numpy as np

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


class SGD:
    """v <- rho v + eta (g + 2 lam W);  W <- W - v.

    Polyak 1964; plain gradient descent where rho = 0, which keeps no v. The L2 term is the gradient of
    lam sum W²: for weights only, not for b, gamma or beta.
    """

    def __init__(self, network: Network, rho: float = 0.0) -> None:
        self.network, self.rho, self.vectors = network, rho, list(network.vectors())
        parameters = [*(linear.W for linear in network.linears), *(p for p, _ in self.vectors)]
        self.velocities = [np.zeros_like(p) for p in parameters] if rho else []

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
        for v in self.velocities:
            v *= v.dtype.type(self.rho)
        of_vectors = self.velocities[len(self.network.linears) :]
        for linear, v in zip(self.network.linears, self.velocities, strict=False):
            v += linear.W * linear.spread(shrink)
            linear.add_gradient(v, 1)
            linear.W -= v
        for (parameter, gradient), v in zip(self.vectors, of_vectors, strict=True):
            v += gradient
            parameter -= v
