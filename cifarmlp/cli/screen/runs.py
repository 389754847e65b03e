"""What people see of runs that there are: the listing, the comparison, the evaluation of a model."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from cifarmlp.config import dotted
from cifarmlp.files import nan_to_null
from cifarmlp.runs.listing import NOTHING, Entry
from cifarmlp.stats import format_mean_std
from cifarmlp.text import escape
from cifarmlp.training.outcome import PARTS

if TYPE_CHECKING:  # a listing needs none of what these bring, and is to be there at once
    from cifarmlp.runs.comparison import Comparison
    from cifarmlp.runs.evaluation import Report

Rows = Sequence[Sequence[str]]

MOST_COLUMNS = 3  # for what configs differ in; more are a table of their own


def _print_table(headers: Sequence[str], rows: Rows, left: int = 1) -> None:
    """A table whose first `left` columns are text; the others are numbers, to the right."""
    align = ["left"] * left + ["right"] * (len(headers) - left)
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, colalign=align if rows else None))


# What is in a folder


def print_listing(folder: Path, found: Sequence[Entry], of: int, as_json: bool) -> None:
    """The runs that were found, a row each, `of` so many before they were filtered."""
    if as_json:
        click.echo(json.dumps([_entry_as_json(entry) for entry in found], indent=2))
        return
    if not found:
        place = escape(str(folder))
        click.echo(
            f"{place}: none of {of} runs is such a one" if of
            else f"{place}: no runs yet; start with: cifarmlp train quickstart"
        )  # fmt: skip
        return
    headers = ["run", "kind", "status", "what", "seeds", "validation", "test", "seconds", "when"]
    _print_table(headers, [_row(entry) for entry in found], left=4)


def _row(entry: Entry) -> list[str]:
    seeds = f"{entry.seeds}" if entry.seeds == entry.planned else f"{entry.seeds} of {entry.planned}"
    figures = [format_mean_std(entry.accuracy.get(part, NOTHING)) for part in ("validation", "test")]
    words = [entry.folder.name, entry.kind or "-", entry.status or "-", entry.fault or entry.about]
    seconds = f"{entry.seconds:.1f}" if math.isfinite(entry.seconds) else "-"
    told = [seeds if entry.planned else "-", *figures, seconds, _minute(entry.when)]
    return [*(escape(word) for word in words), *told]


def _minute(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    values = {name: value for name, value in vars(entry).items() if name not in ("folder", "config", "when")}
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(entry.when))
    config = dotted(entry.config) if entry.config else None
    about = {"run": str(entry.folder), "name": entry.folder.name, **values}
    return dict(nan_to_null({**about, "when": when, "config": config}))


# Side by side


def print_comparison(found: "Comparison", figure: Path | None, as_json: bool) -> None:
    """What the runs came to, what they differ in, and the differences seed by seed."""
    if as_json:
        click.echo(json.dumps(nan_to_null(_comparison_as_json(found, figure)), indent=2))
        return
    keys = list(found.runs[0].values)
    _print_measured(found, "accuracy", keys if len(keys) <= MOST_COLUMNS else [])
    _print_measured(found, "loss", [])
    if len(keys) > MOST_COLUMNS:
        click.echo("\nwhat their configs differ in")
        rows = [[key, *(each.told(key) for each in found.runs)] for key in keys]
        _print_table(["", *(each.label for each in found.runs)], rows, left=1 + len(found.runs))
    for label, parts in found.paired.items():
        click.echo(f"\n{label} minus {found.runs[0].label}, seed by seed")
        _print_table(
            ["accuracy", "difference", "95 % interval", "seeds"],
            [
                [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", f"{d['n']}"]
                for part, d in parts.items()
                if d["n"] > 1
            ],
        )
    if figure is not None:
        click.echo(f"\ncurves:  {escape(str(figure))}")


def _print_measured(found: "Comparison", quantity: str, keys: Sequence[str]) -> None:
    states = [each.state() for each in found.runs]
    if quantity == "loss" or set(states) == {"finished"}:
        states = []
    rows = []
    for n, each in enumerate(found.runs):
        values = [each.told(key) for key in keys]
        figures = [format_mean_std(each.summary[part][quantity]) for part in PARTS]
        rows.append([each.label, *values, *states[n : n + 1], f"{each.summary['n']}", *figures])
    headers = ["run", *keys, *(["status"] if states else [])]
    click.echo(f"\n{quantity}" if quantity == "loss" else quantity)
    _print_table([*headers, "seeds", *PARTS], rows, left=len(headers))


def _comparison_as_json(found: "Comparison", figure: Path | None) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run": str(each.run.folder),
                "label": each.label,
                "status": each.state(),
                "differs": each.differs(),
                **each.summary,
            }
            for each in found.runs
        ],
        "differences": {"minus": found.runs[0].label, "accuracy": found.paired},
        "notes": found.notes,
        "figure": None if figure is None else str(figure),
    }


def print_notes(found: "Comparison") -> None:
    """What else the reader should know, on stderr."""
    for note in found.notes:
        click.echo(note, err=True)


# A model evaluated


def print_report(report: "Report", as_json: bool) -> None:
    """Cost, loss and accuracy; accuracy by class, the confusion matrix and the commonest mistakes."""
    if as_json:
        click.echo(json.dumps(nan_to_null(_report_as_json(report)), indent=2))
        return
    metrics = report.metrics()
    _print_table(["", *metrics], [[report.part, *(format_mean_std(each) for each in metrics.values())]])
    images, n = len(report.evaluations[0].images), len(report.evaluations)
    click.echo(f"\n{images} images" + (f", n = {n} seeds, mean ± std" if n > 1 else ""))
    for each in report.evaluations:
        if not each.is_finite:
            click.echo(f"seed {each.seed.config.seed}: diverged; what its network says is not finite")
    if report.finite:
        _print_classes(report)


def _print_classes(report: "Report") -> None:
    click.echo()
    rows = [[c["name"], f"{c['images']}", format_mean_std(c["accuracy"])] for c in report.classes()]
    _print_table(["class", "images", "accuracy"], rows)
    over = f", mean over {len(report.finite)} seeds" if len(report.finite) > 1 else ""
    click.echo(f"\nimages by true class (rows) and predicted class (columns){over}")
    counts = [[f"{count:.0f}" for count in row] for row in report.confusion()]
    _print_table(["", *report.names], [[n, *row] for n, row in zip(report.names, counts, strict=True)])
    pairs = report.most_confused()
    if pairs:
        click.echo("\nmost confused")
        rows = [[f"{p['true']} → {p['predicted']}", f"{p['count']:.0f}", f"{p['share']:.1%}"] for p in pairs]
        _print_table(["true → predicted", "images", "of the true class"], rows)


def _report_as_json(report: "Report") -> dict[str, Any]:
    found: dict[str, Any] = {
        "run": str(report.folder),
        "part": report.part,
        "images": len(report.evaluations[0].images),
        "results": [{"seed": each.seed.config.seed, **each.metrics} for each in report.evaluations],
        "metrics": report.metrics(),
    }
    if report.finite:
        found |= {
            "classes": report.classes(),
            "confusion": report.confusion().tolist(),
            "most_confused": report.most_confused(),
        }
    return found


def print_pictures(paths: Sequence[Path]) -> None:
    """Where the pictures are."""
    width = max((len(path.stem) for path in paths), default=0) + 3
    lines = [f"{path.stem + ':':<{width}}{escape(str(path))}" for path in paths]
    if lines:
        click.echo("\n" + "\n".join(lines))
