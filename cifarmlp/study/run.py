"""A study carried out: what was trained before is copied, what is left is trained on all cores."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.data import Dataset, load
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.search.ranking import Trial
from cifarmlp.search.run import StageProgress, run_search
from cifarmlp.study.folder import write_record
from cifarmlp.study.plan import (
    NOWHERE,
    StudyPlan,
    copies_for,
    is_finished,
    search_of,
    sources_of,
    trainings_left,
)
from cifarmlp.study.reuse import copy_run
from cifarmlp.text import escape
from cifarmlp.training.diagnosis import gradient_and_decay_at
from cifarmlp.training.gradcheck import check_of, run_checks
from cifarmlp.training.outcome import Outcome, read_ended
from cifarmlp.training.seeds import SeedTask, begin_repeats, train_seed, write_summary

LOOKED_AT = (0, 100, 1000)  # steps at which the gradients of a network that doesn't learn are looked at


@dataclass(frozen=True)
class StudyEvents:
    """What is told of a study's progress; each of them gets what has just happened."""

    begun: Callable[[StudyPlan, Sequence[SeedTask]], None]
    trained: Callable[[SeedTask, Outcome], None]
    searched: Callable[[StageProgress, list[Trial]], None]


def run_study(
    study: StudyPlan,
    out: Path,
    data_dir: Path | None,
    *,
    jobs: int,
    cores: int,
    command: list[str],
    progress: StudyEvents,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
) -> dict[str, str]:
    """Do what is left of a study. Returns what could not be trained, by name, with the reason.

    cores: of a search's workers, which may be on a cluster. Raises DataError before anything is written,
    RunFolderError where another process is at work in the folder or it can't be written.
    """
    datasets = {source: load(source, data_dir, download=True) for source in sources_of(study)}
    if study.folder == NOWHERE:
        study.folder = files.claim(out, study.asked.name)
        write_record(study.folder, study.record)
    started, before = time.perf_counter(), study.record.seconds
    idle = study.record.status == "finished" and not trainings_left(study)  # what follows is no work of it

    def note(status: Any = "running") -> None:
        seconds = before + (0 if idle else time.perf_counter() - started)
        typed = [escape(word) for word in command]
        changes = {"status": status, "seconds": seconds, "command": typed, "jobs": jobs}
        study.record = study.record.model_copy(update=changes)
        write_record(study.folder, study.record)

    with files.lock(study.folder):
        note()
        _take_over(study, out, datasets)
        _check_gradients(study, datasets, stop)
        lost = _train(study, data_dir, jobs, progress, stop, note)
        _explain(study, datasets, stop)
        for config in study.searches():
            if not stop():
                lost |= _search(study, config, data_dir, cores, cluster, progress, stop)
                note()
        note("interrupted" if stop() or lost else "finished" if is_finished(study) else "unfinished")
    return lost


def _take_over(study: StudyPlan, out: Path, datasets: dict[str, Dataset]) -> None:
    """Copy what was trained before, with the same config, code and images, below `out`."""
    wanted = copies_for(study, out, datasets)
    for place, (source, config) in wanted.items():
        copy_run(source, place, config)
    made = [read_ended(place) for place in wanted]
    study.record.copied += len(made)
    study.record.copied_seconds += sum(each.seconds for each in made if each)


def _check_gradients(study: StudyPlan, datasets: dict[str, Dataset], stop: Callable[[], int]) -> None:
    from threadpoolctl import threadpool_limits

    checks = [each for section in study.sections() for each in section.gradcheck]
    with threadpool_limits(1):
        for each in (each for each in checks if each.name not in study.record.checks):
            if stop():
                return
            config = study.loaded.checks[each.name]
            check = replace(check_of(config), mistake=each.mistake)
            for _, differences in run_checks([check], datasets[config.data.source]):
                study.record.checks[each.name] = [asdict(difference) for difference in differences]
    write_record(study.folder, study.record)


def _train(
    study: StudyPlan,
    data_dir: Path | None,
    jobs: int,
    progress: StudyEvents,
    stop: Callable[[], int],
    note: Callable[[], None],
) -> dict[str, str]:
    lost = {}
    for each in study.experiments():
        files.make_folder(each.folder)
        begin_repeats(each)
    tasks = trainings_left(study, data_dir, jobs)
    progress.begun(study, tasks)
    for task, result in map_unordered(train_seed, tasks, min(jobs, max(1, len(tasks))), stop=stop):
        if isinstance(result, Lost):
            lost[str(task.folder)] = result.reason
        else:
            progress.trained(task, result)
            note()
    for each in study.experiments():
        if each.seeds > 1:
            ended = [read_ended(place) for place in each.places()]
            write_summary(each, [result for result in ended if result])
    return lost


def _explain(study: StudyPlan, datasets: dict[str, Dataset], stop: Callable[[], int]) -> None:
    """Look into the experiments that stay at chance level, by their first such seed."""
    for each in study.experiments():
        ended = [(config, read_ended(place)) for place, config in each.places().items()]
        stuck = [config for config, result in ended if result and result.at_chance]
        name = next(name for name, config in study.loaded.experiments.items() if config == each.config)
        if stuck and name not in study.record.pulls and not stop():
            dataset = datasets[each.config.data.source]
            pulls = gradient_and_decay_at(stuck[0], dataset, LOOKED_AT, lambda: bool(stop()))
            if stop():
                return
            study.record.pulls[name] = pulls
            write_record(study.folder, study.record)


def _search(
    study: StudyPlan,
    config: Config,
    data_dir: Path | None,
    jobs: int,
    cluster: Any,
    progress: StudyEvents,
    stop: Callable[[], int],
) -> dict[str, str]:
    state = search_of(study, config, jobs)
    run_search(state, study.folder, data_dir, jobs=jobs, cluster=cluster, stop=stop, watch=progress.searched)
    return {f"{config.name}, trial {trial.trial}": trial.reason for trial in state.failed()}
