"""Trainings given to workers: to processes of this machine, or to those of a Dask cluster.

    SeedTask -> process -> its folder
    SeedTask, its folder's files -> worker, a folder there -> Outcome, files -> its folder here

A cluster's workers share no disk with us: each trains in a folder on its own, which then comes back.
"""

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.data import load
from cifarmlp.errors import show_warnings_as_lines
from cifarmlp.parallel import Lost, map_unordered, worker_folder
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.text import escape
from cifarmlp.training import environment
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.parts import Parts, read_parts, write_parts
from cifarmlp.training.provenance import refuse_other_images
from cifarmlp.training.rooms import give_rooms
from cifarmlp.training.run import train_into


@dataclass(frozen=True)
class SeedTask:
    """One training, as it is sent to a worker.

    data_dir: where the images are looked for. images: their checksum; "" for any. room: see `room_of`.
    """

    config: Config
    folder: Path
    data_dir: Path | None
    threads: int | None
    strict: bool
    tensorboard: bool = False
    images: str = ""
    room: str | None = None


def train_seed(task: SeedTask) -> Outcome:
    """Train one seed in a worker. Raises DataError if it has no images, or others than those of the task."""
    show_warnings_as_lines()
    dataset = load(task.config.data.source, task.data_dir, download=True)
    if task.images:
        refuse_other_images(dataset, task.images)
    stop, folder = watch_signals(), files.make_folder(task.folder)
    return train_into(
        folder, task.config, dataset, task.threads, stop=lambda: bool(stop()), strict=task.strict,
        tensorboard=task.tensorboard, room=task.room,
    )  # fmt: skip


@dataclass(frozen=True)
class Errand:
    """A training on a cluster: with the files that its folder has so far, and the command it is a part of."""

    task: SeedTask
    parts: Parts
    command: list[str]


def map_trainings(
    train: Callable[[SeedTask], Outcome],
    tasks: Sequence[SeedTask],
    jobs: int,
    *,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
) -> Iterator[tuple[SeedTask, Outcome | Lost]]:
    """Yield each task with what `train` makes of it, see `map_unordered`.

    train: writes into the folder of the task, which should be locked, or one above it. On a cluster the
    folder goes to the worker and comes back; of an interrupted training, too, which can go on from there.
    Raises RunFolderError where that cannot be read or written.
    """
    if cluster is None:
        with give_rooms([task.config for task in tasks], jobs) as rooms:
            settled = [replace(task, room=room) for task, room in zip(tasks, rooms, strict=True)]
            given = {task.folder: task for task in tasks}
            for task, outcome in map_unordered(train, settled, jobs, stop=stop):
                yield given[task.folder], outcome
        return
    errands = [_errand(task) for task in tasks]
    for errand, answer in map_unordered(partial(run_errand, train), errands, cluster=cluster, stop=stop):
        if isinstance(answer, Lost):
            yield errand.task, answer
        else:
            write_parts(errand.task.folder, answer[1])
            yield errand.task, answer[0]


def _errand(task: SeedTask) -> Errand:
    """Return what a worker needs for a task: one BLAS thread, if not told, as it is one of several there."""
    place = task.data_dir and task.data_dir.absolute()  # the worker is elsewhere
    alone = replace(task, data_dir=place, threads=task.threads or 1)
    return Errand(alone, read_parts(task.folder), [escape(word) for word in sys.argv])


def run_errand(train: Callable[[SeedTask], Outcome], errand: Errand) -> tuple[Outcome, Parts]:
    """Train in a worker of a cluster; return the outcome and the files of the run folder."""
    with files.disk_errors(worker_folder()):
        temporary = TemporaryDirectory(dir=worker_folder())
    with temporary as place:
        folder = Path(place) / errand.task.folder.name
        write_parts(folder, errand.parts)
        outcome = train(replace(errand.task, folder=folder))
        _note_machine(folder, errand.command)
        return outcome, read_parts(folder)


def _note_machine(folder: Path, command: list[str]) -> None:
    """Write to environment.json the name of this machine, and the command in place of the worker's own."""
    there = environment.read_environment(folder)
    if there:
        known = {"command": command, "host": socket.gethostname()}
        environment.write_environment(folder, there.model_copy(update=known))
