"""Entries of a folder of runs, one for each run folder, sorted. Models are not read."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from cifarmlp import files
from cifarmlp.config import Config, load_config
from cifarmlp.config.words import in_short
from cifarmlp.errors import CifarmlpError, RunFolderError
from cifarmlp.runs.differences import values_apart
from cifarmlp.runs.folder import folder_kind, status_of
from cifarmlp.search.folder import read_search
from cifarmlp.stats import mean_and_std
from cifarmlp.text import counted, escape, natural_key
from cifarmlp.training.batches import count_batches
from cifarmlp.training.outcome import (
    MODEL,
    STRICT,
    Number,
    Outcome,
    Positive,
    Share,
    parts_of,
    read_planned,
    read_recorded,
)

KINDS = ("training", "repeated", "search", "study")
STATUS = ("finished", "diverged", "interrupted", "running", "unfinished", "damaged")
PARTS = ("validation", "test")
DATED = ("config.yaml", "metrics.csv", "result.json", "search.json", "study.json", "summary.json")
OURS = {*DATED, ".lock", "checkpoint.npz", "environment.json", "model.npz", "seeds.csv", "trials.csv"}
NOTHING = {"mean": math.nan, "std": math.nan, "n": 0}


@dataclass(frozen=True)
class Entry:
    """A run folder at a glance.

    kind: one of KINDS, status: one of STATUS, both empty if unknown. fault: the damage, if any. seeds: ended
    ones of the `planned`; at_chance: those of them that never left chance level. accuracy: mean, std and n
    over the seeds by part, for a search those of its best trial. when: last change, seconds since 1970.
    shortened: `steps` and the `schedule`'s length, if the training has fewer; else empty. differs: values of
    the config by dotted key, see `values_apart`.
    """

    folder: Path
    kind: str
    status: str
    when: float
    config: Config | None = None
    about: str = ""
    seeds: int = 0
    planned: int = 0
    seconds: float = math.nan
    accuracy: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fault: str = ""
    at_chance: int = 0
    shortened: Mapping[str, int] = field(default_factory=dict)
    differs: Mapping[str, Any] = field(default_factory=dict)

    def mean(self, part: str) -> float:
        """Return the mean accuracy on a part of the data; nan if there is none."""
        return self.accuracy.get(part, NOTHING)["mean"]


class BestTrial(BaseModel):
    """Best trial in top.json."""

    model_config = STRICT

    validation_accuracy: Share
    validation_std: Number = math.nan


class TopFile(BaseModel):
    """Contents of top.json, as far as they are listed."""

    model_config = STRICT

    best: BestTrial | None


class StudyFile(BaseModel):
    """Contents of study.json, as far as they are listed."""

    model_config = STRICT

    status: Literal["running", "interrupted", "unfinished", "finished"]
    seconds: Positive


def list_entries(folder: Path) -> list[Entry]:
    """Return the entries of the run folders in a folder, newest first; of the folder itself if it is a run
    with no run inside.

    Raises RunFolderError if the folder is missing or cannot be read.
    """
    try:
        inside = [path for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise RunFolderError(f"{escape(str(folder))}: cannot be listed: {error.strerror}") from error
    entries = [entry for path in inside if (entry := entry_of(path))]
    if not entries and folder_kind(folder) and (itself := entry_of(folder)):
        entries = [itself]
    values = values_apart([entry.config for entry in entries])
    marked = [
        replace(entry, shortened=_shortened(entry.config), differs=differs)
        for entry, differs in zip(entries, values, strict=True)
    ]
    return sort_entries(marked, "date")


def _shortened(config: Config | None) -> dict[str, int]:
    if config is None or config.training.steps is None:
        return {}
    epoch = count_batches(
        config.data.training_images, config.training.batch_size, config.data.last_batch == "keep"
    )
    steps, schedule = config.training.steps, config.training.schedule.steps(epoch)
    return {"steps": steps, "schedule": schedule} if steps < schedule else {}


def entry_of(folder: Path) -> Entry | None:
    """Return the entry of a run folder, with its fault if it is damaged; None if the folder is not ours."""
    try:
        if kind := folder_kind(folder):
            return READERS[kind](folder)
        if not _was_ours(folder):
            return None
        raise RunFolderError("it has no config.yaml")
    except (CifarmlpError, OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = reason.splitlines()[0].removeprefix(f"{folder}: ").removeprefix(f"{escape(str(folder))}/")
        return Entry(folder, "", "damaged", _when(folder), fault=reason)


def _was_ours(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names & OURS) or (not names and bool(re.fullmatch(r".+-\d{3,9}", folder.name)))


def _training(folder: Path) -> Entry:
    config = load_config(folder / "config.yaml")
    if (folder / "summary.json").exists():
        return _repeated(folder, config)
    is_locked = files.is_locked(folder)
    return _of_seeds(folder, "training", config, is_locked, [] if is_locked else _outcomes(folder), 1)


def _repeated(folder: Path, config: Config) -> Entry:
    planned = read_planned(folder)
    places = [path for path in folder.glob("seed-*") if path.name.removeprefix("seed-").isdecimal()]
    outcomes = [outcome for path in places for outcome in _outcomes(path)]
    return _of_seeds(folder, "repeated", config, files.is_locked(folder), outcomes, planned)


def _outcomes(folder: Path) -> list[Outcome]:
    """Return the outcome of a training, or none: also where it has ended and its model is gone."""
    recorded = read_recorded(folder)
    if recorded is None:
        return []
    is_whole = recorded[0].status == "interrupted" or (folder / MODEL).is_file()
    return [recorded[0]] if is_whole else []


def _of_seeds(
    folder: Path, kind: str, config: Config, is_locked: bool, outcomes: Sequence[Outcome], planned: int
) -> Entry:
    ended = [outcome for outcome in outcomes if outcome.status != "interrupted"]
    parts = [part for part in PARTS if part in parts_of([config])]
    accuracy = {part: mean_and_std([outcome.metric(part, "accuracy") for outcome in ended]) for part in parts}
    seconds = sum(outcome.seconds for outcome in outcomes) if outcomes else math.nan
    status = status_of(is_locked, outcomes, planned)
    return Entry(
        folder, kind, status, _when(folder), config, in_short(config), len(ended), planned, seconds, accuracy,
        at_chance=sum(outcome.at_chance for outcome in ended),
    )  # fmt: skip


def _search(folder: Path) -> Entry:
    search = read_search(folder)
    if search.faults:
        raise RunFolderError(search.faults[0])
    status: str = search.plan.status
    if status == "running" and not files.is_locked(folder):
        status = "unfinished"
    section, results = search.config.search, search.results.values()
    space = section.coarse.space if section and section.coarse else {}
    about = f"{counted(len({result.trial for result in results}), 'trial')} of {', '.join(space)}"
    seconds = sum(result.seconds for result in results if math.isfinite(result.seconds))
    seeds = search.plan.seeds
    return Entry(
        folder, "search", status, _when(folder), search.config, about, seeds, seeds, seconds, _best(folder)
    )


def _best(folder: Path) -> dict[str, dict[str, float]]:
    top = files.read_json(folder / "top.json", TopFile)
    if top is None or top.best is None:
        return {}
    mean, std = top.best.validation_accuracy, top.best.validation_std
    return {"validation": {"mean": mean, "std": std, "n": 1 if math.isnan(std) else 2}}


def _study(folder: Path) -> Entry:
    study = files.read_json(folder / "study.json", StudyFile)
    if study is None:
        raise RunFolderError("study.json is missing")
    status: str = study.status
    if files.is_locked(folder):
        status = "running"
    elif status == "running":
        status = "unfinished"
    inside = sum(folder_kind(path) == "run" for path in folder.iterdir() if path.is_dir())
    return Entry(
        folder,
        "study",
        status,
        _when(folder),
        about=f"{inside} run{'s' * (inside != 1)} inside",
        seconds=study.seconds,
    )


READERS: Mapping[str, Callable[[Path], Entry]] = {"run": _training, "search": _search, "study": _study}


def _when(folder: Path) -> float:
    def times() -> Iterator[float]:
        for path in (folder, *(folder / name for name in DATED)):
            try:
                yield path.stat().st_mtime
            except OSError:
                continue

    inside = list(times())
    return max(inside[1:] or inside, default=0.0)  # drawing a picture in the folder changes its own time


def _largest_first(number: float) -> tuple[bool, float]:
    return math.isnan(number), -number


SORTS: Mapping[str, Callable[[Entry], Any]] = {
    "date": lambda entry: -entry.when,
    "name": lambda entry: natural_key(entry.folder.name),
    "status": lambda entry: STATUS.index(entry.status) if entry.status in STATUS else len(STATUS),
    "test": lambda entry: _largest_first(entry.mean("test")),
    "validation": lambda entry: _largest_first(entry.mean("validation")),
    "seconds": lambda entry: _largest_first(entry.seconds),
}


def sort_entries(entries: Sequence[Entry], key: str) -> list[Entry]:
    """Sort by one of SORTS, newest, largest or longest first; equal ones by name."""
    return sorted(sorted(entries, key=SORTS["name"]), key=SORTS[key])
