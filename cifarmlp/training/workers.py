"""Trainings given to workers: to processes of this machine, or to those of a Dask cluster.

    SeedTasks in lockstep -> process -> their folders
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
from cifarmlp.data import Dataset, load
from cifarmlp.errors import show_warnings_as_lines
from cifarmlp.parallel import Lost, cores, map_unordered, worker_folder
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.text import escape
from cifarmlp.training import environment
from cifarmlp.training.cost import SHARE_OF_MEMORY, free_memory, work_of
from cifarmlp.training.lockstep import group_alike, most_together
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.parts import Parts, read_parts, write_parts
from cifarmlp.training.provenance import refuse_other_images
from cifarmlp.training.rooms import give_rooms
from cifarmlp.training.run import Watch, train_into


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


Tasks = Sequence[SeedTask]  # that differ in folder and config only, and there in what `group_tasks` allows
Train = Callable[[Tasks], list[Outcome]]


def train_in_worker(tasks: Tasks) -> list[Outcome]:
    """Train in lockstep in a worker. Raises DataError if it has no images, or others than those of a task."""
    show_warnings_as_lines()
    dataset = load(tasks[0].config.data.source, tasks[0].data_dir, download=True)
    for task in tasks:
        if task.images:
            refuse_other_images(dataset, task.images)
    return train_tasks(tasks, dataset, watch_signals())


def train_tasks(
    tasks: Tasks,
    dataset: Dataset,
    stop: Callable[[], int],
    watch: Watch = lambda training, record: None,
) -> list[Outcome]:
    """Train in lockstep, in this process; see `train_into`."""
    first, places = tasks[0], {files.make_folder(task.folder): task.config for task in tasks}
    return train_into(
        places, dataset, first.threads, watch, lambda: bool(stop()), first.strict, first.tensorboard,
        first.room,
    )  # fmt: skip


@dataclass(frozen=True)
class Errand:
    """A training on a cluster: with the files that its folder has so far, and the command it is a part of."""

    task: SeedTask
    parts: Parts
    command: list[str]


def group_tasks(tasks: Tasks, jobs: int) -> list[list[SeedTask]]:
    """Return the tasks that train in lockstep, `jobs` groups at a time; most work first.

    So the last to end are short ones. As far as possible their number is a multiple of the jobs, or cores.
    """
    jobs = min(jobs, cores())

    def work(group: list[SeedTask]) -> float:
        return len(group) * work_of(group[0].config)

    most = partial(most_together, memory=free_memory() * SHARE_OF_MEMORY / max(1, jobs))
    groups = group_alike(tasks, lambda task: task.config, jobs, most)
    while len(groups) % max(1, jobs) and (several := [group for group in groups if len(group) > 1]):
        large = max(several, key=work)
        groups[groups.index(large)] = large[: len(large) // 2]
        groups.append(large[len(large) // 2 :])
    return sorted(groups, key=work, reverse=True)


def map_trainings(
    train: Train,
    tasks: Tasks,
    jobs: int,
    *,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
) -> Iterator[tuple[SeedTask, Outcome | Lost]]:
    """Yield each task with what `train` makes of it, see `map_unordered`.

    train: writes into the folders of tasks, which should be locked, or one above it. Here it gets those that
    train in lockstep, see `group_tasks`. On a cluster it gets one, whose folder goes to the worker and comes
    back; of an interrupted training, too, which can go on from there. Raises RunFolderError where that cannot
    be read or written.
    """
    if cluster is None:
        with give_rooms([task.config for task in tasks], jobs) as rooms:
            settled = [replace(task, room=room) for task, room in zip(tasks, rooms, strict=True)]
            given = {task.folder: task for task in tasks}
            groups = group_tasks(settled, jobs)
            for group, answer in map_unordered(train, groups, min(jobs, len(groups)), stop=stop):
                outcomes = [answer] * len(group) if isinstance(answer, Lost) else answer
                yield from zip([given[task.folder] for task in group], outcomes, strict=True)
        return
    errands = [_errand(task) for task in tasks]
    for errand, reply in map_unordered(partial(run_errand, train), errands, cluster=cluster, stop=stop):
        if isinstance(reply, Lost):
            yield errand.task, reply
        else:
            write_parts(errand.task.folder, reply[1])
            yield errand.task, reply[0]


def _errand(task: SeedTask) -> Errand:
    """Return what a worker needs for a task: one BLAS thread, if not told, as it is one of several there."""
    place = task.data_dir and task.data_dir.absolute()  # the worker is elsewhere
    alone = replace(task, data_dir=place, threads=task.threads or 1)
    return Errand(alone, read_parts(task.folder), [escape(word) for word in sys.argv])


def run_errand(train: Train, errand: Errand) -> tuple[Outcome, Parts]:
    """Train in a worker of a cluster; return the outcome and the files of the run folder."""
    with files.disk_errors(worker_folder()):
        temporary = TemporaryDirectory(dir=worker_folder())
    with temporary as place:
        folder = Path(place) / errand.task.folder.name
        write_parts(folder, errand.parts)
        (outcome,) = train([replace(errand.task, folder=folder)])
        _note_machine(folder, errand.command)
        return outcome, read_parts(folder)


def _note_machine(folder: Path, command: list[str]) -> None:
    """Write to environment.json the name of this machine, and the command in place of the worker's own."""
    there = environment.read_environment(folder)
    if there:
        known = {"command": command, "host": socket.gethostname()}
        environment.write_environment(folder, there.model_copy(update=known))
