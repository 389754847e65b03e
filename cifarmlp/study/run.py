"""Carry out a study: copy what was trained before, train the rest on all cores, or on a cluster."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from threadpoolctl import threadpool_limits

from cifarmlp import files
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpWarning, RunFolderError
from cifarmlp.parallel import Lost
from cifarmlp.search.ranking import Trial
from cifarmlp.search.run import StageProgress, run_search
from cifarmlp.study.folder import DifferenceRow, PullRow, Status, write_record
from cifarmlp.study.ownership import refuse_other_origins, refuse_others, set_aside_damage
from cifarmlp.study.plan import (
    NOWHERE,
    StudyPlan,
    copies_for,
    is_finished,
    load_images,
    search_of,
    trainings_left,
)
from cifarmlp.study.reuse import copy_run
from cifarmlp.text import escape
from cifarmlp.training.diagnosis import gradient_and_decay_at
from cifarmlp.training.gradcheck import check_of, run_checks
from cifarmlp.training.outcome import Outcome, read_ended
from cifarmlp.training.seeds import begin_repeats, write_summary
from cifarmlp.training.workers import SeedTask, map_trainings, train_in_worker

DIAGNOSIS_STEPS = (0, 100, 1000)  # at which a network that stays at chance level is looked into

Stop = Callable[[], int]
Failures = dict[str, str]


@dataclass(frozen=True)
class StudyEvents:
    """Functions called as a study goes on.

    start: once it is known what is left to train. training: after each training. search: see `run_search`.
    """

    start: Callable[[StudyPlan, Sequence[SeedTask]], None] = lambda plan, tasks: None
    training: Callable[[SeedTask, Outcome], None] = lambda task, outcome: None
    search: Callable[[StageProgress, list[Trial]], None] = lambda progress, trials: None


SILENCE = StudyEvents()


@dataclass(frozen=True)
class Stopwatch:
    """Seconds spent on a study: `before` in earlier calls, and since `started`, unless it is idle."""

    before: float
    is_idle: bool
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds spent so far."""
        return self.before + (0.0 if self.is_idle else time.perf_counter() - self.started)


def run_study(
    study: StudyPlan,
    out: Path,
    data_dir: Path | None = None,
    *,
    jobs: int = 1,
    command: Sequence[str] = (),
    events: StudyEvents = SILENCE,
    cluster: Any = None,
    stop: Stop = lambda: 0,
    strict: bool = False,
) -> tuple[Path, Failures]:
    """Do what is left of a study.

    Returns its folder, and what could not be trained, by name, with the reason. jobs: trainings side by side,
    or workers of the cluster; gradients are checked, and networks at chance level looked into, here. command:
    for study.json. strict: refuse what was made with other code or numerics. Before anything is written,
    raises ConfigError or DataError if something can't be trained, or is in the folder and of another config
    or of other images; RunFolderError if another process is at work in the folder or it can't be written.
    """
    datasets = load_images(study, data_dir, download=True)
    refuse_others(study, datasets, strict)
    for config in study.searches:
        search_of(study, config, jobs)  # raises the ConfigError of a trial
    study = _begin(study, out)
    is_idle = study.record.status == "finished" and not trainings_left(study)
    watch = Stopwatch(study.record.seconds, is_idle)
    with files.lock(study.folder):
        study.record.jobs, study.record.command = jobs, [escape(word) for word in command]
        _note(study, watch)
        set_aside_damage(study)
        _copy_finished(study, out, datasets, strict)
        _check_gradients(study, datasets, stop)
        tasks = [
            replace(task, images=datasets[task.config.data.source].checksum)
            for task in trainings_left(study, data_dir, jobs, strict)
        ]
        failures = _train(study, tasks, jobs, cluster, events, watch, stop)
        _diagnose(study, datasets, stop)
        failures |= _search(study, data_dir, jobs, cluster, events, watch, stop)
        _note(study, watch, "interrupted" if stop() or failures else _status(study))
    return study.folder, failures


def _status(study: StudyPlan) -> Status:
    return "finished" if is_finished(study) else "unfinished"


def _begin(study: StudyPlan, out: Path) -> StudyPlan:
    if study.folder != NOWHERE:
        return study
    folder = files.claim(out, study.loaded.name)
    write_record(folder, study.record)
    return replace(study, folder=folder)


def _note(study: StudyPlan, watch: Stopwatch, status: Status = "running") -> None:
    study.record.status, study.record.seconds = status, watch.seconds
    write_record(study.folder, study.record)


def _copy_finished(study: StudyPlan, out: Path, datasets: dict[str, Dataset], strict: bool) -> None:
    """Copy what was trained before, below `out`, with the same config, code and images; tell of numerics."""
    copies = []
    for each, source in copies_for(study, out, datasets, strict):
        try:
            copy_run(source, each.place, each.config)
            copies.append(each)
        except RunFolderError as error:
            message = f"{source}: can't be copied, and so is trained again: {error}"
            warnings.warn(message, CifarmlpWarning, stacklevel=2)
    refuse_other_origins([(each.place, each.config) for each in copies], datasets, strict)
    outcomes = [read_ended(each.place) for each in copies]
    study.record.copied += len(copies)
    study.record.copied_seconds += sum(outcome.seconds for outcome in outcomes if outcome)


def _check_gradients(study: StudyPlan, datasets: dict[str, Dataset], stop: Stop) -> None:
    with threadpool_limits(1):
        for each in study.checks:
            if stop():
                return
            if each.name not in study.record.checks:
                config = study.loaded.checks[each.name]
                check = replace(check_of(config), mistake=each.mistake)
                for _, differences in run_checks([check], datasets[config.data.source]):
                    rows = [asdict(difference) for difference in differences]
                    study.record.checks[each.name] = cast("list[DifferenceRow]", rows)
    write_record(study.folder, study.record)


def _train(
    study: StudyPlan,
    tasks: Sequence[SeedTask],
    jobs: int,
    cluster: Any,
    events: StudyEvents,
    watch: Stopwatch,
    stop: Stop,
) -> Failures:
    failures: Failures = {}
    for each in study.experiments.values():
        files.make_folder(each.folder)
        begin_repeats(each)
    events.start(study, tasks)
    jobs = min(jobs, max(1, len(tasks)))
    for task, result in map_trainings(train_in_worker, tasks, jobs, cluster=cluster, stop=stop):
        if isinstance(result, Lost):
            failures[str(task.folder)] = result.reason
        else:
            events.training(task, result)
            _note(study, watch)
    for each in study.experiments.values():
        if each.seeds > 1:
            outcomes = [read_ended(place) for place in each.places()]
            write_summary(each, [outcome for outcome in outcomes if outcome])
    return failures


def _diagnose(study: StudyPlan, datasets: dict[str, Dataset], stop: Stop) -> None:
    """Measure gradient and decay of the first seed at chance level of each experiment that has one."""
    for name, each in study.experiments.items():
        outcomes = [(config, read_ended(place)) for place, config in each.places().items()]
        stuck = [config for config, outcome in outcomes if outcome and outcome.at_chance]
        if stuck and name not in study.record.pulls and not stop():
            dataset = datasets[each.config.data.source]
            pulls = gradient_and_decay_at(stuck[0], dataset, DIAGNOSIS_STEPS, lambda: bool(stop()))
            if stop():
                return
            study.record.pulls[name] = cast("list[PullRow]", pulls)
            write_record(study.folder, study.record)


def _search(
    study: StudyPlan,
    data_dir: Path | None,
    jobs: int,
    cluster: Any,
    events: StudyEvents,
    watch: Stopwatch,
    stop: Stop,
) -> Failures:
    failures: Failures = {}
    for config in study.searches:
        if stop():
            break
        search = search_of(study, config, jobs)
        run_search(search, study.folder, data_dir, jobs=jobs, cluster=cluster, stop=stop, watch=events.search)
        failures |= {f"{config.name}, trial {trial.trial}": trial.reason for trial in search.failed()}
        _note(study, watch)
    return failures
