"""Runs side by side: what their configs differ in, what they came to, and how that came about."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import files
from cifarmlp.config import BatchNormConfig, Config, dotted
from cifarmlp.errors import ConfigError
from cifarmlp.render import curves
from cifarmlp.render.curves import MeanCurve, draw_overlay
from cifarmlp.runs.folder import Run, Seed, load_training
from cifarmlp.stats import mean_interval
from cifarmlp.text import escape, yaml_line
from cifarmlp.training.outcome import PARTS, Outcome, summarise

ASIDE = ("name", "search")  # of a config; they change nothing in a training
ABSENT = ""
STAMP = "cifarmlp compare"  # in a picture, so that the next one may take its place


@dataclass(frozen=True)
class ComparedRun:
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
        text = "-" if self.values[key] == ABSENT else escape(yaml_line(self.values[key]))
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

    runs: tuple[ComparedRun, ...]
    paired: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Trainings and repeated trainings side by side, and with the first of them, seed by seed.

    Raises ConfigError for fewer than two, one given twice, or the folder of a search or study;
    RunFolderError for one that is missing or damaged.
    """
    if len(folders) < 2:
        raise ConfigError("which RUNs? Give two or more: cifarmlp compare runs/A-001 runs/B-001")
    read = [load_training(folder) for folder in folders]
    _refuse_twice(folders)
    labels = _labels(folders)
    values = differing_values([run.config for run in read])
    compared = tuple(
        ComparedRun(label, run, {key: column[n] for key, column in values.items()}, summarise(run.outcomes()))
        for n, (label, run) in enumerate(zip(labels, read, strict=True))
    )
    return Comparison(compared, _paired(compared), tuple(_notes(compared)))


def _refuse_twice(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"{escape(str(folder))}: given twice; once is enough")


def _labels(folders: Sequence[Path]) -> list[str]:
    names = [folder.resolve().name for folder in folders]
    several = len(set(names)) < len(names)
    return [escape(str(folder) if several else name) for folder, name in zip(folders, names, strict=True)]


def differing_values(configs: Sequence[Config]) -> dict[str, list[Any]]:
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
    if key == "network.batch_norm" and inside == BatchNormConfig().model_dump():
        return True
    return inside or ABSENT


def _paired(compared: Sequence[ComparedRun]) -> dict[str, Mapping[str, Any]]:
    first, *others = compared
    alike = [other for other in others if _source(other) == _source(first)]
    found = {c.label: paired_differences(first.run.outcomes(), c.run.outcomes()) for c in alike}
    return {name: parts for name, parts in found.items() if any(parts[part]["n"] > 1 for part in PARTS)}


def _source(compared: ComparedRun) -> str:
    return compared.run.config.data.source


def _notes(compared: Sequence[ComparedRun]) -> list[str]:
    first = compared[0]
    missing = [seed.folder for each in compared for seed in each.run.seeds if seed.outcome is None]
    notes = [f"{escape(str(f))}: not ended, or damaged; left out of the figures" for f in missing]
    empty = [each.run.folder for each in compared if not each.run.seeds]
    notes += [f"{escape(str(f))}: none of its seeds has been begun" for f in empty]
    others = [each.label for each in compared if _source(each) != _source(first)]
    return notes + [f"{label}: other images than {first.label}, so no differences to it" for label in others]


# Curves


def mean_curve(run: Run) -> MeanCurve:
    """Mean and std (n - 1) over the seeds at the steps that all have: those that ended, or else all begun.

    Where one of them has no number, as after it diverged, there is none.
    """
    ended = [seed for seed in run.seeds if seed.outcome] or run.seeds
    histories = [history for seed in ended if (history := _history(seed))]
    if not histories:
        return MeanCurve((), {}, {}, 0)
    steps = sorted(set.intersection(*(set(history) for history in histories)))
    names = [f"{part}_{quantity}" for part in curves.SETS for quantity in curves.COMPARED]
    values = {name: np.array([[h[step][name] for step in steps] for h in histories]) for name in names}
    n = len(histories)
    means = {name: array.mean(axis=0) for name, array in values.items()}
    stds = {name: array.std(axis=0, ddof=1) for name, array in values.items()} if n > 1 else {}
    return MeanCurve(tuple(steps), means, stds, n)


def _history(seed: Seed) -> dict[float, dict[str, float]]:
    """The rows of a training by their step, those that are whole; what is not finite as nan."""
    names = ["step", *(f"{part}_{quantity}" for part in curves.SETS for quantity in curves.COMPARED)]
    rows = [row for row in seed.rows() if all(name in row for name in names) and np.isfinite(row["step"])]
    return {r["step"]: {name: r[name] if np.isfinite(r[name]) else np.nan for name in names} for r in rows}


def refuse_other_picture(path: Path) -> None:
    """Raises ConfigError where a comparison can't go there: no PNG, or a file that is not one of ours."""
    name = escape(str(path))
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--figure {name}: the figure is a PNG; give a name that ends in .png")
    if path.exists() and not (path.is_file() and f"Software\0{STAMP}".encode() in path.read_bytes()[:4096]):
        raise ConfigError(f"{name}: exists already and is no comparison; give another name with --figure")


def draw_comparison(comparison: Comparison, path: Path) -> bool:
    """The overlaid curves as PNG; whether there are any. Raises as `check_figure`, and RunFolderError."""
    refuse_other_picture(path)
    courses = {each.label: mean_curve(each.run) for each in comparison.runs}
    if not any(each.steps for each in courses.values()):
        return False
    figure = draw_overlay(courses)
    files.write_png(path, figure, {"Software": STAMP})
    return True


def compare_pairs(
    first_folder: Path, first: Sequence[Outcome], folder: Path, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Write difference.json to the second one's folder; returns what it holds. Raises RunFolderError."""
    found = {"run": str(folder), "minus": str(first_folder), "accuracy": paired_differences(first, outcomes)}
    files.write_json(folder / "difference.json", found)
    return found


def paired_differences(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, Any]:
    """Accuracy of the second minus that of the first, over the seeds that both have: by part of the data.

    Seeds that a training was interrupted in, or that diverged, have no accuracy and are left out.
    """
    before = {outcome.seed: outcome for outcome in first}
    pairs = [(before[outcome.seed], outcome) for outcome in second if outcome.seed in before]
    found: dict[str, Any] = {}
    for part in PARTS:
        values = [new.metric(part, "accuracy") - old.metric(part, "accuracy") for old, new in pairs]
        known = [value for value in values if math.isfinite(value)]
        mean, low, high = mean_interval(known)
        found[part] = {"mean": mean, "low": low, "high": high, "n": len(known)}
    return found
