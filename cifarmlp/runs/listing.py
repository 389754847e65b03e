"""What is in a folder of runs: an entry for each, sorted. Models are not looked at."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cifarmlp import files
from cifarmlp.config import Config, load_config
from cifarmlp.config.words import in_short
from cifarmlp.errors import CifarmlpError, RunFolderError
from cifarmlp.runs.folder import folder_kind
from cifarmlp.search.folder import read_search
from cifarmlp.stats import mean_and_std
from cifarmlp.text import escape, natural_key
from cifarmlp.training.outcome import Outcome, read_planned, read_recorded

KINDS = ("training", "repeated", "search", "study")
STATUS = ("finished", "diverged", "interrupted", "running", "unfinished", "damaged")
PARTS = ("validation", "test")
DATED = ("config.yaml", "metrics.csv", "result.json", "search.json", "study.json", "summary.json")
OURS = {*DATED, ".lock", "checkpoint.npz", "environment.json", "model.npz", "seeds.csv", "trials.csv"}
NOTHING = {"mean": math.nan, "std": math.nan, "n": 0}


@dataclass(frozen=True)
class Entry:
    """A run folder at a glance. status: of STATUS, or empty where it can't be told; fault: what is damaged.

    kind: training, repeated, search, study, or empty. seeds: ended, of those planned. accuracy: by part,
    mean, std and n over the seeds, of a search its best trial's. when: last written to, seconds since 1970.
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

    def mean(self, part: str) -> float:
        """The mean accuracy on a part of the data; nan where there is none."""
        return self.accuracy.get(part, NOTHING)["mean"]


def list_entries(folder: Path) -> list[Entry]:
    """The runs in a folder, newest first; of a run folder that has none inside, that one.

    Raises RunFolderError where there is no such folder, or it can't be read.
    """
    try:
        inside = [path for path in folder.iterdir() if path.is_dir()]
    except OSError as error:
        raise RunFolderError(f"{escape(str(folder))}: cannot be listed: {error.strerror}") from error
    found = [entry for path in inside if (entry := entry_of(path))]
    if not found and folder_kind(folder) and (itself := entry_of(folder)):
        found = [itself]
    return sort_entries(found, "date")


def entry_of(folder: Path) -> Entry | None:
    """What a run folder holds; None where the folder is nothing of ours. A damaged one says why."""
    try:
        kind = folder_kind(folder)
        if kind is None and not _was_ours(folder):
            return None
        return READERS[kind](folder)
    except (CifarmlpError, OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = reason.splitlines()[0].removeprefix(f"{folder}: ").removeprefix(f"{escape(str(folder))}/")
        return Entry(folder, "", "damaged", _when(folder), fault=reason)


def _was_ours(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names & OURS) or (not names and bool(re.fullmatch(r".+-\d{3,9}", folder.name)))


def _nothing(folder: Path) -> Entry:
    raise RunFolderError("it has no config.yaml")


def _training(folder: Path) -> Entry:
    config = load_config(folder / "config.yaml")
    if (folder / "summary.json").exists():
        return _repeated(folder, config)
    found = [] if files.is_locked(folder) else _recorded(folder)
    status = "running" if files.is_locked(folder) else found[0].status if found else "unfinished"
    return _of_seeds(Entry(folder, "training", status, _when(folder), config, planned=1), found)


def _repeated(folder: Path, config: Config) -> Entry:
    planned = read_planned(folder)
    places = [path for path in folder.glob("seed-*") if path.name.removeprefix("seed-").isdecimal()]
    found = [each for path in places for each in _recorded(path)]
    there = {each.status for each in found}
    status = "running" if files.is_locked(folder) else "interrupted" if "interrupted" in there else ""
    ended = "diverged" if "diverged" in there else "finished"
    status = status or (ended if len(found) >= planned else "unfinished")
    return _of_seeds(Entry(folder, "repeated", status, _when(folder), config, planned=planned), found)


def _recorded(folder: Path) -> list[Outcome]:
    try:
        return [read_recorded(folder)[0]]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise RunFolderError(f"{folder.name}: {error}") from error


def _of_seeds(entry: Entry, found: Sequence[Outcome]) -> Entry:
    ended = [each for each in found if each.status != "interrupted"]
    accuracy = {part: mean_and_std([each.metric(part, "accuracy") for each in ended]) for part in PARTS}
    assert entry.config is not None
    more = {"seconds": sum(each.seconds for each in found) if found else math.nan, "accuracy": accuracy}
    return Entry(**{**vars(entry), **more, "about": in_short(entry.config), "seeds": len(ended)})


def _search(folder: Path) -> Entry:
    search = read_search(folder)
    status: str = search.plan.status
    if status == "running" and not files.is_locked(folder):
        status = "unfinished"
    section, results = search.config.search, search.results.values()
    space = section.coarse.space if section and section.coarse else {}
    about = f"{len({result.trial for result in results})} trials of {', '.join(space)}"
    seconds = sum(result.seconds for result in results if math.isfinite(result.seconds))
    seeds = search.plan.seeds
    return Entry(
        folder, "search", status, _when(folder), search.config, about, seeds, seeds, seconds, _best(folder)
    )


def _best(folder: Path) -> dict[str, dict[str, float]]:
    if not (folder / "top.json").exists():
        return {}
    best = _json(folder / "top.json").get("best") or {}
    try:
        mean, std = (float(best.get(f"validation_{name}", math.nan)) for name in ("accuracy", "std"))
    except (AttributeError, TypeError, ValueError) as error:
        raise RunFolderError("top.json is damaged") from error
    return {"validation": {"mean": mean, "std": std, "n": 1 if math.isnan(std) else 2}}


def _study(folder: Path) -> Entry:
    study = _json(folder / "study.json")
    told, seconds = study.get("status"), study.get("seconds")
    status = "running" if files.is_locked(folder) else "unfinished" if told == "running" else told
    inside = sum(folder_kind(path) == "run" for path in folder.iterdir() if path.is_dir())
    return Entry(
        folder, "study", status if isinstance(status, str) and status in STATUS else "", _when(folder),
        about=f"{inside} run{'s' * (inside != 1)} inside",
        seconds=seconds if isinstance(seconds, float) else math.nan,
    )  # fmt: skip


READERS: Mapping[str | None, Callable[[Path], Entry]] = {
    "run": _training,
    "search": _search,
    "study": _study,
    None: _nothing,
}


def _json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise RunFolderError(f"{path.name} is damaged")
    return values


def _when(folder: Path) -> float:
    def times() -> Iterator[float]:
        for path in (folder, *(folder / name for name in DATED)):
            try:
                yield path.stat().st_mtime
            except OSError:
                continue

    inside = list(times())
    return max(inside[1:] or inside, default=0.0)  # the folder's own changes with each picture drawn in it


# Sorted


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


def sort_entries(found: Sequence[Entry], key: str) -> list[Entry]:
    """Sorted by one of SORTS: newest, largest or longest first; of equals, by name."""
    return sorted(sorted(found, key=SORTS["name"]), key=SORTS[key])
