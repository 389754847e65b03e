"""The folder of a study: what was asked for, what has been trained, and what came of it."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cifarmlp import files
from cifarmlp.config import to_yaml
from cifarmlp.errors import RunFolderError
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.runs.folder import Run, load_run
from cifarmlp.search.folder import Search, read_search
from cifarmlp.study.load import LoadedStudy, config_name, slug
from cifarmlp.study.schema import Study
from cifarmlp.training import environment

# as `runs.write_json` writes it: nan is null
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class StudyRequest(BaseModel):
    """What makes two calls of a study the same one. repeats: None for the study's own numbers.

    made_of: SHA-256 of what decides the numbers, see `digest`.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    name: str
    study: Study
    repeats: int | None = None
    overrides: list[str] = []
    trials: int | None = None
    made_of: str = ""


class StudyRecord(BaseModel):
    """study.json. status: unfinished where sections were left out. seconds: of work so far, of all calls;
    copied: runs that were there before, and copied_seconds: what they took when they were made. checks: by
    gradient check, what was found of each parameter. pulls: by experiment that stays at chance level, see
    `advice.pulls_on_the_way`.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    asked: StudyRequest
    status: Literal["running", "interrupted", "unfinished", "finished"] = "running"
    seconds: float = Field(0.0, ge=0)
    jobs: int = 1
    copied: int = 0
    copied_seconds: float = 0.0
    command: list[str] = []
    checks: dict[str, list[dict[str, str | int | Number]]] = {}
    pulls: dict[str, list[dict[str, Number]]] = {}


@dataclass
class StudyFolder:
    """A study as far as it has come: without the experiments and searches that have not begun."""

    folder: Path
    record: StudyRecord
    experiments: dict[str, Run] = field(default_factory=dict)
    searches: dict[str, Search] = field(default_factory=dict)

    @property
    def study(self) -> Study:
        """What was to be done."""
        return self.record.asked.study

    def differences(self, name: str) -> list[Difference]:
        """What a gradient check found, by parameter; empty where it wasn't made."""
        return [Difference(**values) for values in self.record.checks.get(name, [])]  # type: ignore[arg-type]


def request_of(
    loaded: LoadedStudy, repeats: int | None, overrides: list[str], trials: int | None
) -> StudyRequest:
    """What was typed."""
    return StudyRequest(
        name=loaded.name,
        study=loaded.study,
        repeats=repeats,
        overrides=overrides,
        trials=trials,
        made_of=digest(loaded),
    )


def digest(loaded: LoadedStudy) -> str:
    """SHA-256 of every config of a study, which are files that may change, and of the code."""
    kinds = (loaded.experiments, loaded.checks, loaded.searches)
    texts = [f"{name}\n{to_yaml(config)}" for configs in kinds for name, config in configs.items()]
    return files.sha256("\0".join([environment.code_digest(), *texts]).encode())


def find_study_folder(out: Path, wanted: StudyRequest) -> Path | None:
    """The newest folder in which the same was asked for."""
    for folder in files.folders(out, wanted.name):
        try:
            if read_record(folder).asked == wanted:
                return folder
        except RunFolderError:
            continue  # something else, or damaged
    return None


def read_record(folder: Path) -> StudyRecord:
    """study.json. Raises RunFolderError."""
    try:
        return StudyRecord.model_validate_json((folder / "study.json").read_bytes())
    except FileNotFoundError as error:
        raise RunFolderError(f"{folder}: not the folder of a study: it has no study.json") from error
    except (OSError, ValidationError) as error:
        raise RunFolderError(f"{folder}: its study.json is damaged; run the study anew") from error


def write_record(folder: Path, record: StudyRecord) -> None:
    """study.json. Raises RunFolderError."""
    files.write_json(folder / "study.json", record.model_dump(mode="json"))


def place_of(folder: Path, experiment: str) -> Path:
    """Where an experiment's runs are."""
    return folder / slug(experiment)


def load_study_folder(folder: Path) -> StudyFolder:
    """A study as it was left. Raises RunFolderError where the folder is none, or is damaged."""
    state = StudyFolder(folder, read_record(folder))
    for section in state.study.sections:
        for experiment in section.experiments:
            place = place_of(folder, experiment.name)
            if (place / "config.yaml").is_file():
                state.experiments[experiment.name] = load_run(place)
        found = files.folders(folder, config_name(state.record.asked.name, section.title))
        if section.search and found:
            state.searches[section.title] = read_search(found[0])
    return state
