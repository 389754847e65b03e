"""The training loop: a generator that yields one record an evaluation."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import Images, mini_batches, standardiser
from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.schedules import Schedule
from cifarmlp.nn.types import Float, Labels

CHUNK = 500  # rows an evaluation passes through the network at a time: its buffers stay in the cache


@dataclass(frozen=True)
class Metrics:
    """Of each member, (K,) float64: cost = loss + lam sum W², mean cross-entropy, share of right answers."""

    cost: Float
    loss: Float
    accuracy: Float


@dataclass(frozen=True)
class Record:
    """One evaluation: after `step` updates; eta (K,) is the rate of the next one."""

    step: int
    epoch: float
    eta: Float
    train: Metrics
    validation: Metrics


class Stopped(Exception):
    """`stop` said so within an evaluation."""


@dataclass
class Training:
    """Everything that a training needs, and where it is: `step` and the arrays of network and optimiser.

    mean, std: (3072,) pixel statistics in 0-255 units. lam: (K,). order_seed seeds the order of the
    mini-batches, which all members share. evaluate_every: epochs. evaluate_images: of the training set, for
    the records on the way; the last record always takes all. stop: asked after each step.
    diverged: (K,) the step at which a member's loss was first not finite, or -1. recorded: the step of the
    last record, or -1.
    """

    network: Network
    optimiser: SGD
    schedule: Schedule
    lam: Float
    train: Images
    validation: Images
    mean: Float
    std: Float
    steps: int
    batch_size: int = 100
    order_seed: int = 1
    evaluate_every: int = 1
    evaluate_images: int | None = None
    stop: Callable[[], bool] = lambda: False
    step: int = 0
    recorded: int = -1
    diverged: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.diverged = np.full(self.network.members, -1)
        self.lam = np.asarray(self.lam, self.network.dtype)

    @property
    def steps_per_epoch(self) -> int:
        """Whole mini-batches in the training set; what is left over sits out until the next shuffle."""
        return len(self.train.labels) // self.batch_size

    def eta(self) -> Float:
        """The rate of the coming step, (K,) in the network's dtype."""
        eta = np.empty_like(self.lam)
        eta[:] = self.schedule(self.step)
        return eta

    def records(self) -> Iterator[Record]:
        """Train to `steps`, yielding a record before the first step, after epochs, and at the end.

        Ends early where `stop` says so, after a step or within an evaluation, and where every member has
        diverged. `over` tells whether the last record was reached.
        """
        with suppress(Stopped):
            if self._is_due() and self.recorded != self.step:
                yield self.record()
            for x, labels in self._batches():
                if self._diverged(self.update(x, labels)):
                    yield self.record()
                    return
                self.step += 1
                if self.step % self.steps_per_epoch == 0 or self._is_due():
                    self.network.fold()  # an evaluation would: the same bits wherever one is, or is cut short
                if self._is_due():
                    yield self.record()
                if self.stop():
                    return

    @property
    def over(self) -> bool:
        """Whether the last record has been made: that of the last step, or of all members' divergence."""
        return self.recorded == self.step and (self.step == self.steps or self.all_diverged)

    @property
    def all_diverged(self) -> bool:
        """Whether no member has a finite loss any more."""
        return bool(np.all(self.diverged >= 0))

    def _is_due(self) -> bool:
        interval = self.evaluate_every * self.steps_per_epoch
        return self.step in (0, self.steps) or self.step % interval == 0

    def state(self) -> dict[str, NDArray[Any]]:
        """What decides how the training goes on: copies of its arrays, and where it is.

        There are no generators in it: the order of an epoch follows from `order_seed` and the epoch.
        """
        counts = {"step": np.array(self.step), "recorded": np.array(self.recorded), "diverged": self.diverged}
        return {name: array.copy() for name, array in {**self._arrays(), **counts}.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state` of the same config. Raises ValueError where it is of another one."""
        arrays = {**self._arrays(), "diverged": self.diverged}
        unlike = [n for n, a in arrays.items() if n not in state or state[n].shape != a.shape]
        if unlike or len(state) != len(arrays) + 2:
            raise ValueError(
                f"a training's state does not fit: {', '.join(unlike) or 'more arrays than here'}"
            )
        for name, array in arrays.items():
            array[...] = state[name]
        self.step, self.recorded = int(state["step"]), int(state["recorded"])
        for norm in self.network.norms:
            norm.started = self.step > 0

    def _arrays(self) -> dict[str, Float]:
        velocities = {f"velocity{n}": v for n, v in enumerate(self.optimiser.velocities)}
        return {**self.network.stored(), **velocities}

    def _diverged(self, loss: Float) -> bool:
        """Note the members whose loss is not finite; whether that is all of them by now."""
        broken = ~np.isfinite(loss)
        if not broken.any():
            return False
        self.diverged[(self.diverged < 0) & broken] = self.step
        return self.all_diverged

    @np.errstate(all="ignore")  # a diverging member overflows; its loss tells
    def update(self, x: Float, labels: Labels) -> Float:
        """One step on a standardised mini-batch x (B, 3072); returns each member's loss before it, (K,).

        The rate goes in at the top, with the gradient of the loss: everything below is linear in that.
        """
        eta = self.eta()
        loss, dlogits = softmax_cross_entropy(self.network.forward(x), labels, eta)
        self.network.backward(dlogits)
        self.optimiser.step(eta, self.lam)
        return loss

    def record(self) -> Record:
        """Evaluate here and now. Raises Stopped."""
        ended = self.step == self.steps or self.all_diverged
        n = None if ended else self.evaluate_images
        train = self.evaluate(Images(self.train.pixels[:n], self.train.labels[:n]))
        validation = self.evaluate(self.validation)
        if ended:
            self._diverged(train.loss)
        self.recorded = self.step
        return Record(self.step, self.step / self.steps_per_epoch, self.eta(), train, validation)

    @np.errstate(all="ignore")
    def evaluate(self, images: Images) -> Metrics:
        """Cost, loss and accuracy of every member, with the running averages. Raises Stopped."""
        total_loss, right = np.zeros(len(self.lam)), np.zeros(len(self.lam))
        unscaled = np.ones_like(self.lam)
        for logits, labels in predictions(self.network, images, self.mean, self.std):
            if self.stop():
                raise Stopped
            loss, _ = softmax_cross_entropy(logits, labels, unscaled)
            total_loss += np.float64(loss) * len(labels)
            right += (logits.argmax(axis=2) == labels[:, None]).sum(axis=0)
        loss = total_loss / len(images.labels)
        cost = loss + self.lam * np.float64(self.network.squared_weights())
        finite = np.isfinite(cost)
        return Metrics(
            np.where(finite, cost, np.nan),
            np.where(finite, loss, np.nan),
            np.where(finite, right / len(images.labels), np.nan),
        )

    def _batches(self) -> Iterator[tuple[Float, Labels]]:
        x = np.empty((self.batch_size, self.train.pixels.shape[1]), self.network.dtype)
        fill = standardiser(self.mean, self.std, self.network.dtype)
        first = self.step
        for step in range(first, self.steps):
            epoch, position = divmod(step, self.steps_per_epoch)
            if position == 0 or step == first:
                order = self._order(epoch)
            rows = order[position]
            fill(self.train.pixels, rows, x)
            yield x, self.train.labels[rows]

    def _order(self, epoch: int) -> NDArray[np.intp]:
        # a generator an epoch, so that any epoch can be taken up again without those before it
        rng = np.random.default_rng([self.order_seed, 1, epoch])
        return mini_batches(len(self.train.labels), self.batch_size, rng)


def predictions(network: Network, images: Images, mean: Float, std: Float) -> Iterator[tuple[Float, Labels]]:
    """Logits (b, K, 10) and labels (b,), chunk by chunk, with the running averages."""
    x = np.empty((CHUNK, images.pixels.shape[1]), network.dtype)
    fill = standardiser(mean, std, network.dtype)
    for start in range(0, len(images), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(images)))
        fill(images.pixels, rows, x[: len(rows)])
        yield network.forward(x[: len(rows)], training=False), images.labels[rows]
