"""The folder of a search: what was planned, what each training came to, and the tables drawn from that."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cifarmlp import files
from cifarmlp.config import Config, load_config, to_yaml
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.search import ranking
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.sampling import Values
from cifarmlp.training import environment

Stage = Literal["coarse", "fine"]
MEASURED = ("train_accuracy", "validation_accuracy", "validation_loss", "seconds")
NOWHERE = Path()
STATUS = ("finished", "diverged", "failed")


class SearchPlan(BaseModel):
    """search.json. The cores and the memory that the populations were arranged for make a resumed search's
    populations the same ones, whatever machine it goes on with. centres: of the fine stage, once it is begun.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    stages: list[Stage] = Field(min_length=1, max_length=2)
    seeds: int = Field(1, ge=1)
    cores: int = Field(ge=1)
    memory: float = Field(ge=0)
    coarse_from: str | None = None
    centres: list[dict[str, int | float]] | None = Field(None, min_length=1)
    status: Literal["running", "finished", "interrupted"] = "running"


@dataclass
class Search:
    """A search under way. results: by (trial, seed). values: of the trials of the stages begun, by number.

    coarse: how many of the trials are coarse ones, the first. folder: NOWHERE before it has one.
    """

    folder: Path
    config: Config
    plan: SearchPlan
    results: dict[tuple[int, int], Result] = field(default_factory=dict)
    values: dict[int, Values] = field(default_factory=dict)
    coarse: int = 0

    def trials(self) -> list[Trial]:
        """Those whose seeds have all ended."""
        by_trial: dict[int, list[Result]] = {}
        for (trial, _), result in sorted(self.results.items()):
            by_trial.setdefault(trial, []).append(result)
        whole = [results for trial, results in by_trial.items() if trial in self.values]
        return [ranking.trial_of(results) for results in whole if len(results) >= self.plan.seeds]

    def stage(self, trial: int) -> Stage:
        """The stage that a trial belongs to."""
        return "coarse" if trial <= self.coarse else "fine"

    def failed(self) -> list[Trial]:
        """The trials that could not be trained."""
        return [trial for trial in self.trials() if trial.status == "failed"]

    def row(self, trial: Trial) -> dict[str, Any]:
        """A row of trials.csv."""
        row = {name: getattr(trial, name) for name in MEASURED}
        return {"trial": trial.trial, "status": trial.status, **self.values[trial.trial], **row}


def claim_search(search: Search, out: Path, dataset: Dataset) -> None:
    """Give a search a new folder NAME-001, ... Raises RunFolderError where it can't be written."""
    search.folder = files.claim(out, search.config.name)
    files.write_text(search.folder / "config.yaml", to_yaml(search.config))
    environment.write_environment(search.folder, environment.describe(dataset, 1))


def read_search(folder: Path) -> Search:
    """A search as it was left. Raises RunFolderError where the folder is none, or is damaged."""
    if not (folder / "search.json").is_file():
        raise RunFolderError(f"{folder}: not the folder of a search: it has no search.json")
    try:
        plan = SearchPlan.model_validate_json((folder / "search.json").read_bytes())
        config = load_config(folder / "config.yaml")
        if config.search is None:
            raise ConfigError("config.yaml has no section `search`")
    except (OSError, ValidationError, CifarmlpError) as error:
        reason = str(error).splitlines()[0]
        raise RunFolderError(f"{folder}: damaged ({reason}); start the search anew") from error
    return Search(folder, config, plan, {(r.trial, r.seed): r for r in _results(folder / "seeds.csv")})


def _results(path: Path) -> Iterator[Result]:
    """Yield the results of whole rows; a training whose row is torn is done again."""
    for row in files.read_rows(path):
        with suppress(KeyError, TypeError, ValueError):
            yield _result(row)


def _result(row: dict[str, str]) -> Result:
    """Return a row of seeds.csv as a result. Raises KeyError, TypeError or ValueError if it is torn."""
    if row["status"] not in STATUS or row["reason"] is None:
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


def write_plan(search: Search, status: str) -> None:
    """search.json, with the status that the search has now."""
    search.plan = SearchPlan.model_validate({**search.plan.model_dump(), "status": status})
    files.write_json(search.folder / "search.json", search.plan.model_dump())


def write_results(search: Search) -> None:
    """seeds.csv, from which a search is resumed, and trials.csv, for its user."""
    files.write_rows(search.folder / "seeds.csv", [asdict(r) for _, r in sorted(search.results.items())])
    rows = [search.row(trial) for trial in search.trials()]
    if rows:
        files.write_rows(search.folder / "trials.csv", rows)
