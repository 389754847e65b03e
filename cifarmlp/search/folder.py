"""The folder of a search as an object: its config, its plan, and the result of each training so far."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cifarmlp import files
from cifarmlp.config import Config, SearchConfig, digest, is_number, load_config, to_yaml
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.search import ranking, sampling
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.sampling import Values
from cifarmlp.text import yaml_line
from cifarmlp.training import environment
from cifarmlp.training.metrics import LARGEST

Stage = Literal["coarse", "fine"]
Status = Literal["running", "finished", "interrupted"]
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss", "seconds")
NOWHERE = Path()
MOST_TRIALS = 10_000  # of a stage, around each centre; all are checked before the first is trained
MOST_CENTRES = 100


class SearchPlan(BaseModel):
    """search.json.

    cores, memory: those that the populations were made for; with them a resumed search has the same ones on
    any machine. centres: values of the trials that the fine stage refines, once it has begun. distinct: few
    values are dealt out and equal configs trained once, which version 0.1 did not do.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    stages: list[Stage] = Field(min_length=1, max_length=2)
    seeds: int = Field(1, ge=1, le=1000)
    cores: int = Field(ge=1)
    memory: float = Field(ge=0, allow_inf_nan=False)
    distinct: bool = False
    coarse_from: str | None = None
    centres: list[Values] | None = Field(None, min_length=1)
    status: Status = "running"


@dataclass
class Search:
    """A search as far as it has come.

    folder: NOWHERE before it has one. results: by (trial, seed). faults: of rows of seeds.csv that are none,
    whose trainings are done again, a line each.
    """

    folder: Path
    config: Config
    plan: SearchPlan
    results: dict[tuple[int, int], Result] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def section(self) -> SearchConfig:
        """The config's section `search`."""
        return section_of(self.config)

    @property
    def fields(self) -> list[str]:
        """Dotted keys of the searched fields, in the order of the columns of trials.csv."""
        return list(self.values(1))

    def stage(self, trial: int) -> Stage:
        """Return the stage that a trial belongs to."""
        return "coarse" if trial <= self.section.coarse.trials else "fine"

    def numbers(self, stage: Stage) -> range:
        """Return the numbers of a stage's trials: the coarse ones from 1, the fine ones after them.

        While the centres are not known, the fine stage is taken to have all that the config asks for.
        """
        coarse, fine = self.section.coarse.trials, self.section.fine
        if stage == "coarse":
            return range(1, coarse + 1)
        count = sampling.fine_trials(fine, len(self.plan.centres or ()) or coarse) if fine else 0
        return range(coarse + 1, coarse + 1 + count)

    def values(self, trial: int) -> Values:
        """Return the values of a trial. The centres must be known for a fine one."""
        coarse, seed, plan = self.section.coarse, self.config.seed, self.plan
        if trial <= coarse.trials:
            return sampling.coarse_values(coarse, seed, trial, plan.distinct)
        number = trial - coarse.trials
        return sampling.fine_values(self.section, seed, number, plan.centres or [], plan.distinct)

    def seeds(self, trial: int) -> range:
        """Return the seeds of a trial."""
        first = self.values(trial)["seed"] if "seed" in self.section.coarse.space else self.config.seed
        return range(first, first + self.plan.seeds)

    def trials(self) -> list[Trial]:
        """Return the trials whose seeds have all ended, by number."""
        by_trial: dict[int, list[Result]] = {}
        for (trial, _), result in sorted(self.results.items()):
            by_trial.setdefault(trial, []).append(result)
        return [ranking.trial_of(each) for each in by_trial.values() if len(each) >= self.plan.seeds]

    def failed(self) -> list[Trial]:
        """Return the trials that could not be trained."""
        return [trial for trial in self.trials() if trial.status == "failed"]

    def row(self, trial: Trial) -> dict[str, Any]:
        """Return a row of trials.csv, its values as they are."""
        names = (*MEASURED, "steps") if self.section.coarse.halving else MEASURED
        measured = {name: getattr(trial, name) for name in names}
        return {"trial": trial.trial, "status": trial.status, **self.values(trial.trial), **measured}


def section_of(config: Config) -> SearchConfig:
    """Return the section `search` of a config. Raises ConfigError if it has none."""
    if config.search is None:
        raise ConfigError(f"{config.name} has no section `search` that says which fields to draw, and how")
    return config.search


def is_begun(folder: Path) -> bool:
    """Return whether a search has begun in a folder; one killed before has no search.json, and no results."""
    return (folder / "search.json").exists()


def claim_search(search: Search, out: Path, dataset: Dataset) -> None:
    """Begin a search in a new folder out/NAME-001, ... Raises RunFolderError if it cannot be written."""
    search.folder = files.claim(out, search.config.name)
    begin_search(search, dataset)


def begin_search(search: Search, dataset: Dataset) -> None:
    """Write all that a search is resumed from into its folder, search.json last. Raises RunFolderError."""
    files.write_text(search.folder / "config.yaml", to_yaml(search.config))
    here = environment.describe(dataset, 1).model_copy(update={"config": digest(search.config)})
    environment.write_environment(search.folder, here)
    write_results(search)
    write_plan(search, "running")


def read_search(folder: Path) -> Search:
    """Load the search in a folder. Raises RunFolderError if there is none, or it is damaged."""
    plan = files.read_json(folder / "search.json", SearchPlan)
    if plan is None:
        hint = "; one that was killed as it began has lost nothing: start it anew" * folder.is_dir()
        raise RunFolderError(f"{folder}: not the folder of a search: it has no search.json{hint}")
    try:
        search = Search(folder, load_config(folder / "config.yaml"), plan)
        _check(search)
    except CifarmlpError as error:
        reason = str(error).splitlines()[0]
        raise RunFolderError(f"{folder}: damaged ({reason}); start the search anew") from error
    _read_results(search)
    return search


def _check(search: Search) -> None:
    """Raise ConfigError if search.json and config.yaml do not fit together, or are too much to read."""
    section, plan = section_of(search.config), search.plan
    check_size(section)
    if section.fine is None and (plan.centres or "fine" in plan.stages):
        raise ConfigError("search.json has a fine stage, config.yaml has none")
    for centre in plan.centres or ():
        if set(centre) != set(section.coarse.space):
            raise ConfigError("the centres in search.json have other fields than config.yaml")
        for key, value in centre.items():
            if not sampling.may_be_drawn(section.coarse.space[key], value):
                raise ConfigError(f"search.json has a centre whose {key} config.yaml does not draw")


def check_size(section: SearchConfig) -> None:
    """Raise ConfigError if a search has more trials or centres than anybody can want."""
    fine = section.fine
    stages = {"coarse.trials": (section.coarse.trials, MOST_TRIALS)}
    if fine:
        stages |= {"fine.trials": (fine.trials, MOST_TRIALS), "fine.centres": (fine.centres, MOST_CENTRES)}
    for name, (count, most) in stages.items():
        if count > most:
            raise ConfigError(f"search.{name} is {count}; it must be at most {most}")


def _read_results(search: Search) -> None:
    """Read seeds.csv; of a row that is none, the training is done again."""
    stages: tuple[Stage, ...] = ("coarse", "fine") if search.plan.centres else ("coarse",)
    numbers = {number for stage in stages for number in search.numbers(stage)}

    def parse(row: dict[str, str]) -> Result:
        result = _result(row)
        if result.trial not in numbers or result.seed not in search.seeds(result.trial):
            raise ValueError(f"there is no trial {result.trial} with seed {result.seed}")
        return result

    results, faults = files.read_rows(search.folder / "seeds.csv", parse)
    search.results = {(result.trial, result.seed): result for result in results}
    search.faults = [f"{search.folder}: {fault}" for fault in faults]


def _result(row: dict[str, str]) -> Result:
    """Return a row of seeds.csv as a result. Raises KeyError or ValueError if it is none."""
    if row["status"] not in ranking.STATUS:
        raise ValueError(f"the status is {row['status']}")
    return Result(
        trial=int(row["trial"]),
        seed=int(row["seed"]),
        status=row["status"],
        train_accuracy=_number(row, "train_accuracy", most=1),
        validation_accuracy=_number(row, "validation_accuracy", most=1),
        validation_loss=_number(row, "validation_loss"),
        seconds=_number(row, "seconds"),
        reason=row["reason"],
        steps=_steps(row),
    )


def _steps(row: dict[str, str]) -> int:
    steps = int(row.get("steps", 0))
    if steps < 0:
        raise ValueError(f"steps is {steps}")
    return steps


def _number(row: dict[str, str], name: str, most: float = LARGEST) -> float:
    number = float(row[name])
    if not (math.isnan(number) or 0 <= number <= most):
        raise ValueError(f"{name} is {number}")
    return number


def write_plan(search: Search, status: Status) -> None:
    """Write search.json with this status."""
    search.plan = search.plan.model_copy(update={"status": status})
    files.write_json(search.folder / "search.json", search.plan.model_dump())


def write_results(search: Search) -> None:
    """Write seeds.csv, from which a search is resumed, and trials.csv, for its user."""
    files.write_rows(search.folder / "seeds.csv", [asdict(r) for _, r in sorted(search.results.items())])
    rows = [search.row(trial) for trial in search.trials()]
    if rows:
        texts = [{name: value_text(value) for name, value in row.items()} for row in rows]
        files.write_rows(search.folder / "trials.csv", texts)


def value_text(value: Any) -> Any:
    """Return a number as it is, and any other value as YAML, such as [50, 50], true or {sigma: 0.001}."""
    return value if is_number(value) else yaml_line(value)
