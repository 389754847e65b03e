"""The folder of a search as an object: its config, its plan, and the result of each training so far."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cifarmlp import files
from cifarmlp.config import Config, SearchConfig, load_config, to_yaml
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.search import ranking, sampling
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.sampling import Values
from cifarmlp.training import environment

Stage = Literal["coarse", "fine"]
Status = Literal["running", "finished", "interrupted"]
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss", "seconds")
NOWHERE = Path()


class SearchPlan(BaseModel):
    """search.json.

    cores, memory: those that the populations were made for; with them a resumed search has the same ones on
    any machine. centres: values of the trials that the fine stage refines, once it has begun.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    stages: list[Stage] = Field(min_length=1, max_length=2)
    seeds: int = Field(1, ge=1)
    cores: int = Field(ge=1)
    memory: float = Field(ge=0)
    coarse_from: str | None = None
    centres: list[Values] | None = Field(None, min_length=1)
    status: Status = "running"


@dataclass
class Search:
    """A search as far as it has come.

    folder: NOWHERE before it has one. results: by (trial, seed).
    """

    folder: Path
    config: Config
    plan: SearchPlan
    results: dict[tuple[int, int], Result] = field(default_factory=dict)

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
        count = sampling.fine_trials(fine, len(self.plan.centres or ()) or None) if fine else 0
        return range(coarse + 1, coarse + 1 + count)

    def values(self, trial: int) -> Values:
        """Return the values of a trial. The centres must be known for a fine one."""
        coarse, seed = self.section.coarse, self.config.seed
        if trial <= coarse.trials:
            return sampling.coarse_values(coarse, seed, trial)
        return sampling.fine_values(self.section, seed, trial - coarse.trials, self.plan.centres or [])

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
        """Return a row of trials.csv."""
        measured = {name: getattr(trial, name) for name in MEASURED}
        return {"trial": trial.trial, "status": trial.status, **self.values(trial.trial), **measured}


def section_of(config: Config) -> SearchConfig:
    """Return the section `search` of a config. Raises ConfigError if it has none."""
    if config.search is None:
        raise ConfigError(f"{config.name} has no section `search` that says which fields to draw, and how")
    return config.search


def claim_search(search: Search, out: Path, dataset: Dataset) -> None:
    """Give a search a new folder out/NAME-001, ... Raises RunFolderError if it cannot be written."""
    search.folder = files.claim(out, search.config.name)
    files.write_text(search.folder / "config.yaml", to_yaml(search.config))
    environment.write_environment(search.folder, environment.describe(dataset, 1))


def read_search(folder: Path) -> Search:
    """Load the search in a folder. Raises RunFolderError if there is none, or it is damaged."""
    if not (folder / "search.json").is_file():
        raise RunFolderError(f"{folder}: not the folder of a search: it has no search.json")
    try:
        plan = SearchPlan.model_validate_json((folder / "search.json").read_bytes())
        search = Search(folder, load_config(folder / "config.yaml"), plan)
        _check(search)
    except ValidationError as error:
        raise RunFolderError(f"{folder}: its search.json is damaged; start the search anew") from error
    except (OSError, CifarmlpError) as error:
        reason = str(error).splitlines()[0]
        raise RunFolderError(f"{folder}: damaged ({reason}); start the search anew") from error
    numbers = {*search.numbers("coarse"), *(search.numbers("fine") if plan.centres else ())}
    search.results = {(r.trial, r.seed): r for r in _results(folder / "seeds.csv") if r.trial in numbers}
    return search


def _check(search: Search) -> None:
    """Raise ConfigError if search.json and config.yaml do not fit together."""
    section, plan = section_of(search.config), search.plan
    if section.fine is None and (plan.centres or "fine" in plan.stages):
        raise ConfigError("search.json has a fine stage, config.yaml has none")
    if any(set(centre) != set(section.coarse.space) for centre in plan.centres or ()):
        raise ConfigError("the centres in search.json have other fields than config.yaml")


def _results(path: Path) -> Iterator[Result]:
    """Yield the results of whole rows; a training whose row is torn is done again."""
    yield from files.read_rows(path, _result)[0]


def _result(row: dict[str, str]) -> Result:
    """Return a row of seeds.csv as a result. Raises KeyError, TypeError or ValueError if it is torn."""
    if row["status"] not in ranking.STATUS or row["reason"] is None:
        raise ValueError(row)
    return Result(
        trial=int(row["trial"]),
        seed=int(row["seed"]),
        status=row["status"],
        train_accuracy=float(row["train_accuracy"]),
        validation_accuracy=float(row["validation_accuracy"]),
        validation_loss=float(row["validation_loss"]),
        seconds=float(row["seconds"]),
        reason=row["reason"],
    )


def write_plan(search: Search, status: Status) -> None:
    """Write search.json with this status."""
    search.plan = search.plan.model_copy(update={"status": status})
    files.write_json(search.folder / "search.json", search.plan.model_dump())


def write_results(search: Search) -> None:
    """Write seeds.csv, from which a search is resumed, and trials.csv, for its user."""
    files.write_rows(search.folder / "seeds.csv", [asdict(r) for _, r in sorted(search.results.items())])
    rows = [search.row(trial) for trial in search.trials()]
    if rows:
        files.write_rows(search.folder / "trials.csv", rows)
