"""Train the populations of a search, here, in processes or on a cluster, and keep each result at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import files
from cifarmlp.data import load
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.search.folder import NOWHERE, Search, Stage, claim_search, write_plan, write_results
from cifarmlp.search.plan import choose_centres, populations_to_train
from cifarmlp.search.populations import Member, configs_of
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.summary import write_summary
from cifarmlp.training.cost import estimate
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.together import train_together


@dataclass
class StageProgress:
    """Progress of a stage: the populations that it began with, and the results since then.

    seconds: of each training that has ended. trained: their number, with those that failed.
    """

    search: Search
    stage: Stage
    populations: list[list[Member]]
    jobs: int
    seconds: list[float] = field(default_factory=list)
    trained: int = 0
    started: float = field(default_factory=time.monotonic)

    def count(self, results: Sequence[Result]) -> None:
        """Count the results of a population."""
        self.trained += len(results)
        self.seconds += [result.seconds for result in results if result.seconds > 0]

    @property
    def running(self) -> int:
        """Number of trainings in the workers now, which begin the populations in order."""
        sizes = [len(population) for population in self.populations]
        ended = next(n for n, total in enumerate([0, *accumulate(sizes)]) if total >= self.trained)
        return sum(sizes[: ended + self.jobs]) - self.trained

    @property
    def left(self) -> float:
        """Seconds left, at least 0: by the mean of the trainings so far, or an estimate before the first."""
        trainings = sum(len(population) for population in self.populations)
        whole = float(np.mean(self.seconds)) * trainings / self.jobs if self.seconds else self._estimate
        return max(0.0, whole - (time.monotonic() - self.started))

    @cached_property
    def _estimate(self) -> float:
        return estimate(configs_of(self.populations), self.jobs).seconds


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
    watch: Watch = lambda progress, trials: None,
) -> dict[str, Any]:
    """Train what is left of a search; return the content of top.json.

    A search without a folder gets one in `out`. jobs: processes side by side. watch: called about once a
    second with the progress of the stage and the trials that have just ended.
    Raises DataError before anything is written; RunFolderError if another process is at work in the folder or
    it cannot be written.
    """
    dataset = load(search.config.data.source, data_dir, download=True)
    if search.folder == NOWHERE:
        claim_search(search, out, dataset)
    with files.lock(search.folder):
        for stage in search.plan.stages:
            if stop() or (stage == "fine" and not choose_centres(search)):
                break
            write_results(search)
            write_plan(search, "running")
            progress = StageProgress(search, stage, populations_to_train(search, stage), jobs)
            _train(progress, data_dir, cluster, stop, watch)
        write_plan(search, "interrupted" if stop() else "finished")
        return write_summary(search, top)


def train_population(population: Sequence[Member], data_dir: Path | None) -> list[Outcome]:
    """Train a population in a worker; return an outcome for each member, or none if it was interrupted."""
    configs = [member.config for member in population]
    dataset = load(configs[0].data.source, data_dir, download=True)
    stop = watch_signals()
    return train_together(configs, dataset, lambda: bool(stop()))


def _train(
    progress: StageProgress, data_dir: Path | None, cluster: Any, stop: Callable[[], int], watch: Watch
) -> None:
    """Train the populations of a stage, keeping the results of each as it ends."""
    search, train = progress.search, partial(train_population, data_dir=data_dir)

    def tick() -> None:
        watch(progress, [])

    tick()
    for population, outcomes in map_unordered(
        train, progress.populations, progress.jobs, cluster=cluster, stop=stop, tick=tick
    ):
        results = _results(population, outcomes)
        search.results |= {(result.trial, result.seed): result for result in results}
        write_results(search)
        progress.count(results)
        numbers = {result.trial for result in results}
        watch(progress, [trial for trial in search.trials() if trial.trial in numbers])


def _results(population: Sequence[Member], outcomes: Sequence[Outcome] | Lost) -> list[Result]:
    """Return the results of a population's members: none if it was interrupted, failures if it was lost."""
    if isinstance(outcomes, Lost):
        return [Result(m.trial, m.config.seed, "failed", reason=outcomes.reason) for m in population]
    return [
        Result(
            member.trial,
            outcome.seed,
            outcome.status,
            outcome.metric("train", "accuracy"),
            outcome.metric("validation", "accuracy"),
            outcome.metric("validation", "loss"),
            outcome.seconds,
        )
        for member, outcome in zip(population, outcomes, strict=False)
    ]
