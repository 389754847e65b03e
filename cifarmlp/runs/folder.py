"""Run folders read back: what was trained in them, and what it came to."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarmlp import files
from cifarmlp.config import Config, load_config, override_with
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.text import escape
from cifarmlp.training import outcome
from cifarmlp.training.outcome import Outcome

Kind = Literal["run", "search", "study"]


@dataclass(frozen=True)
class Seed:
    """One training. outcome: None where it has not ended, or its files are damaged."""

    folder: Path
    config: Config
    outcome: Outcome | None

    def rows(self) -> list[dict[str, float]]:
        """The rows of metrics.csv that are whole; none where there is no such file."""
        rows = []
        for row in files.read_rows(self.folder / "metrics.csv"):
            with suppress(TypeError, ValueError):
                rows.append({name: float(value) for name, value in row.items()})
        return rows


@dataclass(frozen=True)
class Run:
    """A config trained with one or several seeds."""

    folder: Path
    config: Config
    seeds: tuple[Seed, ...]

    def outcomes(self) -> list[Outcome]:
        """Of the seeds whose training has ended."""
        return [seed.outcome for seed in self.seeds if seed.outcome]


def folder_kind(folder: Path) -> Kind | None:
    """What a folder holds; None where it is nothing of ours."""
    if (folder / "study.json").is_file():
        return "study"
    if (folder / "search.json").is_file():
        return "search"
    return "run" if (folder / "config.yaml").is_file() else None


def load_run(folder: Path) -> Run:
    """A training or a repeated one. Raises RunFolderError where the folder is none, or is damaged."""
    name = escape(str(folder))
    if not (folder / "config.yaml").is_file():
        raise RunFolderError(f"{name}: not a run folder: it has no config.yaml")
    try:
        config = load_config(folder / "config.yaml")
    except CifarmlpError as error:
        raise RunFolderError(f"{name}: damaged ({str(error).splitlines()[0]}); train it anew") from error
    if not (folder / "summary.json").is_file():
        return Run(folder, config, (Seed(folder, config, outcome.read_ended(folder)),))
    return Run(folder, config, tuple(_seeds(folder, config)))


def load_training(folder: Path) -> Run:
    """As `read`, of what somebody named. Raises ConfigError too, where it is a search's or study's folder."""
    name, found = escape(str(folder)), folder_kind(folder)
    if found == "search":
        raise ConfigError(f"{name}: the folder of a search; train its best.yaml, and name that run")
    if found == "study":
        raise ConfigError(f"{name}: the folder of a study; name the runs inside it")
    if not folder.is_dir():
        raise RunFolderError(f"{name}: no such folder; `cifarmlp runs` lists those that there are")
    return load_run(folder)


def _seeds(folder: Path, config: Config) -> Iterator[Seed]:
    numbers = [path.name.removeprefix("seed-") for path in folder.glob("seed-*")]
    for number in sorted(int(number) for number in numbers if number.isdecimal()):
        place = folder / f"seed-{number}"
        with suppress(CifarmlpError):
            yield Seed(place, override_with(config, {"seed": number}), outcome.read_ended(place))
