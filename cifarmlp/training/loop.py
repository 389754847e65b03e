"""The training loop: a generator that yields one record an evaluation.

batch -> forward -> loss -> backward -> optimiser -> step + 1 -> record, where one is due
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import Augmentation, Images, Room, standardiser
from cifarmlp.nn import Float, Labels, Loss, Network, Optimiser, Schedule
from cifarmlp.training.average import MovingAverage
from cifarmlp.training.batch_loss import BatchLoss
from cifarmlp.training.batches import Batching, count_batches, mini_batches
from cifarmlp.training.best import Best

CHUNK = 500  # images an evaluation passes through the network at a time: its buffers stay in the cache


@dataclass(frozen=True)
class Metrics:
    """Each member's cost = loss + lam sum W², mean loss, share of right answers: (K,) float64."""

    cost: Float
    loss: Float
    accuracy: Float


@dataclass(frozen=True)
class Record:
    """One evaluation, after `step` updates; eta (K,) is the rate of the next one.

    validation: None without validation images. test: None unless the test images are looked at on the way.
    """

    step: int
    epoch: float
    eta: Float
    train: Metrics
    validation: Metrics | None
    test: Metrics | None = None


class Stopped(Exception):
    """Raised within an evaluation, when `stop` returns true."""


@dataclass
class Training:
    """A training: all that it needs, and its state, see `state`.

    loss: see `nn.losses`. lam: (K,). mean, std: (3072,) pixel statistics in 0-255 units. order_seed: seed of
    the order of the mini-batches, which all members share, and of `augmentation`. keep_last_batch: see
    `Batching`. evaluate_every: steps; None is an epoch. evaluate_images: number of training images for the
    records on the way; the last record always takes all. test: images for the records, too, or None. average:
    evaluated in place of the network. best: for `keep: best` and `patience`. snapshot_every: steps, after
    which there is a record, too. room: see `standardiser`; no number depends on it. name: in messages.
    stop: called after each step and within evaluations. diverged: (K,) the step at which a member's loss was
    first not finite, or -1.

    States, by `step` and `last_recorded_step` (-1: none yet):

    - a record is due, at steps 0, `steps` and as the intervals say, if last_recorded_step < step;
      `records` makes it first, so one that `stop` cut short is made when the training goes on
    - under way: otherwise; `records` makes the next step
    - over: the record of the last step, of the divergence of all members or of the end of patience is made;
      `records` yields none

    It stops in any state when `stop` returns true, and goes on from there when `records` is called again.
    """

    network: Network
    optimiser: Optimiser
    loss: Loss
    schedule: Schedule
    lam: Float
    train: Images
    validation: Images
    mean: Float
    std: Float
    steps: int
    batch_size: int = 100
    order_seed: int = 1
    keep_last_batch: bool = False
    augmentation: Augmentation | None = None
    evaluate_every: int | None = None
    evaluate_images: int | None = None
    test: Images | None = None
    average: MovingAverage | None = None
    best: Best | None = None
    snapshot_every: int | None = None
    room: Room | None = None
    name: str = ""
    stop: Callable[[], bool] = lambda: False
    step: int = 0
    last_recorded_step: int = -1
    diverged: NDArray[np.int64] = field(init=False)
    batch_loss: BatchLoss = field(init=False)

    def __post_init__(self) -> None:
        self.diverged = np.full(self.network.members, -1)
        self.lam = np.asarray(self.lam, self.network.dtype)
        self.batch_loss = BatchLoss(self.steps, self.network.members)

    @property
    def steps_per_epoch(self) -> int:
        """Mini-batches in the training set, see `count_batches`."""
        return count_batches(len(self.train.labels), self.batch_size, self.keep_last_batch)

    def eta(self) -> Float:
        """The rate of the coming step, (K,) in the network's dtype."""
        eta = np.empty_like(self.lam)
        eta[:] = self.schedule(self.step)
        return eta

    def records(self) -> Iterator[Record]:
        """Train to `steps`, yielding a record before the first step, where one is due, and at the end.

        Ends early if `stop` returns true, after a step or within an evaluation, if every member has diverged,
        and if patience has run out. `over` tells whether the last record was reached.
        """
        with suppress(Stopped):
            if self.is_due() and self.last_recorded_step != self.step:
                yield self.evaluate_now()
            if self.over:
                return
            for batch in self._batches():
                if self._advance(*batch):
                    yield self.evaluate_now()
                    return
                if self.is_due():
                    yield self.evaluate_now()
                if self.stop() or self.over:
                    return

    def run_until(self, done: Callable[[], bool]) -> None:
        """Train without records, to the same bits, until `done()`, asked before each step, or to the end."""
        batches = self._batches()
        while not done():
            batch = next(batches, None)
            if batch is None or self._advance(*batch):
                return

    def _advance(self, x: Float, labels: Labels) -> bool:
        """Make a step; return True if it shows that all members have diverged, and then do not count it."""
        loss = self.update(x, labels)
        if self.average:
            self.average.update(self.network, self.step + 1)
        if self._note_divergence(loss):
            return True
        self.batch_loss.add(self.step, loss)
        self.step += 1
        if self.step % self.steps_per_epoch == 0 or self.is_due():
            self.network.fold()  # at fixed steps, so that evaluations and resumes change no bit
        return False

    @property
    def over(self) -> bool:
        """Return whether the last record was made."""
        return self.last_recorded_step == self.step and self._has_ended

    @property
    def _has_ended(self) -> bool:
        is_waiting = self.best is None or self.best.is_waiting
        return self.step == self.steps or self.all_diverged or not is_waiting

    @property
    def all_diverged(self) -> bool:
        """Return whether no member has a finite loss any more."""
        return bool(np.all(self.diverged >= 0))

    def is_due(self) -> bool:
        """Return whether there is a record of this step."""
        if self.step in (0, self.steps) or self.step % (self.evaluate_every or self.steps_per_epoch) == 0:
            return True
        return self.snapshot_every is not None and self.step % self.snapshot_every == 0

    @property
    def evaluated(self) -> Network:
        """The network of the records: the moving average, where there is one."""
        return self.average.network if self.average else self.network

    @property
    def kept(self) -> tuple[Network, int]:
        """The network to keep, and the step that it is of: the best, or the last one evaluated."""
        if self.best and self.best.network and self.best.step >= 0:
            return self.best.network, int(self.best.step)
        return self.evaluated, self.step

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that decide how the training goes on, and its counts.

        There are no generators in it: the order of an epoch follows from `order_seed` and the epoch.
        """
        counts = {"step": np.array(self.step), "recorded": np.array(self.last_recorded_step)}
        arrays = {**self._arrays(), **counts, "diverged": self.diverged}
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state` of the same config. Raises ValueError if it is of another one.

        States of version 0.1 have no batch_loss: those windows are unknown then.
        """
        arrays = {**self._arrays(), "diverged": self.diverged}
        state = {"batch_loss": np.full_like(self.batch_loss.sums, np.nan), **state}
        unlike = [n for n, a in arrays.items() if n not in state or state[n].shape != a.shape]
        if unlike or len(state) != len(arrays) + 2:
            raise ValueError(f"a training's state does not fit: {', '.join(unlike) or 'it has more arrays'}")
        for name, array in arrays.items():
            array[...] = state[name]
        self.step, self.last_recorded_step = int(state["step"]), int(state["recorded"])
        self.network.resume(self.step)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        more = [each.stored() for each in (self.average, self.best) if each]
        arrays = {**self.network.stored(), **self.optimiser.stored(), "batch_loss": self.batch_loss.sums}
        return {name: array for each in (arrays, *more) for name, array in each.items()}

    def _note_divergence(self, loss: Float) -> bool:
        """Note the members whose loss is not finite; return whether those are all by now."""
        is_finite = np.isfinite(loss)
        if is_finite.all():
            return False
        self.diverged[(self.diverged < 0) & ~is_finite] = self.step
        return self.all_diverged

    @np.errstate(all="ignore")  # a diverging member overflows; its loss tells
    def update(self, x: Float, labels: Labels) -> Float:
        """Make one step on a standardised mini-batch x (B, 3072); return each member's loss before it, (K,).

        The optimiser says which factor the gradient of the loss gets: all below is linear in that.
        """
        eta = self.eta()
        loss, dlogits = self.loss(self.network.forward(x), labels, self.optimiser.loss_scale(eta))
        self.network.backward(dlogits)
        self.optimiser.step(eta, self.lam)
        return loss

    def evaluate_now(self) -> Record:
        """Make the record of this step. Raises Stopped."""
        validation = self.evaluate(self.validation) if len(self.validation) else None
        test = self.evaluate(self.test) if self.test else None
        accuracy = float(validation.accuracy[0]) if validation else np.nan
        is_last = self._has_ended or bool(self.best and self.best.would_end_with(accuracy))
        n = None if is_last else self.evaluate_images
        train = self.evaluate(Images(self.train.pixels[:n], self.train.labels[:n]))
        if self.best:  # not before all is evaluated, as `stop` may cut it short
            self.best.note(accuracy, self.step, self.evaluated)
        if is_last:
            self._note_divergence(train.loss)
        self.last_recorded_step = self.step
        return Record(self.step, self.step / self.steps_per_epoch, self.eta(), train, validation, test)

    @np.errstate(all="ignore")
    def evaluate(
        self, images: Images, network: Network | None = None, outputs: list[Float] | None = None
    ) -> Metrics:
        """Return cost, loss and accuracy of every member, by the running averages. Raises Stopped.

        network: in place of the one of the records, `evaluated`. outputs: gets the logits (b, K, 10).
        """
        network = network or self.evaluated
        total_loss, right = np.zeros(len(self.lam)), np.zeros(len(self.lam))
        one = np.ones_like(self.lam)
        for logits, labels in predictions(network, images, self.mean, self.std, self.room):
            if self.stop():
                raise Stopped
            loss, _ = self.loss(logits, labels, one)
            total_loss += loss.astype(np.float64) * len(labels)
            right += (logits.argmax(axis=2) == labels[:, None]).sum(axis=0)
            if outputs is not None:
                outputs.append(logits)
        loss = total_loss / len(images.labels)
        cost = loss + self.lam * network.squared_weights().astype(np.float64)
        measured = (cost, loss, right / len(images.labels))
        return Metrics(*(np.where(np.isfinite(cost), each, np.nan) for each in measured))

    def _batches(self) -> Iterator[tuple[Float, Labels]]:
        rules = Batching(self.batch_size, self.order_seed, self.keep_last_batch, self.augmentation)
        steps = range(self.step, self.steps)
        return mini_batches(self.train, self.mean, self.std, self.network.dtype, rules, steps, self.room)


def predictions(
    network: Network, images: Images, mean: Float, std: Float, room: Room | None = None
) -> Iterator[tuple[Float, Labels]]:
    """Yield logits (b, K, 10) and labels (b,), chunk by chunk, by the running averages.

    mean, std, room: see `standardiser`.
    """
    x = np.empty((CHUNK, images.pixels.shape[1]), network.dtype)
    fill = standardiser(mean, std, network.dtype, room)
    for start in range(0, len(images), CHUNK):
        rows = range(start, min(start + CHUNK, len(images)))
        part = fill(images.pixels, rows, x[: len(rows)])
        yield network.forward(part, training=False), images.labels[rows.start : rows.stop]
