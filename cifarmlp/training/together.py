"""A population of trainings in lockstep, to compare their configs."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cifarmlp.config import Config, HalvingConfig
from cifarmlp.data import Dataset, Split
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.cost import check_memory
from cifarmlp.training.loop import CHUNK, Metrics, Stopped, Training
from cifarmlp.training.members import take_members
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.rows import of_member, outcome_of, row_of
from cifarmlp.training.threads import BlasThreads


@np.errstate(all="ignore")
def train_together(
    configs: Sequence[Config],
    dataset: Dataset,
    stop: Callable[[], bool] = lambda: False,
    halving: HalvingConfig | None = None,
) -> list[Outcome]:
    """Train a population in one BLAS thread. Return an outcome a config, or none if `stop` ended it.

    For comparing configs: evaluated at step 0 and at the end only, and not on the test images; no snapshots
    are kept. An outcome's seconds are its share of the population's. halving: members that fall behind leave
    at the ends of cycles, see `share_that_stays`; their outcomes say so in `stopped`, and have only what was
    measured on the validation images then. Raises ValueError if the configs go by the best evaluation, as
    there is only one.
    """
    check_memory(configs[0], len(configs))
    images = split_images(configs[0], dataset)
    training = build_training(configs, images)
    _prepare(training, stop)
    BlasThreads(1, training.network.sizes, training.batch_size, CHUNK)
    cuts = [number * (configs[0].training.cycle or 0) for number in halving.at] if halving else []
    try:
        return _train(training, configs, images, cuts, halving.keep if halving else 1.0)
    except Stopped:
        return []


def _prepare(training: Training, stop: Callable[[], bool]) -> None:
    training.evaluate_every, training.evaluate_images = max(1, training.steps), CHUNK
    training.test = training.snapshot_every = None
    training.stop = stop


def _train(
    training: Training, configs: Sequence[Config], images: Split, cuts: Sequence[int], keep: float
) -> list[Outcome]:
    """Train to the end, members leaving at the steps `cuts`; return their outcomes. Raises Stopped."""
    start = time.perf_counter()
    if not cuts:
        records = list(training.records())
        if not training.over:
            raise Stopped
        rows = [row_of(records[-1], member) for member in range(len(configs))]
        seconds = (time.perf_counter() - start) / len(configs)
        return [outcome_of(config, training, rows[k], seconds, k) for k, config in enumerate(configs)]
    training.run_until(lambda: training.step >= cuts[0] or training.stop())
    measured = training.evaluate(training.validation)
    seconds = (time.perf_counter() - start) / len(configs)
    outcomes = [_outcome_behind(config, training, measured, seconds, k) for k, config in enumerate(configs)]
    stay = share_that_stays(measured, keep)
    members = [configs[k] for k in stay]
    smaller = close_up(training, members, images, stay)
    for k, outcome in zip(stay, _train(smaller, members, images, cuts[1:], keep), strict=True):
        outcome.seconds += seconds
        outcomes[k] = outcome
    return outcomes


def share_that_stays(measured: Metrics, keep: float) -> NDArray[np.intp]:
    """Return the numbers of the best members, in order: at most the share `keep` of them, but at least one.

    By accuracy, then the lower loss, then the lower number; diverged members last. One rung of successive
    halving (Jamieson and Talwalkar 2016, 'Non-stochastic best arm identification').

    >>> loss, accuracy = np.array([1.3, 1.2, 1.1, np.nan]), np.array([0.5, 0.5, 0.4, np.nan])
    >>> share_that_stays(Metrics(loss, loss, accuracy), 0.5)
    array([0, 1])
    """
    order = np.lexsort((measured.loss, -measured.accuracy))  # nan comes last
    return np.sort(order[: max(1, int(keep * len(order)))])


def close_up(
    training: Training, configs: Sequence[Config], images: Split, stay: NDArray[np.intp]
) -> Training:
    """Return a training that goes on with only the members `stay`, of these configs, equal up to rounding."""
    smaller = build_training(configs, images)
    _prepare(smaller, training.stop)
    smaller.order_seed = training.order_seed
    shapes = {name: array.shape for name, array in smaller.state().items()}
    state = {name: take_members(array, shapes[name], stay) for name, array in training.state().items()}
    smaller.restore(state)
    return smaller


def _outcome_behind(
    config: Config, training: Training, measured: Metrics, seconds: float, member: int
) -> Outcome:
    """Return the outcome of a member that leaves now."""
    diverged = int(training.diverged[member])
    return Outcome(
        "finished" if diverged < 0 else "diverged",
        training.step,
        training.step / training.steps_per_epoch,
        seconds,
        {"validation": of_member(measured, member)},
        config.seed,
        diverged_at=None if diverged < 0 else diverged,
        stopped=f"behind others at step {training.step}" if diverged < 0 else "",
    )
