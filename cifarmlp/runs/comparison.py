"""Runs side by side: the differences of their configs, their results and their curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from cifarmlp import files
from cifarmlp.config import Config, words
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.render.means import MeanCurve
from cifarmlp.render.overlay import draw_overlay
from cifarmlp.runs.differences import ABSENT, differing_values
from cifarmlp.runs.folder import Run, load_training, unique_names
from cifarmlp.stats import mean_interval
from cifarmlp.text import escape, yaml_line
from cifarmlp.training.environment import read_environment
from cifarmlp.training.outcome import PARTS, Outcome, summarise
from cifarmlp.training.provenance import EFFECT, Changes, changes_between

STAMP = "cifarmlp compare"  # marks a picture as ours, so that the next comparison may overwrite it


@dataclass(frozen=True)
class ComparedRun:
    """A run among others.

    label: its folder's name, or path if several have that name. values: by key that differs between the
    configs, ABSENT if its own lacks the key. summary: as in summary.json, over the seeds that have ended.
    """

    label: str
    run: Run
    values: Mapping[str, Any]
    summary: Mapping[str, Any]

    def differs(self) -> dict[str, Any]:
        """Return `values`, with None for the keys that its config lacks."""
        return {key: None if value == ABSENT else value for key, value in self.values.items()}

    def value_text(self, key: str) -> str:
        """Return a value as YAML on one short line; `-` if its config lacks the key."""
        text = "-" if self.values[key] == ABSENT else escape(yaml_line(self.values[key]))
        return text if len(text) <= 60 else f"{text[:59]}…"

    def state(self) -> str:
        """Return `finished`, or how many of the seeds have diverged or not ended."""
        status, n, outcomes = self.run.status(), len(self.run.seeds), self.run.outcomes()
        if n < 2 or status == "finished":
            return "not ended" if status == "unfinished" else status
        diverged = sum(outcome.status == "diverged" for outcome in outcomes)
        counts = {"diverged": diverged, "not ended": n - len(outcomes)}
        return ", ".join(f"{count} of {n} {state}" for state, count in counts.items() if count)


@dataclass(frozen=True)
class Comparison:
    """Runs compared with the first of them.

    paired: `paired_differences` by label, for each run that shares two seeds or more with the first. notes:
    warnings for the reader, a line each.
    """

    runs: tuple[ComparedRun, ...]
    paired: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare trainings, single or repeated, with the first of them, seed by seed.

    Raises ConfigError for fewer than two, one given twice, or the folder of a search or study,
    RunFolderError for one that is missing or damaged.
    """
    if len(folders) < 2:
        raise ConfigError("which RUNs? Give two or more: cifarmlp compare runs/A-001 runs/B-001")
    runs = [load_training(folder) for folder in folders]
    _refuse_twice(folders)
    labels = map(escape, unique_names(folders))
    values = differing_values([run.config for run in runs])
    rows = tuple(
        ComparedRun(label, run, {key: column[n] for key, column in values.items()}, summarise(run.outcomes()))
        for n, (label, run) in enumerate(zip(labels, runs, strict=True))
    )
    return Comparison(rows, _differences_to_first(rows), tuple(_notes(rows)))


def _refuse_twice(folders: Sequence[Path]) -> None:
    places = [folder.resolve() for folder in folders]
    for folder, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"{escape(str(folder))}: given twice; once is enough")


def _differences_to_first(runs: Sequence[ComparedRun]) -> dict[str, Mapping[str, Any]]:
    first, *others = runs
    alike = [other for other in others if not origin_changes(first.run, other.run).images]
    paired = {c.label: paired_differences(first.run.outcomes(), c.run.outcomes()) for c in alike}
    return {label: parts for label, parts in paired.items() if any(each["n"] > 1 for each in parts.values())}


def origin_changes(*runs: Run) -> Changes:
    """Return how what the first seed was made of differs from what any other seed of these runs was made of.

    Only seeds that have ended count. See `provenance.Changes`.
    """
    seeds = [(run, seed) for run in runs for seed in run.seeds if seed.outcome]
    sources = dict.fromkeys(run.config.data.source for run, _ in seeds)
    if len(sources) > 1:
        return Changes(images=(f"images were {' and '.join(sources)}",))
    first, *others = [read_environment(seed.folder) for _, seed in seeds] or [None]
    changes = [changes_between(first, other) for other in others]
    kinds = ("images", "code", "numerics")
    return Changes(*(tuple(dict.fromkeys(c for each in changes for c in getattr(each, k))) for k in kinds))


def origin_note(first: str, label: str, changes: Changes) -> str:
    """Return what to tell of a run that was made of other images, code or numerics than the first; or ''."""
    if changes.images:
        return f"{label}: other images than {first}, so no differences to it"
    return f"{label} and {first}: {changes.tolerable}: {EFFECT}" if changes.tolerable else ""


def loss_note(first: str, label: str, configs: Sequence[Config]) -> str:
    """Return what to tell of a run with another loss than the first, given both configs; or ''."""
    before, after = map(words.loss, configs)
    if before == after:
        return ""
    return f"{label} and {first}: their losses are not comparable ({after}; {before}), only accuracies are"


def _notes(runs: Sequence[ComparedRun]) -> list[str]:
    first, *others = runs
    seeds = [seed for each in runs for seed in each.run.seeds]
    notes = [f"{escape(str(seed.folder))}: {fault}" for seed in seeds for fault in seed.faults()]
    missing = [seed.folder for seed in seeds if seed.outcome is None]
    notes += [f"{escape(str(f))}: not ended, or damaged; left out of the figures" for f in missing]
    empty = [each.run.folder for each in runs if not each.run.seeds]
    notes += [f"{escape(str(f))}: none of its seeds has been begun" for f in empty]
    mixed = [each.label for each in runs if origin_changes(each.run).images]
    notes += [f"{label}: its own seeds were trained on different images" for label in mixed]
    told = [origin_note(first.label, each.label, origin_changes(first.run, each.run)) for each in others]
    told += [loss_note(first.label, o.label, [first.run.config, o.run.config]) for o in others]
    return notes + [note for note in told if note]


def mean_curve(run: Run) -> MeanCurve:
    """Return `MeanCurve.of_finite` the seeds that have ended, or all that were begun if none has."""
    seeds = [seed for seed in run.seeds if seed.outcome] or run.seeds
    return MeanCurve.of_finite([seed.rows() for seed in seeds])


def refuse_other_picture(path: Path) -> None:
    """Raise ConfigError if `path` is no PNG, or exists and is not an earlier comparison.

    Raises RunFolderError if its folder is missing.
    """
    name = escape(str(path))
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--figure {name}: the figure is a PNG; give a name that ends in .png")
    if not path.parent.is_dir():
        raise RunFolderError(f"--figure {name}: there is no such folder; make it, or give another name")
    if path.exists() and not _is_comparison(path):
        raise ConfigError(f"{name}: exists already and is no comparison; give another name with --figure")


def _is_comparison(path: Path) -> bool:
    try:
        with files.open_regular(path, files.MOST_ARRAYS) as file:
            return f"Software\0{STAMP}".encode() in file.read(4096)
    except OSError:
        return False


def draw_comparison(comparison: Comparison, path: Path) -> bool:
    """Write the overlaid curves as PNG; return False, and write nothing, if no run has a curve.

    False, and a warning, if they cannot be drawn or written. Raises ConfigError as `refuse_other_picture`.
    """
    refuse_other_picture(path)
    curves = {each.label: mean_curve(each.run) for each in comparison.runs}
    if not any(curve.steps or curve.lost for curve in curves.values()):
        return False
    folders = " ".join(quote(str(each.run.folder)) for each in comparison.runs)
    with files.forgive(path, f"cifarmlp compare {folders} --figure {quote(str(path))}"):
        label = words.loss_label(each.run.config for each in comparison.runs)
        files.write_png(path, draw_overlay(curves, label), {"Software": STAMP})
        return True
    return False


def compare_pairs(
    first_folder: Path, first: Sequence[Outcome], folder: Path, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Write `paired_differences` as difference.json into the second run's folder, and return its content.

    Raises RunFolderError.
    """
    difference = {
        "run": str(folder), "minus": str(first_folder), "accuracy": paired_differences(first, outcomes)
    }  # fmt: skip
    files.write_json(folder / "difference.json", difference)
    return difference


def _measured_parts(pairs: Sequence[tuple[Outcome, Outcome]]) -> list[str]:
    """Return the parts but for a validation set that some run has not."""
    lacking = any(
        "train" in each.metrics and "validation" not in each.metrics for pair in pairs for each in pair
    )
    return [part for part in PARTS if part != "validation" or not lacking]


def paired_differences(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, Any]:
    """Return the accuracy of the second run minus that of the first, over the seeds that both have.

    By part of the data: mean, its 95 % interval from low to high, and n; see `mean_interval`. Seeds that
    diverged or were interrupted have no accuracy, and are left out; so is validation where a run has none.
    """
    before = {outcome.seed: outcome for outcome in first}
    pairs = [(before[outcome.seed], outcome) for outcome in second if outcome.seed in before]
    differences: dict[str, Any] = {}
    for part in _measured_parts(pairs):
        values = [new.metric(part, "accuracy") - old.metric(part, "accuracy") for old, new in pairs]
        known = [value for value in values if math.isfinite(value)]
        mean, low, high = mean_interval(known)
        differences[part] = {"mean": mean, "low": low, "high": high, "n": len(known)}
    return differences
