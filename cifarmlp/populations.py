"""Which trials train in lockstep, and what that will take: populations, their time and their memory."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.assembly import population, steps_per_epoch, total_steps
from cifarmlp.config import Config, Init
from cifarmlp.data import Images, Split
from cifarmlp.memory import PROCESS_BYTES, member_bytes

MOST_MEMBERS = 16  # more bring no more trial-steps per second: benchmarks/populations.py
MOST_WIDTH = 1600  # of all members' first layers together: the weights must stay in the processor's cache
SHARE_OF_MEMORY = 0.6  # of what is free, for all processes together
PER_MEMBER = ("lam", "init", "eta", "eta_min", "eta_max")


@dataclass(frozen=True)
class Member:
    """One training of a search: the config of trial `trial`, with one of its seeds."""

    trial: int
    config: Config


@dataclass(frozen=True)
class Estimate:
    """What a search will take: seconds in all, bytes in one process."""

    seconds: float
    bytes: float


def arrange(members: Sequence[Member], cores: int, memory: float) -> list[list[Member]]:
    """The populations: members that may train in lockstep, as many at a time as pay, on all cores.

    May: equal but for lambda, init and the rates of the schedule. `cores` processes share `memory` bytes.
    """
    alike: dict[Config, list[Member]] = {}
    for member in members:
        alike.setdefault(_shared(member.config), []).append(member)
    parts = [_parts(group, cores if len(alike) < cores else 1, cores, memory) for group in alike.values()]
    return [part for group in parts for part in group]


def _shared(config: Config) -> Config:
    """The config without what members of a population may differ in."""
    schedule, training, network = config.training.schedule, config.training, config.network
    rates = {name: 0.0 for name in PER_MEMBER if hasattr(schedule, name)}
    return config.model_copy(
        update={
            "name": "",
            "search": None,
            "network": network.model_copy(update={"init": Init()}),
            "training": training.model_copy(
                update={"lam": 0.0, "schedule": schedule.model_copy(update=rates)}
            ),
        }
    )


def _parts(group: list[Member], spread: int, cores: int, memory: float) -> list[list[Member]]:
    count = math.ceil(len(group) / _most(group[0].config, memory * SHARE_OF_MEMORY / cores))
    count = min(len(group), math.ceil(count / spread) * spread)  # every core has the same number
    ends = [len(group) * i // count for i in range(count + 1)]
    return [group[start:end] for start, end in itertools.pairwise(ends)]


def _most(config: Config, memory: float) -> int:
    first = config.network.hidden[0] if config.network.hidden else 10
    fitting = int((memory - PROCESS_BYTES) / member_bytes(config))
    return max(1, min(MOST_MEMBERS, MOST_WIDTH // first, fitting))


def estimate(populations: Sequence[Sequence[Member]], jobs: int) -> Estimate:
    """Time and memory, from a few steps of the first population on made-up images, in one thread."""
    if not populations:
        return Estimate(0.0, 0.0)
    first = populations[0]
    seconds = _seconds_per_step(first) / (len(first) * _work(first[0].config))
    totals = [seconds * len(p) * _work(p[0].config) * _length(p[0].config) for p in populations]
    rounds = max(sum(totals) / jobs, max(totals))
    largest = max(PROCESS_BYTES + len(p) * member_bytes(p[0].config) for p in populations)
    return Estimate(rounds, largest)


def work_of(config: Config) -> float:
    """Operations in the matrix products of a whole training."""
    return _work(config) * _length(config)


def _work(config: Config) -> float:
    """Operations in the matrix products of a step."""
    first, *others = (i * o for i, o in itertools.pairwise([3072, *config.network.hidden, 10]))
    return 2.0 * config.training.batch_size * (2 * first + 3 * sum(others))


def _length(config: Config) -> float:
    """Steps; the evaluation of the training images takes as long as a third as many steps as an epoch has."""
    return steps_of(config) + steps_per_epoch(config, _split_like(config)) / 3


def steps_of(config: Config) -> int:
    """How many steps a training has."""
    return total_steps(config, _split_like(config))


def _split_like(config: Config) -> Split:
    return Split(*(_images(config.data.training_images, columns=1),) * 3)


def _seconds_per_step(members: Sequence[Member], seconds: float = 0.5) -> float:
    images = _images(max(2000, members[0].config.training.batch_size))
    training = population([member.config for member in members], Split(images, images, images))
    training = replace(training, step=1, steps=10**9, evaluate_every=10**9)
    taken = [time.perf_counter()]

    def stop() -> bool:
        taken.append(time.perf_counter())
        return len(taken) > 3 and taken[-1] - taken[0] > seconds

    training.stop = stop
    with threadpool_limits(1, user_api="blas"):
        for _ in training.records():
            pass
    taken.append(time.perf_counter())  # else there may be none, where all diverge at once
    return float(np.median(np.diff(taken)))


def _images(count: int, columns: int = 3072) -> Images:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, columns), dtype=np.uint8)
    return Images(pixels, rng.integers(0, 10, count, dtype=np.uint8))
