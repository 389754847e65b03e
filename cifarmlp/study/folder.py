"""Folder of a study: study.json, with the request and its record, and the runs and searches beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field
from typing_extensions import TypedDict  # which pydantic asks for, and brings, before Python 3.12

from cifarmlp import files
from cifarmlp.config import to_yaml
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.runs.folder import Run, load_run
from cifarmlp.search.folder import Search, read_search
from cifarmlp.study.load import LoadedStudy, config_name, slug
from cifarmlp.study.schema import Study
from cifarmlp.training import environment
from cifarmlp.training.outcome import Count, Number, Positive
from cifarmlp.training.seeds import refuse_changes

Status = Literal["running", "interrupted", "unfinished", "finished"]


class StudyRequest(BaseModel):
    """Identity of a study call: two calls with equal requests continue the same folder.

    repeats, trials: None for the study's own numbers. made_of: `digest` of what decides the results.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: str
    study: Study
    repeats: int | None = None
    overrides: list[str] = []
    trials: int | None = None
    made_of: str = ""

    @classmethod
    def of(cls, loaded: LoadedStudy, repeats: int | None = None, trials: int | None = None) -> Self:
        """Return the request for a study, with other numbers of seeds and trials if given."""
        return cls(
            name=loaded.name,
            study=loaded.study,
            repeats=repeats,
            overrides=[*loaded.overrides],
            trials=trials,
            made_of=digest(loaded),
        )


class DifferenceRow(TypedDict):
    """A `Difference` in study.json."""

    name: str
    checked: Count
    kinks: Count
    distance: Number
    relative: Number
    direction: Number
    update: Number


class PullRow(TypedDict):
    """Gradient and decay of a layer at a step, in study.json."""

    step: Annotated[Positive, Field(lt=2**53)]
    layer: Annotated[Positive, Field(lt=2**53)]
    gradient: Number
    decay: Number


class StudyRecord(BaseModel):
    """Content of study.json.

    status: `unfinished` if some sections were left out. seconds: time spent on the study, over all calls.
    copied: number of runs copied from other folders; copied_seconds: time those took when they were trained.
    checks: differences of each gradient check, a row a parameter. pulls: gradient and decay of the layers of
    each experiment at chance level, see `diagnosis.gradient_and_decay_at`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    asked: StudyRequest
    status: Status = "running"
    seconds: Positive = 0.0
    jobs: Count = 1
    copied: Count = 0
    copied_seconds: Positive = 0.0
    command: Annotated[list[str], FailFast()] = []
    checks: dict[str, Annotated[list[DifferenceRow], FailFast()]] = {}
    pulls: dict[str, Annotated[list[PullRow], FailFast()]] = {}


@dataclass
class StudyFolder:
    """A study as far as it has come; experiments and searches that have not begun are absent.

    faults: of those that are left out, see `load_study_folder`, a line each.
    """

    folder: Path
    record: StudyRecord
    experiments: dict[str, Run] = field(default_factory=dict)
    searches: dict[str, Search] = field(default_factory=dict)  # by the section's title
    faults: list[str] = field(default_factory=list)

    @property
    def study(self) -> Study:
        """The study that is carried out in this folder."""
        return self.record.asked.study

    def differences(self, name: str) -> list[Difference]:
        """Return the result of a gradient check, a difference a parameter; empty if it was not made."""
        return [Difference(**row) for row in self.record.checks.get(name, [])]


def digest(loaded: LoadedStudy) -> str:
    """Return the SHA-256 of the code and of every config of a study, whose files may change."""
    kinds = (loaded.experiments, loaded.checks, loaded.searches)
    texts = [f"{name}\n{to_yaml(config)}" for configs in kinds for name, config in configs.items()]
    return files.sha256("\0".join([environment.code_digest(), *texts]).encode())


def find_study_folder(out: Path, request: StudyRequest) -> Path | None:
    """Return the newest folder in `out` with an equal request, or None."""
    for folder in files.folders(out, request.name):
        try:
            if read_record(folder).asked == request:
                return folder
        except RunFolderError:
            continue  # something else, or damaged
    return None


def read_record(folder: Path) -> StudyRecord:
    """Read study.json. Raises RunFolderError if it is missing or damaged."""
    record = files.read_json(folder / "study.json", StudyRecord)
    if record is None:
        raise RunFolderError(f"{folder}: not the folder of a study: it has no study.json")
    return record


def write_record(folder: Path, record: StudyRecord) -> None:
    """Write study.json. Raises RunFolderError if that fails."""
    files.write_json(folder / "study.json", record.model_dump(mode="json"))


def place_of(folder: Path, experiment: str) -> Path:
    """Return the run folder of an experiment."""
    return folder / slug(experiment)


def load_study_folder(folder: Path) -> StudyFolder:
    """Load a study as it was left. Raises RunFolderError if the folder is not a study's, or is damaged.

    A run or search in it that is damaged, or is not the study's own, is left out, and its fault noted.
    """
    state = StudyFolder(folder, read_record(folder))
    for section in state.study.sections:
        for experiment in section.experiments:
            with _faults_noted(state):
                _load_experiment(state, experiment.name)
        if section.search:
            with _faults_noted(state):
                _load_search(state, section.title)
    return state


@contextmanager
def _faults_noted(state: StudyFolder) -> Iterator[None]:
    try:
        yield
    except (ConfigError, RunFolderError) as error:
        state.faults.append(f"{str(error).splitlines()[0]}; it is left out here")


def _load_experiment(state: StudyFolder, name: str) -> None:
    """Load an experiment that has begun. Raises ConfigError if it is not this study's, RunFolderError."""
    place = place_of(state.folder, name)
    if not (place / "config.yaml").is_file():
        return
    run, wanted = load_run(place), config_name(state.record.asked.name, name)
    if run.config.name != wanted:
        raise ConfigError(f"{place} is of another experiment: name is {run.config.name} there, {wanted} here")
    for seed in run.seeds:
        refuse_changes(seed.folder, seed.config)
    state.experiments[name] = run


def _load_search(state: StudyFolder, title: str) -> None:
    """Load a search that has begun. Raises RunFolderError if it is damaged."""
    for folder in files.folders(state.folder, config_name(state.record.asked.name, title))[:1]:
        state.searches[title] = read_search(folder)
