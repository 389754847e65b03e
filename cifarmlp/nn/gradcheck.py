"""Compare analytic with numeric gradients, in float64, and a whole update with both."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.losses import Loss
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float, Labels

COORDINATES = 150  # checked of each parameter; all of them where it has no more
DIRECTIONS = 3  # random directions through the whole of each parameter, so that no coordinate is left out
VANISHING = 1e-9  # norm below which both gradients count as zero: rounding of a cost of order 1 over a step
STEP = 1e-5


@dataclass(frozen=True)
class Difference:
    """Difference between a parameter's analytic gradient a and its numeric one n, over some coordinates.

    checked: number of those coordinates. kinks: coordinates left out, as every step tried crossed a kink
    (of a ReLU), where the cost has no derivative. distance: ||a - n||. relative: see `relative_difference`.
    direction: the same relative difference along random directions. update: relative difference between
    the change of the parameter in one update, over -eta, and n.
    """

    name: str
    checked: int
    kinks: int
    distance: float
    relative: float
    direction: float
    update: float

    @property
    def worst(self) -> float:
        """The largest of the three relative differences; nan where nothing could be checked."""
        if not self.checked:
            return np.nan
        return float(np.max([self.relative, self.direction, self.update]))  # nan stays nan


@np.errstate(all="ignore")  # a cost that overflows shows as nan
def check_gradients(
    network: Network,
    loss: Loss,
    x: Float,
    labels: Labels,
    lam: Float,
    rng: np.random.Generator,
    member: int = 0,
    coordinates: int = COORDINATES,
) -> list[Difference]:
    """Check every parameter of one member: W, b, gamma, beta, layer by layer.

    The cost is loss + lam sum W² with batch statistics, as in training; n its centred difference
    (f(t + h) - f(t - h)) / 2h. network: float64. x: (B, in) float64. labels: (B,). lam: (K,).
    The network is left one update further. Raises ValueError if it is not of float64.
    """
    if network.dtype != np.float64:
        raise ValueError("gradients are checked in float64")
    return list(_Check(network, loss, x, labels, lam, rng, member).differences(coordinates))


def relative_difference(a: Float, n: Float) -> float:
    """Return ||a - n|| / (||a|| + ||n||), or ||a - n|| where that sum is smaller than `VANISHING`.

    >>> relative_difference(np.array([3.0, 4.0]), np.array([3.0, -4.0]))
    0.8
    >>> relative_difference(np.zeros(2), np.array([1e-12, 0.0]))
    1e-12
    """
    size = float(np.linalg.norm(a) + np.linalg.norm(n))
    distance = float(np.linalg.norm(a - n))
    return distance if size < VANISHING else distance / size


def checkable_network(
    sizes: Sequence[int], batch_norm: tuple[float, float] | None, rng: np.random.Generator, members: int = 1
) -> Network:
    """Return a float64 network with He weights and all other parameters moved off their start.

    Correct gradients are correct anywhere; at tiny weights they are smaller than a difference's rounding.
    """
    network = Network(sizes, rng.spawn(members), ["he"] * members, batch_norm, np.float64)
    for name, parameter in network.parameters().items():
        if name not in network.weights():
            parameter += 0.1 * rng.standard_normal(parameter.shape)
    return network


@dataclass
class _Check:
    network: Network
    loss: Loss
    x: Float
    labels: Labels
    lam: Float
    rng: np.random.Generator
    member: int

    def differences(self, count: int) -> Iterator[Difference]:
        analytic = self._analytic()
        places = {name: self._pick(name, count) for name in self.network.parameters()}
        numeric = {name: self._numeric(name, *picks) for name, picks in places.items()}
        update = self._update()
        for name, picks in places.items():
            yield self._difference(name, *picks, analytic[name].ravel(), update[name].ravel(), numeric[name])

    def _difference(
        self,
        name: str,
        coordinates: NDArray[np.intp],
        directions: list[Float],
        analytic: Float,
        update: Float,
        numeric: Float,
    ) -> Difference:
        n_at, n_along = np.split(numeric, [len(coordinates)])
        known, smooth = ~np.isnan(n_at), ~np.isnan(n_along)
        at, n_at = coordinates[known], n_at[known]
        along = np.array([np.vdot(direction, analytic) for direction in directions])
        return Difference(
            name,
            checked=len(at),
            kinks=len(coordinates) - len(at),
            distance=float(np.linalg.norm(analytic[at] - n_at)),
            relative=relative_difference(analytic[at], n_at),
            direction=relative_difference(along[smooth], n_along[smooth]),
            update=relative_difference(update[at], n_at),
        )

    def _analytic(self) -> dict[str, Float]:
        """Gradient of the cost by the engine's backward pass."""
        self._backward(np.ones_like(self.lam))
        gradients = {name: g[self.member].copy() for name, g in self.network.gradients().items()}
        for name, W in self.network.weights().items():
            gradients[name] += 2 * self.lam[self.member] * W[self.member]
        return gradients

    def _update(self) -> dict[str, Float]:
        """(before - after) / eta of one step of gradient descent."""
        eta = np.full_like(self.lam, 0.1)
        before = {name: p[self.member].copy() for name, p in self.network.parameters().items()}
        self._backward(eta)
        SGD(self.network).step(eta, self.lam)
        after = self.network.parameters()
        return {name: (p - after[name][self.member]) / 0.1 for name, p in before.items()}

    def _backward(self, scale: Float) -> None:
        _, dlogits = self.loss(self.network.forward(self.x), self.labels, scale)
        self.network.backward(dlogits)

    def _pick(self, name: str, count: int) -> tuple[NDArray[np.intp], list[Float]]:
        parameter = self.network.parameters()[name][self.member]
        coordinates = self.rng.permutation(parameter.size)[:count]
        directions = [self.rng.standard_normal(parameter.size) for _ in range(DIRECTIONS)]
        return coordinates, [d / np.linalg.norm(d) for d in directions]

    def _numeric(self, name: str, coordinates: NDArray[np.intp], directions: list[Float]) -> Float:
        """Centred differences at the coordinates, then along the directions; nan at a kink."""
        parameter = self.network.parameters()[name][self.member]
        size = self._step_size(parameter)
        derivatives = [self._derivative(self._along_coordinate(parameter, c), size) for c in coordinates]
        derivatives += [self._derivative(self._along(parameter, d), size) for d in directions]
        return np.array(derivatives)

    def _step_size(self, parameter: Float) -> float:
        # relative to the spread of the layer's sums, so that badly scaled weights are checked as well
        spread = float(np.sqrt(np.mean(np.square(parameter)) * len(parameter)))
        return STEP * spread if parameter.ndim == 2 and spread > 0 else STEP

    def _along_coordinate(self, parameter: Float, coordinate: int) -> Callable[[float], None]:
        place = np.unravel_index(coordinate, parameter.shape)
        start = parameter[place]

        def move(t: float) -> None:
            parameter[place] = start + t

        return move

    def _along(self, parameter: Float, direction: Float) -> Callable[[float], None]:
        start, shaped = parameter.copy(), direction.reshape(parameter.shape)

        def move(t: float) -> None:
            np.copyto(parameter, start + t * shaped)

        return move

    def _derivative(self, move: Callable[[float], None], h: float) -> float:
        """Centred difference by the largest of three steps that crosses no kink, or nan."""
        for size in (h, h / 4, h / 16):
            (cost_up, sides_up), (cost_down, sides_down) = (
                self._cost_and_sides(move, t) for t in (size, -size)
            )
            move(0.0)
            if np.array_equal(sides_up, sides_down):
                return (cost_up - cost_down) / (2 * size)
        return np.nan

    def _cost_and_sides(self, move: Callable[[float], None], t: float) -> tuple[float, NDArray[np.bool_]]:
        move(t)
        loss, _ = self.loss(self.network.forward(self.x), self.labels, self.lam)
        cost = loss + self.lam * self.network.squared_weights()
        return float(cost[self.member]), self.network.kink_sides()
