"""Populations: trials that train in lockstep, sharing their mini-batches."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from cifarmlp.config import Config
from cifarmlp.training.cost import member_bytes, process_bytes

MOST_MEMBERS = 16  # more bring no more trial-steps per second: benchmarks/populations.py
MOST_WIDTH = 1600  # of all members' first layers together: the weights must stay in the processor's cache
SHARE_OF_MEMORY = 0.6  # of what is free, for all processes together


@dataclass(frozen=True)
class Member:
    """One training of a search: a trial's number, and its config with one of its seeds."""

    trial: int
    config: Config


def configs_of(populations: Sequence[Sequence[Member]]) -> list[list[Config]]:
    """Return the configs of the members of each population."""
    return [[member.config for member in population] for population in populations]


def group_into_populations(members: Sequence[Member], cores: int, memory: float) -> list[list[Member]]:
    """Group members into populations, as large as is fast, in equal numbers for each core.

    Members may share one if they differ only in lambda, the initialisation and the rates of the schedule.
    memory: free bytes, which `cores` processes share.
    """
    alike: dict[Config, list[Member]] = {}
    for member in members:
        alike.setdefault(_shared(member.config), []).append(member)
    parts = [_parts(group, cores if len(alike) < cores else 1, cores, memory) for group in alike.values()]
    return [part for group in parts for part in group]


def _shared(config: Config) -> Config:
    """Return the config without what members of a population may differ in."""
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


def _parts(group: list[Member], spread: int, cores: int, memory: float) -> list[list[Member]]:
    """Cut a group into equal parts, their number a multiple of `spread`."""
    count = math.ceil(len(group) / _most(group[0].config, memory * SHARE_OF_MEMORY / cores))
    count = min(len(group), math.ceil(count / spread) * spread)
    ends = [len(group) * i // count for i in range(count + 1)]
    return [group[start:end] for start, end in itertools.pairwise(ends)]


def _most(config: Config, memory: float) -> int:
    """Return the largest number of members for a process with so many bytes."""
    first = config.network.hidden[0] if config.network.hidden else 10
    fitting = int((memory - process_bytes(config)) / member_bytes(config))
    return max(1, min(MOST_MEMBERS, MOST_WIDTH // first, fitting))
