"""Trainings in lockstep: several in one process, on the same mini-batches, to the bits of each alone.

    trainings of a network each -> a population of all -> steps -> back to each -> its own record

A step of four takes about three quarters of the time of four steps: NumPy's calls and the images of a
mini-batch are shared, the products are not (see `Linear`).
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Split
from cifarmlp.training.build import build_training
from cifarmlp.training.cost import member_bytes, operations_per_step, process_bytes
from cifarmlp.training.loop import Record, Stopped, Training
from cifarmlp.training.members import join_members, take_members

Item = TypeVar("Item")
MOST = 4  # trainings together; eight were 0 to 5 % faster than four
SMALL = 6e8  # operations in the products of a step, above which these take all of its time
NARROW = 4  # units of a layer, below which NumPy and BLAS sum a member's numbers in other ways than alone
COPIES = 2  # of a member: the population's and its own


def records_in_lockstep(
    trainings: Sequence[Training], configs: Sequence[Config]
) -> Iterator[tuple[int, Record]]:
    """Train to the end, yielding the records of each training with its number, as its `records` would.

    trainings: of one network each, of these configs, at the same step. Those that have diverged or run out of
    patience leave, and the others go on. Where this processor's products would give them other bits together,
    they train one after the other.
    """
    if len(trainings) == 1:
        yield from ((0, record) for record in trainings[0].records())
        return
    with suppress(Stopped):
        population, members, diverged = None, list[int](), set[int]()
        while True:
            for k, training in enumerate(trainings):
                if k in diverged or (training.is_due() and training.last_recorded_step != training.step):
                    yield k, training.evaluate_now()
            left = [k for k, training in enumerate(trainings) if not training.over]
            if not left or trainings[0].stop():
                return
            at_work = [trainings[k] for k in left]
            if population is None or left != members:
                members = left
                population = _population(at_work, [configs[k] for k in left])
                if not _keeps_bits(population, at_work):
                    yield from ((k, record) for k in left for record in trainings[k].records())
                    return
            _advance(population)
            _hand_back(population, at_work)
            diverged = {k for k in left if trainings[k].all_diverged}


def _population(trainings: Sequence[Training], configs: Sequence[Config]) -> Training:
    """Return one training of all these networks, which goes on where they are."""
    first = trainings[0]
    images = Split(first.train, first.validation, first.validation)
    population = build_training(
        [without_extras(config) for config in configs],
        images,
        statistics=(first.mean, first.std),
        apart=True,
    )
    population.room, population.stop = first.room, first.stop
    states = [training.state() for training in trainings]
    population.restore(
        {
            name: join_members([state[name] for state in states], array.shape)
            for name, array in population.state().items()
        }
    )
    return population


def _keeps_bits(population: Training, trainings: Sequence[Training]) -> bool:
    """Return whether a step of all has the bits of a step of each alone; tried on each size of a batch."""
    first = trainings[0]
    rest = len(first.train) % first.batch_size * first.keep_last_batch
    together, alone = population.state(), [training.state() for training in trainings]
    try:
        return all(_are_alike(population, trainings, rows) for rows in {first.batch_size, rest} - {0})
    finally:
        for training, state in zip([population, *trainings], [together, *alone], strict=True):
            training.restore(state)


def _are_alike(population: Training, trainings: Sequence[Training], rows: int) -> bool:
    """Make a step on so many images; return whether the members' arrays are then those of the trainings."""
    x = np.random.default_rng(rows).standard_normal((rows, population.network.sizes[0]), np.float32)
    labels = population.train.labels[:rows]
    state, *others = [
        {"loss": training.update(x, labels), **training.state()} for training in (population, *trainings)
    ]
    return all(
        np.array_equal(take_members(array, other[name].shape, [k]), other[name], equal_nan=True)
        for name, array in state.items()
        if name not in ("step", "recorded", "diverged")
        for k, other in enumerate(others)
    )


def without_extras(config: Config) -> Config:
    """Return a config without what each training does on its own, and without what was done to its images."""
    training = config.training.model_copy(update={"keep": "last", "patience": None, "evaluate_test": False})
    data = config.data.model_copy(update={"label_noise": 0.0})
    return config.model_copy(update={"training": training, "data": data})


def _advance(population: Training) -> None:
    """Train until a record is due, a member has diverged, or `stop` returns true."""
    start = population.step

    def has_news() -> bool:
        return population.is_due() or population.stop() or bool(np.any(population.diverged >= 0))

    population.run_until(lambda: population.step > start and has_news())


def _hand_back(population: Training, trainings: Sequence[Training]) -> None:
    """Bring the trainings to where their members are; one that has diverged, to the step at which it did."""
    state = population.state()
    for k, training in enumerate(trainings):
        own = training.state()
        shared = state.keys() - {"step", "recorded"}
        own |= {name: take_members(state[name], own[name].shape, [k]) for name in shared}
        diverged = int(population.diverged[k])
        own["step"] = np.array(population.step if diverged < 0 else diverged)
        training.restore(own)


def common_settings(config: Config) -> Config:
    """Return the config without what members of a population may differ in.

    That is: the name, lambda, the initialisation and the rates of the schedule.
    """
    schedule, training, network = config.training.schedule, config.training, config.network
    rates = dict.fromkeys(schedule.rates, 0.0)
    return config.model_copy(
        update={
            "name": "",
            "search": None,
            "network": network.model_copy(update={"init": None}),
            "training": training.model_copy(
                update={"lam": 0.0, "schedule": schedule.model_copy(update=rates)}
            ),
        }
    )


def most_together(config: Config, memory: float = math.inf) -> int:
    """Return the number of trainings worth having in lockstep in a process with so many bytes; at least 1."""
    sizes = config.network.sizes
    if min(sizes) < NARROW or operations_per_step(sizes, config.training.batch_size) > SMALL:
        return 1
    fitting = (memory - process_bytes(config)) / (COPIES * member_bytes(config))
    return max(1, int(min(MOST, fitting)))


def networks_of(trainings: int) -> int:
    """Return the number of networks that a process holds for so many trainings in lockstep."""
    return trainings if trainings == 1 else COPIES * trainings


def kind_of(config: Config) -> Config:
    """Return what is the same of configs that are worth training in lockstep."""
    return common_settings(config) if most_together(config) > 1 else config


def group_alike(
    items: Sequence[Item], config_of: Callable[[Item], Config], cores: int, most: Callable[[Config], int]
) -> list[list[Item]]:
    """Group items whose configs have common settings, in equal parts of at most `most` items.

    Where there are fewer kinds than cores, each is cut into a multiple of the cores.
    """
    alike: dict[Config, list[Item]] = {}
    for item in items:
        alike.setdefault(common_settings(config_of(item)), []).append(item)
    spread = cores if len(alike) < cores else 1
    parts = [_parts(group, most(config_of(group[0])), spread) for group in alike.values()]
    return [part for group in parts for part in group]


def _parts(group: list[Item], most: int, spread: int) -> list[list[Item]]:
    """Cut a group into equal parts, their number a multiple of `spread`."""
    count = min(len(group), math.ceil(math.ceil(len(group) / most) / spread) * spread)
    ends = [len(group) * i // count for i in range(count + 1)]
    return [group[start:end] for start, end in itertools.pairwise(ends)]
