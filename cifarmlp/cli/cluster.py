"""The option --dask, and what a command says when its cluster is lost."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from cifarmlp.errors import ClusterError

DASK = click.option("--dask", metavar="ADDRESS", help="Train on a Dask cluster, such as tcp://host:8786.")


def connect(address: str | None, jobs: int) -> tuple[Any, int]:
    """Return the cluster at an address, and how many trainings it does at a time; without one None, and jobs.

    Raises ConfigError if there is no cluster, or it would give other results.
    """
    from cifarmlp import parallel

    if address is None:
        return None, jobs
    cluster = parallel.connect(address)
    return cluster, parallel.size(cluster)


def count_at_full_speed(cluster: Any, jobs: int) -> int:
    """Return how many of the jobs gain time: all workers of a cluster; on this machine, one a core."""
    from cifarmlp import parallel

    return jobs if cluster else min(jobs, parallel.cores())


@contextmanager
def name_what_goes_on(*commands: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Add to the error about a lost cluster the commands that go on, which may be known only then."""
    try:
        yield
    except ClusterError as error:
        again = " && ".join(shlex.join(command()) for command in commands)
        raise ClusterError(f"{error}; to go on: {again}") from error
