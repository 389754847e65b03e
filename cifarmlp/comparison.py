"""Runs side by side: what their configs differ in, what they came to, and how that came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import paired, pictures, runs, saved
from cifarmlp.config import BatchNorm, Config, dotted
from cifarmlp.errors import ConfigError
from cifarmlp.outcome import PARTS, summarise
from cifarmlp.pictures import Course
from cifarmlp.saved import Run, Seed
from cifarmlp.yaml_words import escaped, one_line

ASIDE = ("name", "search")  # of a config; they change nothing in a training
ABSENT = ""
STAMP = "cifarmlp compare"  # in a picture, so that the next one may take its place


@dataclass(frozen=True)
class Compared:
    """A run among others. label: its folder's name, or path where several have that. values: of the keys that
    differ, ABSENT where its config has none. summary: as in summary.json, over the seeds that have ended.
    """

    label: str
    run: Run
    values: Mapping[str, Any]
    summary: Mapping[str, Any]

    def differs(self) -> dict[str, Any]:
        """`values`, with None for those that its config has not."""
        return {key: None if value == ABSENT else value for key, value in self.values.items()}

    def told(self, key: str) -> str:
        """Its value of a key that differs, as YAML on a short line; `-` where its config has none."""
        text = "-" if self.values[key] == ABSENT else escaped(one_line(self.values[key]))
        return text if len(text) <= 60 else f"{text[:59]}…"

    def state(self) -> str:
        """`finished`, or how many seeds of how many are something else."""
        states = [seed.outcome.status if seed.outcome else "not ended" for seed in self.run.seeds]
        others = [state for state in ("diverged", "not ended") if state in states]
        if len(states) == 1:
            return states[0]
        told = [f"{states.count(other)} of {len(states)} {other}" for other in others]
        return ", ".join(told) or ("finished" if states else "not ended")


@dataclass(frozen=True)
class Comparison:
    """paired: of each run that shares two seeds or more with the first, as `paired.differences` has them, by
    its label. notes: what else the reader should know.
    """

    runs: tuple[Compared, ...]
    paired: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Trainings and repeated trainings side by side, and with the first of them, seed by seed.

    Raises ConfigError for fewer than two, one given twice, or the folder of a search or study;
    RunFolderError for one that is missing or damaged.
    """
    if len(folders) < 2:
        raise ConfigError("which RUNs? Give two or more: cifarmlp compare runs/A-001 runs/B-001")
    read = [saved.read_training(folder) for folder in folders]
    _refuse_twice(folders)
    labels = _labels(folders)
    values = differing([run.config for run in read])
    compared = tuple(
        Compared(label, run, {key: column[n] for key, column in values.items()}, summarise(run.outcomes()))
        for n, (label, run) in enumerate(zip(labels, read, strict=True))
    )
    return Comparison(compared, _paired(compared), tuple(_notes(compared)))


def _refuse_twice(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"{escaped(str(folder))}: given twice; once is enough")


def _labels(folders: Sequence[Path]) -> list[str]:
    names = [folder.resolve().name for folder in folders]
    several = len(set(names)) < len(names)
    return [escaped(str(folder) if several else name) for folder, name in zip(folders, names, strict=True)]


def differing(configs: Sequence[Config]) -> dict[str, list[Any]]:
    """The dotted keys that not all configs have the same value of, with each one's; name and search aside.

    A section that one of them has as a plain value is one key: batch_norm, where one has none.
    """
    flat = [dotted(config) for config in configs]
    keys = dict.fromkeys(key for values in flat for key in values if key.split(".")[0] not in ASIDE)
    outer = [key for key in keys if not any(key.startswith(f"{other}.") for other in keys)]
    columns = {key: [_value(values, key) for values in flat] for key in outer}
    return {key: column for key, column in columns.items() if any(value != column[0] for value in column)}


def _value(values: Mapping[str, Any], key: str) -> Any:
    if key in values:
        return values[key]
    inside = {name[len(key) + 1 :]: value for name, value in values.items() if name.startswith(f"{key}.")}
    if key == "network.batch_norm" and inside == BatchNorm().model_dump():
        return True
    return inside or ABSENT


def _paired(compared: Sequence[Compared]) -> dict[str, Mapping[str, Any]]:
    first, *others = compared
    alike = [other for other in others if _source(other) == _source(first)]
    found = {c.label: paired.differences(first.run.outcomes(), c.run.outcomes()) for c in alike}
    return {name: parts for name, parts in found.items() if any(parts[part]["n"] > 1 for part in PARTS)}


def _source(compared: Compared) -> str:
    return compared.run.config.data.source


def _notes(compared: Sequence[Compared]) -> list[str]:
    first = compared[0]
    missing = [seed.folder for each in compared for seed in each.run.seeds if seed.outcome is None]
    notes = [f"{escaped(str(f))}: not ended, or damaged; left out of the figures" for f in missing]
    empty = [each.run.folder for each in compared if not each.run.seeds]
    notes += [f"{escaped(str(f))}: none of its seeds has been begun" for f in empty]
    others = [each.label for each in compared if _source(each) != _source(first)]
    return notes + [f"{label}: other images than {first.label}, so no differences to it" for label in others]


# Curves


def course(run: Run) -> Course:
    """Mean and std (n - 1) over the seeds at the steps that all have: those that ended, or else all begun.

    Where one of them has no number, as after it diverged, there is none.
    """
    ended = [seed for seed in run.seeds if seed.outcome] or run.seeds
    histories = [history for seed in ended if (history := _history(seed))]
    if not histories:
        return Course((), {}, {}, 0)
    steps = sorted(set.intersection(*(set(history) for history in histories)))
    names = [f"{part}_{quantity}" for part in pictures.SETS for quantity in pictures.COMPARED]
    values = {name: np.array([[h[step][name] for step in steps] for h in histories]) for name in names}
    n = len(histories)
    means = {name: array.mean(axis=0) for name, array in values.items()}
    stds = {name: array.std(axis=0, ddof=1) for name, array in values.items()} if n > 1 else {}
    return Course(tuple(steps), means, stds, n)


def _history(seed: Seed) -> dict[float, dict[str, float]]:
    """The rows of a training by their step, those that are whole; what is not finite as nan."""
    names = ["step", *(f"{part}_{quantity}" for part in pictures.SETS for quantity in pictures.COMPARED)]
    rows = [row for row in seed.rows() if all(name in row for name in names) and np.isfinite(row["step"])]
    return {r["step"]: {name: r[name] if np.isfinite(r[name]) else np.nan for name in names} for r in rows}


def check_figure(path: Path) -> None:
    """Raises ConfigError where a comparison can't go there: no PNG, or a file that is not one of ours."""
    name = escaped(str(path))
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--figure {name}: the figure is a PNG; give a name that ends in .png")
    if path.exists() and not (path.is_file() and f"Software\0{STAMP}".encode() in path.read_bytes()[:4096]):
        raise ConfigError(f"{name}: exists already and is no comparison; give another name with --figure")


def draw(comparison: Comparison, path: Path) -> bool:
    """The overlaid curves as PNG; whether there are any. Raises as `check_figure`, and RunFolderError."""
    check_figure(path)
    courses = {each.label: course(each.run) for each in comparison.runs}
    if not any(each.steps for each in courses.values()):
        return False
    figure = pictures.overlaid(courses)
    runs.write(path, lambda f: figure.savefig(f, format="png", dpi=150, metadata={"Software": STAMP}))
    return True
