"""Compare analytic with numeric gradients, in float64, and a whole update with both."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.differences import Function, careful_difference, quick_difference
from cifarmlp.nn.losses import Loss
from cifarmlp.nn.network import PLAIN, HiddenBlocks, Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float

COORDINATES = 150  # checked of each parameter; all of them where it has no more
CAREFUL_COORDINATES = 20  # checked again, and carefully, where the quick differences are not near enough
DIRECTIONS = 3  # random directions through the whole of each parameter, so that no coordinate is left out
VANISHING = 1e-9  # norm below which both gradients count as zero: rounding of a loss of order 1 over a step
LIMIT = 1e-7  # relative difference from which a gradient is wrong
CERTAIN, CERTAIN_SIZE = 1e-3, 1e-5  # a quick difference is never that far off a gradient that large
STEP, ETA = 1e-5, 0.1


@dataclass(frozen=True)
class Difference:
    """Difference between a parameter's analytic gradient a and its numeric one n, over some coordinates.

    checked: number of those coordinates. kinks: coordinates left out, as every step tried crossed a kink
    (of a ReLU), where the loss has no derivative. distance: ||a - n||. relative: see `relative_difference`.
    direction: the same relative difference along random directions. update: relative difference between
    the change of the parameter in one update, over -eta and without its L2 term, and n.
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

    @property
    def is_right(self) -> bool:
        """Return whether the gradient is right: off by less than LIMIT, and somewhere checked."""
        return self.worst < LIMIT


@np.errstate(all="ignore")  # a loss that overflows shows as nan
def check_gradients(
    network: Network,
    loss: Loss,
    x: Float,
    labels: NDArray[np.generic],
    lam: Float,
    rng: np.random.Generator,
    member: int = 0,
    coordinates: int = COORDINATES,
) -> list[Difference]:
    """Check every parameter of one member: W, b, gamma, beta, layer by layer.

    a and n are gradients of the loss, with batch statistics and the masks of dropout as in the first step of
    a training; n is a centred difference. The L2 term, lam sum W², is not differenced: rounding of a large
    sum would hide the loss. Its gradient 2 lam W is exact, and the update is to have made it. Where the quick
    difference is off, a careful one decides, and its error is taken off: float64 can tell no more.
    network: float64, left as it was but for running averages. x: (B, in) float64. labels: see `losses`. lam:
    (K,). Raises ValueError if the network is not of float64.
    """
    if network.dtype != np.float64:
        raise ValueError("gradients are checked in float64")
    return list(_Check(network, loss, x, labels, lam, rng, member).differences(coordinates))


def relative_difference(a: Float, n: Float, error: float = 0.0) -> float:
    """Return d / (||a|| + ||n||), or d where that sum is smaller than `VANISHING`.

    d is ||a - n|| less the error of n, but not below 0.

    >>> relative_difference(np.array([3.0, 4.0]), np.array([3.0, -4.0]))
    0.8
    >>> relative_difference(np.zeros(2), np.array([1e-12, 0.0]))
    1e-12
    """
    size = float(np.linalg.norm(a) + np.linalg.norm(n))
    distance = max(float(np.linalg.norm(a - n)) - error, 0.0)  # nan stays nan
    return distance if size < VANISHING else distance / size


def checkable_network(
    sizes: Sequence[int],
    batch_norm: tuple[float, float] | None,
    rng: np.random.Generator,
    members: int = 1,
    hidden: HiddenBlocks = PLAIN,
) -> Network:
    """Return a float64 network with He weights and all other parameters moved off their start.

    Correct gradients are correct anywhere; at tiny weights they are smaller than a difference's rounding.
    """
    network = Network(sizes, rng.spawn(members), ["he"] * members, batch_norm, np.float64, hidden)
    for name, parameter in network.parameters().items():
        if name not in network.weights():
            parameter += 0.1 * rng.standard_normal(parameter.shape)
    return network


@dataclass
class _Check:
    network: Network
    loss: Loss
    x: Float
    labels: NDArray[np.generic]
    lam: Float
    rng: np.random.Generator
    member: int

    def differences(self, count: int) -> Iterator[Difference]:
        analytic, update = self._analytic(), self._update()
        for name in self.network.parameters():
            yield self._difference(name, count, analytic[name].ravel(), update[name].ravel())

    def _difference(self, name: str, count: int, analytic: Float, update: Float) -> Difference:
        """Compare by quick differences, and again by careful ones if those say that the gradient is wrong."""
        coordinates, directions = self._pick(name, count)
        quick = self._compare(name, coordinates, directions, analytic, update, is_careful=False)
        size = float(np.sqrt(np.mean(np.square(analytic))))
        if quick.is_right or (quick.worst > CERTAIN and size > CERTAIN_SIZE):
            return quick
        some = coordinates[:CAREFUL_COORDINATES]
        careful = self._compare(name, some, directions, analytic, update, is_careful=True)
        return careful if careful.is_right else quick

    def _compare(
        self,
        name: str,
        coordinates: NDArray[np.intp],
        directions: list[Float],
        analytic: Float,
        update: Float,
        is_careful: bool,
    ) -> Difference:
        numeric, errors = self._numeric(name, coordinates, directions, is_careful).T
        known = ~np.isnan(numeric)
        at, along = np.split(known, [len(coordinates)])
        ours = np.array([np.vdot(direction, analytic) for direction in directions])[along]
        coordinates, split = coordinates[at], int(at.sum())
        n_at, n_along = np.split(numeric[known], [split])
        e_at, e_along = (float(np.linalg.norm(e)) for e in np.split(errors[known], [split]))
        return Difference(
            name,
            checked=split,
            kinks=len(at) - split,
            distance=float(np.linalg.norm(analytic[coordinates] - n_at)),
            relative=relative_difference(analytic[coordinates], n_at, e_at),
            direction=relative_difference(ours, n_along, e_along),
            update=relative_difference(update[coordinates], n_at, e_at + self._rounding(name, coordinates)),
        )

    def _rounding(self, name: str, coordinates: NDArray[np.intp]) -> float:
        """Bound of the rounding errors of `_update`."""
        parameter = self._parameter(name).ravel()[coordinates]
        factor = np.finfo(float).eps * (2 / ETA + 8 * float(self.lam[self.member]))
        return factor * float(np.linalg.norm(parameter))

    def _parameter(self, name: str) -> Float:
        parameter: Float = self.network.parameters()[name][self.member]
        return parameter

    def _analytic(self) -> dict[str, Float]:
        """Gradient of the loss by the engine's backward pass."""
        self._backward(np.ones(self.network.members))
        return {name: g[self.member].copy() for name, g in self.network.gradients().items()}

    def _update(self) -> dict[str, Float]:
        """(before - after) / eta of one step of gradient descent, less 2 lam W; then go back."""
        before = {name: p.copy() for name, p in self.network.parameters().items()}
        eta = np.full(self.network.members, ETA)
        self._backward(eta)
        SGD(self.network).step(eta, self.lam)
        after = {name: p[self.member].copy() for name, p in self.network.parameters().items()}
        for name, parameter in self.network.parameters().items():
            parameter[...] = before[name]
        change = {name: (p[self.member] - after[name]) / ETA for name, p in before.items()}
        for name in self.network.weights():
            change[name] -= 2 * self.lam[self.member] * before[name][self.member]
        return change

    def _forward(self, scale: Float) -> tuple[Float, Float]:
        self.network.resume(0)  # to the same masks of dropout each time
        return self.loss(self.network.forward(self.x), self.labels, scale)

    def _backward(self, scale: Float) -> None:
        _, dlogits = self._forward(scale)
        self.network.backward(dlogits)

    def _pick(self, name: str, count: int) -> tuple[NDArray[np.intp], list[Float]]:
        size = self._parameter(name).size
        coordinates = self.rng.permutation(size)[:count]
        directions = [self.rng.standard_normal(size) for _ in range(DIRECTIONS)]
        return coordinates, [d / np.linalg.norm(d) for d in directions]

    def _numeric(
        self, name: str, coordinates: NDArray[np.intp], directions: list[Float], is_careful: bool
    ) -> Float:
        """Differences at the coordinates, then along the directions, each with its error; nan at a kink."""
        parameter = self._parameter(name)
        h = self._step_size(parameter)
        moves = [self._along_coordinate(parameter, c) for c in coordinates]
        moves += [self._along(parameter, direction) for direction in directions]
        pairs = []
        for move in moves:
            f = self._loss_along(move)
            pairs.append(careful_difference(f, h) if is_careful else (quick_difference(f, h), 0.0))
            move(0.0)
        return np.array(pairs)

    def _loss_along(self, move: Callable[[float], None]) -> Function:
        one = np.ones(self.network.members)

        def f(t: float) -> tuple[float, NDArray[np.bool_]]:
            move(t)
            loss, dlogits = self._forward(one)
            of_loss = (dlogits[:, self.member] > 0).ravel()
            return float(loss[self.member]), np.concatenate([self.network.kink_sides(), of_loss])

        return f

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
