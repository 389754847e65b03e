"""Output of the commands on existing runs: listing, comparison, evaluation, as tables or JSON."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from cifarmlp.config import dotted
from cifarmlp.files import nan_to_null
from cifarmlp.runs.listing import NOTHING, Entry
from cifarmlp.stats import format_mean_std
from cifarmlp.text import counted, escape
from cifarmlp.training.outcome import PARTS

if TYPE_CHECKING:  # they import matplotlib and scipy; a listing has to be there at once
    from cifarmlp.runs.comparison import ComparedRun, Comparison
    from cifarmlp.runs.evaluation import Report

Rows = Sequence[Sequence[str]]

MOST_COLUMNS = 3  # of keys that differ; more are a table of their own


def _print_table(headers: Sequence[str], rows: Rows, left: int = 1) -> None:
    """Print a table whose first `left` columns are text, and the others numbers, aligned right."""
    align = ["left"] * left + ["right"] * (len(headers) - left)
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, colalign=align if rows else None))


# Listing


def print_listing(folder: Path, entries: Sequence[Entry], total: int, as_json: bool) -> None:
    """Print the entries that passed the filters, a row each; `total` is their number before."""
    if as_json:
        click.echo(json.dumps([_entry_as_json(entry) for entry in entries], indent=2))
    elif entries:
        headers = ["run", "kind", "status", "what", "seeds", "validation", "test", "seconds", "when"]
        _print_table(headers, [_row(entry) for entry in entries], left=4)
    elif total:
        click.echo(f"{escape(str(folder))}: none of {total} runs is such a one")
    else:
        click.echo(f"{escape(str(folder))}: no runs yet; start with: cifarmlp train quickstart")


def _row(entry: Entry) -> list[str]:
    seeds = f"{entry.seeds}" if entry.seeds == entry.planned else f"{entry.seeds} of {entry.planned}"
    accuracies = [format_mean_std(entry.accuracy.get(part, NOTHING)) for part in ("validation", "test")]
    words = [entry.folder.name, entry.kind or "-", entry.status or "-", entry.fault or entry.about]
    seconds = f"{entry.seconds:.1f}" if math.isfinite(entry.seconds) else "-"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.when))
    return [*map(escape, words), seeds if entry.planned else "-", *accuracies, seconds, when]


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    values = {name: value for name, value in vars(entry).items() if name not in ("folder", "config", "when")}
    when = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(entry.when))
    config = dotted(entry.config) if entry.config else None
    about = {"run": str(entry.folder), "name": entry.folder.name, **values}
    return dict(nan_to_null({**about, "when": when, "config": config}))


# Comparison


def print_comparison(comparison: "Comparison", figure: Path | None, as_json: bool) -> None:
    """Print the results of the runs, the differences of their configs, and those of accuracy by seed."""
    if as_json:
        click.echo(json.dumps(nan_to_null(_comparison_as_json(comparison, figure)), indent=2))
        return
    runs, keys = comparison.runs, list(comparison.runs[0].values)
    click.echo("accuracy")
    all_finished = all(each.state() == "finished" for each in runs)
    _print_results(runs, "accuracy", keys if len(keys) <= MOST_COLUMNS else [], not all_finished)
    click.echo("\nloss")
    _print_results(runs, "loss", [], False)
    if len(keys) > MOST_COLUMNS:
        click.echo("\nwhat their configs differ in")
        rows = [[key, *(each.value_text(key) for each in runs)] for key in keys]
        _print_table(["", *(each.label for each in runs)], rows, left=1 + len(runs))
    for label, parts in comparison.paired.items():
        click.echo(f"\n{label} minus {runs[0].label}, seed by seed")
        _print_differences(parts)
    if figure is not None:
        click.echo(f"\ncurves:  {escape(str(figure))}")


def _print_results(
    runs: Sequence["ComparedRun"], quantity: str, keys: Sequence[str], with_status: bool
) -> None:
    rows = []
    for each in runs:
        values = [*(each.value_text(key) for key in keys), *[each.state()] * with_status]
        metrics = [format_mean_std(each.summary[part][quantity]) for part in PARTS]
        rows.append([each.label, *values, f"{each.summary['n']}", *metrics])
    headers = ["run", *keys, *["status"] * with_status]
    _print_table([*headers, "seeds", *PARTS], rows, left=len(headers))


def _print_differences(parts: Mapping[str, Any]) -> None:
    rows = [
        [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", f"{d['n']}"]
        for part, d in parts.items()
        if d["n"] > 1
    ]
    _print_table(["accuracy", "difference", "95 % interval", "seeds"], rows)


def _comparison_as_json(comparison: "Comparison", figure: Path | None) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run": str(each.run.folder),
                "label": each.label,
                "status": each.state(),
                "differs": each.differs(),
                **each.summary,
            }
            for each in comparison.runs
        ],
        "differences": {"minus": comparison.runs[0].label, "accuracy": comparison.paired},
        "notes": comparison.notes,
        "figure": None if figure is None else str(figure),
    }


def print_notes(comparison: "Comparison") -> None:
    """Print the notes on stderr."""
    for note in comparison.notes:
        click.echo(note, err=True)


# Evaluation


def print_report(report: "Report", as_json: bool) -> None:
    """Print cost, loss and accuracy, accuracy by class, the confusion matrix and the commonest mistakes."""
    if as_json:
        click.echo(json.dumps(nan_to_null(_report_as_json(report)), indent=2))
        return
    metrics = report.metrics()
    _print_table(["", *metrics], [[report.part, *(format_mean_std(each) for each in metrics.values())]])
    images, n = len(report.evaluations[0].images), len(report.evaluations)
    click.echo(f"\n{counted(images, 'image')}" + (f", n = {n} seeds, mean ± std" if n > 1 else ""))
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
    values: dict[str, Any] = {
        "run": str(report.folder),
        "part": report.part,
        "images": len(report.evaluations[0].images),
        "results": [{"seed": each.seed.config.seed, **each.metrics} for each in report.evaluations],
        "metrics": report.metrics(),
    }
    if report.finite:
        values |= {
            "classes": report.classes(),
            "confusion": report.confusion().tolist(),
            "most_confused": report.most_confused(),
        }
    return values


def print_pictures(paths: Sequence[Path]) -> None:
    """Print the paths of the figures."""
    width = max((len(path.stem) for path in paths), default=0) + 3
    lines = [f"{path.stem + ':':<{width}}{escape(str(path))}" for path in paths]
    if lines:
        click.echo("\n" + "\n".join(lines))
