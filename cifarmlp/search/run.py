"""Train the populations of a search, here, in processes or on a cluster, and keep each result at once."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import files
from cifarmlp.data import Dataset, load
from cifarmlp.errors import CifarmlpWarning
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.search.folder import (
    NOWHERE,
    Search,
    Stage,
    begin_search,
    claim_search,
    is_begun,
    write_plan,
    write_results,
)
from cifarmlp.search.plan import Key, choose_centres, estimate_stage, populations_to_train, repeats
from cifarmlp.search.populations import Member
from cifarmlp.search.ranking import STOPPED, Result, Trial
from cifarmlp.search.summary import write_summary
from cifarmlp.search.worker import train_population
from cifarmlp.stats import doubt_of_few
from cifarmlp.training import environment
from cifarmlp.training.environment import fingerprint
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.provenance import refuse_other_folder


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
        return estimate_stage(self.search, self.stage, self.populations, self.jobs).seconds


Watch = Callable[[StageProgress, list[Trial]], None]


def run_search(
    search: Search,
    out: Path,
    data_dir: Path | None,
    *,
    jobs: int,
    top: int = 3,
    strict: bool = False,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
    watch: Watch = lambda progress, trials: None,
) -> dict[str, Any]:
    """Train what is left of a search; return the content of top.json.

    A search without a folder gets one in `out`. jobs: processes side by side. strict: go on only with the
    code and numerics that it was begun with. watch: called about once a second with the progress of the stage
    and the trials that have just ended.
    Raises DataError, for other images than before, too, before anything is written; RunFolderError if another
    process is at work in the folder or it cannot be written.
    """
    dataset = load(search.config.data.source, data_dir, download=True)
    _refuse_other_origin(search, dataset, strict)
    _warn(search)
    if search.folder == NOWHERE:
        claim_search(search, out, dataset)
    place = data_dir and data_dir.absolute()  # a worker of a cluster is elsewhere
    train = partial(train_population, data_dir=place, images=dataset.checksum)
    halving = {"coarse": search.section.coarse.halving, "fine": None}
    with files.lock(search.folder):
        if not is_begun(search.folder):
            begin_search(search, dataset)
        for stage in search.plan.stages:
            if stop() or (stage == "fine" and not choose_centres(search)):
                break
            write_plan(search, "running")  # with the centres, whatever becomes of what is around them
            again = _begin_stage(search, stage)
            progress = StageProgress(search, stage, populations_to_train(search, stage), jobs)
            _train(progress, partial(train, halving=halving[stage]), again, cluster, stop, watch)
        write_plan(search, "interrupted" if stop() else "finished")
        return write_summary(search, top)


def _begin_stage(search: Search, stage: Stage) -> dict[Key, Key]:
    """Tell which trainings of a stage have the config of an earlier one, copy its results; return them."""
    again = repeats(search, stage)
    if again:
        (trial, _), (other, _) = next(iter(again.items()))
        message = f"{len(again)} of the {stage} trainings repeat the config of an earlier one, as trial"
        message += f" {trial} that of trial {other}: they get its result and are not trained again"
        warnings.warn(message, CifarmlpWarning, stacklevel=3)
    _copy_repeats(search, again)
    write_results(search)
    return again


def _warn(search: Search) -> None:
    """Warn of what makes a ranking doubtful, of halving that does nothing, and of damaged rows."""
    doubts = [doubt_of_few("ranked", search.config.data.validation_images), _doubt_of_halving(search)]
    faults = [f"{fault}; that training is done again" for fault in search.faults[:3]]
    for message in [*filter(None, doubts), *faults]:
        warnings.warn(message, CifarmlpWarning, stacklevel=3)


def _doubt_of_halving(search: Search) -> str | None:
    """Return a warning where no training of a coarse stage can fall behind, or None."""
    if not search.section.coarse.halving or "coarse" not in search.plan.stages:
        return None
    populations = populations_to_train(search, "coarse")
    if not populations or max(map(len, populations)) > 1:
        return None
    words = "each is alone in its population, for want of trials or memory"
    return f"search.coarse.halving stops no training: {words}"


def _refuse_other_origin(search: Search, dataset: Dataset, strict: bool) -> None:
    """Raise DataError if a search, or the one that it refines, was begun with other images."""
    here = fingerprint(environment.describe(dataset, 1))
    refined = Path(search.plan.coarse_from) if search.plan.coarse_from else NOWHERE
    for folder in dict.fromkeys([search.folder, refined]):
        if folder != NOWHERE:
            refuse_other_folder(folder, here, strict)


def _train(
    progress: StageProgress,
    train: Callable[[Sequence[Member]], list[Outcome]],
    again: Mapping[Key, Key],
    cluster: Any,
    stop: Callable[[], int],
    watch: Watch,
) -> None:
    """Train the populations of a stage, keeping the results of each as it ends."""
    search = progress.search

    def tick() -> None:
        watch(progress, [])

    tick()
    for population, outcomes in map_unordered(
        train, progress.populations, progress.jobs, cluster=cluster, stop=stop, tick=tick
    ):
        results = _results(population, outcomes)
        search.results |= {(result.trial, result.seed): result for result in results}
        numbers = {result.trial for result in [*results, *_copy_repeats(search, again)]}
        write_results(search)
        progress.count(results)
        watch(progress, [trial for trial in search.trials() if trial.trial in numbers])


def _copy_repeats(search: Search, again: Mapping[Key, Key]) -> list[Result]:
    """Give each training whose config an earlier one has that one's result; return the new results."""
    copies = [
        replace(search.results[other], trial=trial, seed=seed, seconds=0.0)
        for (trial, seed), other in again.items()
        if other in search.results
    ]
    new = [copy for copy in copies if search.results.get((copy.trial, copy.seed)) != copy]
    search.results |= {(copy.trial, copy.seed): copy for copy in new}
    return new


def _results(population: Sequence[Member], outcomes: Sequence[Outcome] | Lost) -> list[Result]:
    """Return the results of a population's members: none if it was interrupted, failures if it was lost."""
    if isinstance(outcomes, Lost):
        return [Result(m.trial, m.config.seed, "failed", reason=outcomes.reason) for m in population]
    return [
        Result(
            member.trial,
            outcome.seed,
            STOPPED if outcome.stopped else outcome.status,
            outcome.metric("train", "accuracy"),
            outcome.metric("validation", "accuracy"),
            outcome.metric("validation", "loss"),
            outcome.seconds,
            steps=outcome.steps,
        )
        for member, outcome in zip(population, outcomes, strict=False)
    ]
