"""Several trainings next to each other, as a section of a page."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cifarmlp.config import words
from cifarmlp.render.document import Block, Cell, Picture, Section, Table, Text, Verdict
from cifarmlp.render.means import MeanCurve
from cifarmlp.render.overlay import draw_overlay
from cifarmlp.report.training import state_of
from cifarmlp.runs import comparison
from cifarmlp.runs.folder import Run
from cifarmlp.stats import format_mean_std
from cifarmlp.training.outcome import LOOKED_AT, parts_of, summarise

Runs = Mapping[str, Run]


def comparison_section(runs: Runs) -> Section:
    """Return the section that compares at least two runs, by their names on the page."""
    return Section("Comparison", tuple(_blocks(runs)))


def _blocks(runs: Runs) -> Iterator[Block]:
    yield from _settings(runs)
    yield _results(runs)
    yield from overlay_pictures(runs, "comparison")
    yield from _differences(runs)


def _results(runs: Runs) -> Table:
    parts = parts_of(run.config for run in runs.values())
    rows = tuple(_result(name, run, parts) for name, run in runs.items())
    header = ("run", "seeds", "state", *(f"{part} accuracy" for part in parts), "test loss")
    looked_at = [name for name, run in runs.items() if run.config.training.evaluate_test]
    loss = words.loss_label(run.config for run in runs.values())
    caption = f"Accuracy (fraction of the images) and {loss} at the end, mean ± std over the seeds."
    if looked_at:
        caption += f" Test images {LOOKED_AT}: {', '.join(looked_at)}."
    return Table("comparison", caption, header, rows)


def _result(name: str, run: Run, parts: Sequence[str]) -> tuple[Cell, ...]:
    outcomes = run.outcomes()
    summary = summarise(outcomes)
    accuracies = (format_mean_std(summary[part]["accuracy"]) for part in parts)
    return (name, str(len(outcomes)), _state(run), *accuracies, format_mean_std(summary["test"]["loss"]))


def _state(run: Run) -> Verdict:
    """Return the worst that happened to a seed."""
    outcomes = run.outcomes()
    bad = [state for state in map(state_of, outcomes) if state.tone == "bad"]
    if bad and len(outcomes) == 1:
        return bad[0]
    if bad:
        return (
            bad[0] if len(outcomes) == 1 else Verdict(f"{len(bad)} of {len(outcomes)} did not learn", "bad")
        )
    return Verdict("finished", "good") if run.status() == "finished" else Verdict("not ended", "open")


def overlay_pictures(runs: Runs, name: str, least: int = 1) -> Iterator[Picture]:
    """Yield the picture of the runs' curves, by their names, if so many at `least` have a line to draw.

    name: of its file, before `-curves`.
    """
    curves = {title: comparison.mean_curve(run) for title, run in runs.items()}
    if sum(map(_has_line, curves.values())) < least:
        return
    caption = "Loss and accuracy against steps, mean over the seeds; bands: ± one standard deviation."
    if any(curve.lost for curve in curves.values()):
        caption += " What diverged leaves at the top, at the cross; the axes follow the others."
    loss = words.loss_label(run.config for run in runs.values())
    alt = f"Loss and accuracy of {', '.join(runs)} against steps."
    yield Picture(f"{name}-curves", caption, lambda: draw_overlay(curves, loss), alt)


def _has_line(curve: MeanCurve) -> bool:
    means = [each.mean for each in (curve, *curve.lost) if each.mean]
    return any(np.isfinite(mean["train_loss"]).sum() > 1 for mean in means)


def _settings(runs: Runs) -> Iterator[Block]:
    """Yield a table of the settings in which the runs differ, if any: of the two, the fewer as columns."""
    described = {name: words.describe(run.config) for name, run in runs.items()}
    every = dict.fromkeys(key for settings in described.values() for key in settings)
    keys = [key for key in every if len({settings.get(key) for settings in described.values()}) > 1]
    cells = [("run", *keys), *((name, *(each.get(k, "-") for k in keys)) for name, each in described.items())]
    if len(keys) > len(runs):
        cells = [("setting", *runs), *list(zip(*cells, strict=True))[1:]]
    if keys:
        yield Table("comparison-settings", "The settings in which they differ.", cells[0], tuple(cells[1:]))


def _differences(runs: Runs) -> Iterator[Block]:
    first, *others = runs
    changes = {name: comparison.origin_changes(runs[first], runs[name]) for name in others}
    for name, each in changes.items():
        of_losses = comparison.loss_note(first, name, [runs[first].config, runs[name].config])
        for note in filter(None, (comparison.origin_note(first, name, each), of_losses)):
            yield Text(f"{note}.", "note")
    alike = [name for name in others if not changes[name].images]
    rows = [row for name in alike for row in _pairs(name, runs[first], runs[name])]
    if not rows and alike:
        yield Text("No two of them have a seed in common, so there are no paired differences.")
    if not rows:
        return
    header = ("run", "accuracy", "difference", "95 % interval", "seeds", f"against {first}")
    caption = (
        f"Accuracy minus that of {first}, seed by seed: mean of the paired differences with its 95 % "
        "interval (Student's t)."
    )
    yield Table("comparison-differences", caption, header, tuple(rows))


def _pairs(name: str, first: Run, other: Run) -> Iterator[tuple[Cell, ...]]:
    for part, each in comparison.paired_differences(first.outcomes(), other.outcomes()).items():
        if each["n"]:
            interval = f"{each['low']:+.4f} to {each['high']:+.4f}" if math.isfinite(each["low"]) else "-"
            yield name, part, f"{each['mean']:+.4f}", interval, str(each["n"]), _verdict(each)


def _verdict(difference: Mapping[str, float]) -> Verdict:
    if difference["low"] > 0:
        return Verdict("higher", "good")
    return Verdict("lower", "bad") if difference["high"] < 0 else Verdict("not significant", "open")
