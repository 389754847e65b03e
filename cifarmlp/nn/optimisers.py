"""Gradient descent with L2, plain or with momentum."""

import numpy as np

from cifarmlp.nn.network import Network
from cifarmlp.nn.types import Float


class SGD:
    """v <- rho v + eta (g + 2 lam W);  W <- W - v.

    Polyak 1964; plain gradient descent where rho = 0, which keeps no v. The L2 term is the gradient of
    lam sum W²: for weights only, not for b, gamma or beta.
    """

    def __init__(self, network: Network, rho: float = 0.0) -> None:
        self.network, self.rho, self.storage = network, rho, list(network.storage())
        self.velocities = [np.zeros_like(p) for p, _ in self.storage] if rho else []

    def step(self, eta: Float, lam: Float) -> None:
        """One update by gradients that carry the factor eta already. eta, lam: (K,), the network's dtype."""
        shrink = 2 * eta * lam
        if self.rho:
            self._step_with_velocity(shrink)
            return
        for linear in self.network.linears:
            linear.W *= linear.spread(1 - shrink)
        for parameter, gradient in self.storage:
            parameter -= gradient

    def _step_with_velocity(self, shrink: Float) -> None:
        for linear in self.network.linears:
            linear.dW += linear.W * linear.spread(shrink)
        for (parameter, gradient), v in zip(self.storage, self.velocities, strict=True):
            v *= v.dtype.type(self.rho)
            v += gradient
            parameter -= v
