"""How far a search has come, and when it will be done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import files
from cifarmlp.data import load
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.search import ranking
from cifarmlp.search.folder import NOWHERE, Search, Stage, claim_search, write_plan, write_results
from cifarmlp.search.plan import (
    _begin_coarse,
    _begin_fine,
    populations_to_train,
)
from cifarmlp.search.populations import Member, configs_of
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.summary import write_summary
from cifarmlp.training.cost import estimate
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.run import train_together


@dataclass
class StageProgress:
    """How far a stage has come: the populations still to train at its beginning, and how long some took."""

    search: Search
    stage: Stage
    todo: list[list[Member]]
    jobs: int
    seconds: list[float] = field(default_factory=list)
    trained: int = 0
    started: float = field(default_factory=time.monotonic)

    def ended(self, results: Sequence[Result]) -> None:
        """A population has ended."""
        self.trained += len(results)
        self.seconds += [result.seconds for result in results if result.seconds > 0]

    @property
    def running(self) -> int:
        """Trainings in the workers now: populations are begun in their order."""
        sizes = [len(population) for population in self.todo]
        begun = self.jobs + next(
            n for n, total in enumerate([0, *accumulate(sizes)]) if total >= self.trained
        )
        return sum(sizes[:begun]) - self.trained

    @property
    def left(self) -> float:
        """Seconds that it will still take, at least 0: the others take as long as those that have ended."""
        trainings = sum(len(population) for population in self.todo)
        known = float(np.mean(self.seconds)) * trainings / self.jobs if self.seconds else self._estimated
        return max(0.0, known - (time.monotonic() - self.started))

    @cached_property
    def _estimated(self) -> float:
        return estimate(configs_of(self.todo), self.jobs).seconds


@dataclass(frozen=True)
class PopulationTask:
    """A population to train, as a worker gets it."""

    members: tuple[Member, ...]
    data_dir: Path | None


def train_population(task: PopulationTask) -> list[Outcome]:
    """A worker's whole job: one outcome a member, or none where it was interrupted."""
    configs = [member.config for member in task.members]
    dataset = load(configs[0].data.source, task.data_dir, download=True)
    stop = watch_signals()
    return train_together(configs, dataset, lambda: bool(stop()))


Watch = Callable[[StageProgress, list[Trial]], None]


def run_search(
    search: Search,
    out: Path,
    data_dir: Path | None,
    *,
    jobs: int,
    top: int = 3,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
    watch: Watch = lambda course, ended: None,
) -> dict[str, Any]:
    """Train what is to be trained; returns what top.json holds. `watch` sees what happens.

    A search without a folder gets one in `out`. Raises DataError before that; RunFolderError where another
    process is at work in the folder or it can't be written.
    """
    dataset = load(search.config.data.source, data_dir, download=True)
    if search.folder == NOWHERE:
        claim_search(search, out, dataset)
    with files.lock(search.folder):
        for stage in search.plan.stages:
            if not stop() and _begin(search, stage):
                _run_stage(search, stage, data_dir, jobs, cluster, stop, watch)
        write_plan(search, "interrupted" if stop() else "finished")
        return write_summary(search, top)


def _begin(search: Search, stage: Stage) -> bool:
    """Make ready for a stage; whether there is anything to search: not where all coarse trials diverged."""
    _begin_coarse(search)
    if stage == "fine":
        if not search.plan.centres and not ranking.rank(search.trials()):
            return False
        _begin_fine(search)
    write_results(search)
    write_plan(search, "running")
    return True


def _run_stage(
    search: Search,
    stage: Stage,
    data_dir: Path | None,
    jobs: int,
    cluster: Any,
    stop: Callable[[], int],
    watch: Watch,
) -> None:
    course = StageProgress(search, stage, populations_to_train(search, stage), jobs)
    watch(course, [])
    tasks = [PopulationTask(tuple(population), data_dir) for population in course.todo]
    ended = map_unordered(
        train_population, tasks, jobs, cluster=cluster, stop=stop, tick=lambda: watch(course, [])
    )
    for task, outcomes in ended:
        results = _failed(task, outcomes) if isinstance(outcomes, Lost) else _results(task, outcomes)
        search.results |= {(result.trial, result.seed): result for result in results}
        write_results(search)
        course.ended(results)
        numbers = {result.trial for result in results}
        watch(course, [trial for trial in search.trials() if trial.trial in numbers])


def _results(task: PopulationTask, outcomes: Sequence[Outcome]) -> list[Result]:
    return [
        Result(
            member.trial,
            outcome.seed,
            outcome.status,
            outcome.metrics["train"]["accuracy"],
            outcome.metrics["validation"]["accuracy"],
            outcome.metrics["validation"]["loss"],
            outcome.seconds,
        )
        for member, outcome in zip(task.members, outcomes, strict=False)  # none where it was interrupted
    ]


def _failed(task: PopulationTask, lost: Lost) -> list[Result]:
    return [Result(m.trial, m.config.seed, "failed", reason=lost.reason) for m in task.members]
