"""What a study has to train: what of it is done, what was made before and can be copied, what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cifarmlp import files
from cifarmlp.config import Config, override_with
from cifarmlp.data import Dataset, load
from cifarmlp.errors import ConfigError, DataError
from cifarmlp.search.folder import Search, read_search
from cifarmlp.search.plan import expected_populations, prepare_search, resume_search
from cifarmlp.search.populations import configs_of
from cifarmlp.study.folder import StudyRecord, StudyRequest, find_study_folder, place_of, read_record
from cifarmlp.study.load import LoadedStudy, slug
from cifarmlp.study.reuse import finished_runs, key_of
from cifarmlp.study.schema import StudySection
from cifarmlp.training.cost import estimate, steps_of, work_of
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.seeds import Repeats, SeedTask

NOWHERE = Path("not begun")


@dataclass
class StudyPlan:
    """What a study has to train. folder: NOWHERE before it has one. only: the sections wanted, by title."""

    loaded: LoadedStudy
    asked: StudyRequest
    folder: Path
    record: StudyRecord
    only: tuple[str, ...]

    def sections(self) -> list[StudySection]:
        """Those wanted."""
        return [section for section in self.loaded.study.sections if section.title in self.only]

    def experiments(self) -> list[Repeats]:
        """Of those sections, and what their comparisons refer to."""
        names = {name for section in self.sections() for pair in section.comparisons for name in pair.of}
        names |= {experiment.name for section in self.sections() for experiment in section.experiments}
        every = [each for section in self.loaded.study.sections for each in section.experiments]
        return [
            Repeats(
                place_of(self.folder, each.name),
                self.loaded.experiments[each.name],
                self.asked.repeats or each.repeats or self.loaded.study.repeats,
            )
            for each in every
            if each.name in names
        ]

    def searches(self) -> list[Config]:
        """The configs of the searches of those sections, with as many trials as were asked for."""
        configs = [self.loaded.searches[section.title] for section in self.sections() if section.search]
        return [_with_trials(config, self.asked.trials) for config in configs]


def plan_study(loaded: LoadedStudy, asked: StudyRequest, out: Path, only: Sequence[str]) -> StudyPlan:
    """What is to be done, in the newest folder where the same study was begun, or in none yet.

    Raises ConfigError where `only` names no section.
    """
    folder = find_study_folder(out, asked)
    record = read_record(folder) if folder else StudyRecord(asked=asked)
    titles = [section.title for section in loaded.study.sections]
    wanted = [_title(word, titles) for word in only] or titles
    return StudyPlan(loaded, asked, folder or NOWHERE, record, tuple(dict.fromkeys(wanted)))


def _title(word: str, titles: Sequence[str]) -> str:
    found = [title for title in titles if slug(word) and slug(word) in slug(title)]
    exact = [title for title in found if slug(title) == slug(word)]
    if len(exact or found) != 1:
        known = ", ".join(repr(title) for title in found or titles)
        told = "several sections have this in their titles" if found else "no section has this in its title"
        raise ConfigError(f"--only {word}: {told}; give one of {known}")
    return (exact or found)[0]


def _with_trials(config: Config, trials: int | None) -> Config:
    stages = [stage for stage in ("coarse", "fine") if getattr(config.search, stage) is not None]
    return override_with(config, {f"search.{stage}.trials": trials for stage in stages}) if trials else config


def sources_of(study: StudyPlan) -> set[str]:
    """Where the images of all that is wanted come from."""
    configs = [each.config for each in study.experiments()] + study.searches()
    checks = [study.loaded.checks[each.name] for section in study.sections() for each in section.gradcheck]
    return {config.data.source for config in [*configs, *checks]}


def copies_for(study: StudyPlan, out: Path, datasets: dict[str, Dataset]) -> dict[Path, tuple[Path, Config]]:
    """Where what isn't there yet goes, where there is one to copy, and its config."""
    there = finished_runs(out)
    new = [config for config in study.searches() if not files.folders(study.folder, config.name)]
    wanted = [(*item, False) for each in study.experiments() for item in each.places().items()]
    wanted += [(study.folder / f"{config.name}-001", config, True) for config in new]
    found = {}
    for place, config, searched in wanted:
        key = key_of(config, datasets[config.data.source], searched)
        if key in there and not place.exists():
            found[place] = (there[key], config)
    return found


def copies_if_images_there(
    study: StudyPlan, out: Path, data_dir: Path | None
) -> dict[Path, tuple[Path, Config]]:
    """As `found_before`; nothing where the images, which decide it too, aren't there."""
    try:
        return copies_for(study, out, {source: load(source, data_dir) for source in sources_of(study)})
    except DataError:
        return {}


def trainings_left(study: StudyPlan, data_dir: Path | None = None, jobs: int = 1) -> list[SeedTask]:
    """The seeds without an outcome, the longest first: the last ones to end should be short ones."""
    places = [item for each in study.experiments() for item in each.places().items()]
    todo = [(place, config) for place, config in places if read_ended(place) is None]
    threads = 1 if jobs > 1 else None
    tasks = [SeedTask(config, place, data_dir, threads, strict=False) for place, config in todo]
    return sorted(tasks, key=lambda task: -work_of(task.config))


def searches_left(study: StudyPlan) -> list[Config]:
    """The searches that have not come to their end."""

    def has_ended(config: Config) -> bool:
        found = files.folders(study.folder, config.name)
        return bool(found) and read_search(found[0]).plan.status == "finished"

    return [config for config in study.searches() if not has_ended(config)]


def is_finished(study: StudyPlan) -> bool:
    """Whether nothing is left of any section, wanted now or not."""
    whole = replace(study, only=tuple(section.title for section in study.loaded.study.sections))
    checked = set(study.loaded.checks) <= set(study.record.checks)
    return checked and not trainings_left(whole) and not searches_left(whole)


def search_of(study: StudyPlan, config: Config, cores: int) -> Search:
    """The search of a config as far as it has come, or a new one."""
    for folder in files.folders(study.folder, config.name):
        return resume_search(folder, config, [], None)
    return prepare_search(config, [], 1, cores, study.folder)


def seconds_left(
    study: StudyPlan, tasks: Sequence[SeedTask], searches: Sequence[Config], jobs: int, cores: int
) -> tuple[float, float]:
    """Seconds that the experiments and the searches will take, estimated by a few steps of each shape."""
    shapes: dict[Any, list[list[Config]]] = {}
    for task in tasks:
        shape = (task.config.network.hidden, task.config.network.batch_norm)
        shapes.setdefault(shape, []).append([task.config])
    trained = sum(estimate(alike, 1).seconds for alike in shapes.values()) / jobs
    stages = [search_of(study, config, cores) for config in searches]
    plans = [expected_populations(state, stage) for state in stages for stage in state.plan.stages]
    return trained, sum(estimate(configs_of(todo), cores).seconds for todo in plans)


def total_steps(configs: Sequence[Config]) -> int:
    """Mini-batch updates of all of them together."""
    return sum(steps_of(config) for config in configs)
