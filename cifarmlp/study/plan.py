"""Work of a study: what is done, what can be copied from earlier runs, what is left to train."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, override_with
from cifarmlp.data import Dataset, load
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.search.folder import Search, read_search
from cifarmlp.search.plan import estimate_stage, expected_populations, prepare_search, resume_search
from cifarmlp.study.folder import StudyRecord, StudyRequest, find_study_folder, place_of, read_record
from cifarmlp.study.load import LoadedStudy, slug
from cifarmlp.study.reuse import finished_runs, source_for
from cifarmlp.study.schema import Experiment, GradientCheck, StudySection
from cifarmlp.training.environment import describe, fingerprint
from cifarmlp.training.estimate import estimate
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.seeds import Repeats
from cifarmlp.training.workers import SeedTask

NOWHERE = Path("not begun")


@dataclass(frozen=True)
class StudyPlan:
    """A study to carry out. folder: NOWHERE before it has one. only: titles of the sections wanted."""

    loaded: LoadedStudy
    folder: Path
    record: StudyRecord
    only: tuple[str, ...]

    @cached_property
    def whole(self) -> "StudyPlan":
        """This plan with all sections of the study."""
        return replace(self, only=tuple(section.title for section in self.loaded.study.sections))

    @cached_property
    def sections(self) -> list[StudySection]:
        """The sections wanted."""
        return [section for section in self.loaded.study.sections if section.title in self.only]

    @cached_property
    def checks(self) -> list[GradientCheck]:
        """The gradient checks of those sections."""
        return [check for section in self.sections for check in section.gradcheck]

    @cached_property
    def experiments(self) -> dict[str, Repeats]:
        """The experiments of those sections and the ones that their comparisons need, by name."""
        names = {name for section in self.sections for claim in section.comparisons for name in claim.of}
        names |= {experiment.name for section in self.sections for experiment in section.experiments}
        every = [experiment for section in self.loaded.study.sections for experiment in section.experiments]
        return {each.name: self._repeats(each) for each in every if each.name in names}

    def _repeats(self, experiment: Experiment) -> Repeats:
        seeds = self.record.asked.repeats or experiment.repeats or self.loaded.study.repeats
        config = self.loaded.experiments[experiment.name]
        return Repeats(place_of(self.folder, experiment.name), config, seeds)

    @cached_property
    def trainings(self) -> dict[Path, Config]:
        """Folder and config of every seed of those experiments."""
        places = [each.places() for each in self.experiments.values()]
        return {place: config for seeds in places for place, config in seeds.items()}

    @cached_property
    def searches(self) -> list[Config]:
        """The configs of the searches of those sections, with the requested number of trials."""
        configs = [self.loaded.searches[section.title] for section in self.sections if section.search]
        return [_with_trials(config, self.record.asked.trials) for config in configs]


@dataclass(frozen=True)
class Missing:
    """A training or search that has no folder yet, the folder it gets, and the config to write there."""

    place: Path
    config: Config
    is_search: bool


def plan_study(
    loaded: LoadedStudy,
    out: Path,
    *,
    only: Sequence[str] = (),
    repeats: int | None = None,
    trials: int | None = None,
) -> StudyPlan:
    """Plan a study: in the newest folder in `out` with an equal request, or in none yet.

    only: words of the titles of the sections wanted; none for all. repeats, trials: seeds of each experiment
    and trials of each stage of a search, if not those of the study. Raises ConfigError if a word of `only`
    fits no section or several.
    """
    request = StudyRequest.of(loaded, repeats, trials)
    folder = find_study_folder(out, request)
    record = read_record(folder) if folder else StudyRecord(asked=request)
    titles = [section.title for section in loaded.study.sections]
    titles = [_title(word, titles) for word in only] or titles
    return StudyPlan(loaded, folder or NOWHERE, record, tuple(dict.fromkeys(titles)))


def _title(word: str, titles: Sequence[str]) -> str:
    fitting = [title for title in titles if slug(word) and slug(word) in slug(title)]
    exact = [title for title in fitting if slug(title) == slug(word)]
    if len(exact or fitting) != 1:
        known = ", ".join(repr(title) for title in fitting or titles)
        fault = (
            "several sections have this in their titles" if fitting else "no section has this in its title"
        )
        raise ConfigError(f"--only {word}: {fault}; give one of {known}")
    return (exact or fitting)[0]


def _with_trials(config: Config, trials: int | None) -> Config:
    stages = [stage for stage in ("coarse", "fine") if getattr(config.search, stage) is not None]
    return override_with(config, {f"search.{stage}.trials": trials for stage in stages}) if trials else config


def load_images(study: StudyPlan, data_dir: Path | None, *, download: bool = False) -> dict[str, Dataset]:
    """Load the images that the study needs, by source. Raises DataError."""
    configs = [*(each.config for each in study.experiments.values()), *study.searches]
    configs += [study.loaded.checks[check.name] for check in study.checks]
    sources = {config.data.source for config in configs}
    return {source: load(source, data_dir, download=download) for source in sources}


def copies_for(
    study: StudyPlan, out: Path, datasets: dict[str, Dataset], strict: bool = False
) -> list[tuple[Missing, Path]]:
    """Pair what has no folder yet with the finished run or search below `out` that it can be copied from.

    strict: not from one that was made with other numerics.
    """
    finished = finished_runs(out)
    places = [Missing(place, config, is_search=False) for place, config in study.trainings.items()]
    places += [
        Missing(study.folder / f"{config.name}-001", config, is_search=True)
        for config in study.searches
        if not files.folders(study.folder, config.name)
    ]
    missing = [each for each in places if not each.place.exists()]
    here = {source: fingerprint(describe(dataset, 1)) for source, dataset in datasets.items()}
    copies = [
        (each, source_for(finished, each.config, here[each.config.data.source], each.is_search, strict))
        for each in missing
    ]
    return [(each, source) for each, source in copies if source is not None]


def trainings_left(
    study: StudyPlan, data_dir: Path | None = None, jobs: int = 1, strict: bool = False
) -> list[SeedTask]:
    """Return the seeds without an outcome."""
    threads = 1 if jobs > 1 else None
    return [
        SeedTask(config, place, data_dir, threads, strict)
        for place, config in study.trainings.items()
        if read_ended(place) is None
    ]


def searches_left(study: StudyPlan) -> list[Config]:
    """Return the configs of the searches that have not finished."""
    return [config for config in study.searches if not _has_finished(study.folder, config)]


def _has_finished(folder: Path, config: Config) -> bool:
    with suppress(RunFolderError):  # a damaged one is done again
        searches = files.folders(folder, config.name)
        return bool(searches) and read_search(searches[0]).plan.status == "finished"
    return False


def is_finished(study: StudyPlan) -> bool:
    """Return whether nothing is left to do in any section, wanted or not."""
    is_checked = set(study.loaded.checks) <= set(study.record.checks)
    return is_checked and not trainings_left(study.whole) and not searches_left(study.whole)


def search_of(study: StudyPlan, config: Config, cores: int) -> Search:
    """Return the search of a config as far as it has come; a new one if none was begun, or it is damaged."""
    for folder in files.folders(study.folder, config.name):
        with suppress(RunFolderError):
            return resume_search(folder, config, [], None)
    return prepare_search(config, [], 1, cores, study.folder)


def training_seconds(groups: Sequence[Sequence[SeedTask]], jobs: int) -> float:
    """Estimate the time of trainings in lockstep, `jobs` groups at a time; see `estimate`."""
    return estimate([[task.config for task in group] for group in groups], jobs, in_folders=True).seconds


def search_seconds(study: StudyPlan, searches: Sequence[Config], jobs: int, at_full_speed: int) -> float:
    """Estimate the time that searches will still take, from a few steps of each stage.

    at_full_speed: how many of the jobs gain time.
    """
    states = [search_of(study, config, jobs) for config in searches]
    stages = [(state, stage) for state in states for stage in state.plan.stages]
    return sum(
        estimate_stage(state, stage, expected_populations(state, stage), at_full_speed).seconds
        for state, stage in stages
    )
