"""Populations: trials that train in lockstep, sharing their mini-batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cifarmlp.config import Config
from cifarmlp.training.cost import SHARE_OF_MEMORY, member_bytes, process_bytes
from cifarmlp.training.lockstep import group_alike

MOST_MEMBERS = 16  # more bring no more trial-steps per second: benchmarks/populations.py
MOST_WIDTH = 1600  # of all members' first layers together: the weights must stay in the processor's cache


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
    most = partial(_most, memory=memory * SHARE_OF_MEMORY / cores)
    return group_alike(members, lambda member: member.config, cores, most)


def _most(config: Config, memory: float) -> int:
    """Return the largest number of members for a process with so many bytes."""
    first = config.network.hidden[0] if config.network.hidden else 10
    fitting = int((memory - process_bytes(config)) / member_bytes(config))
    return max(1, min(MOST_MEMBERS, MOST_WIDTH // first, fitting))
