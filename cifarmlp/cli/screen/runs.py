"""Output of the commands on existing runs: listing and comparison, as tables or JSON."""

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from cifarmlp.config import Config, dotted
from cifarmlp.files import nan_to_null
from cifarmlp.runs.listing import NOTHING, Entry
from cifarmlp.stats import format_mean_std
from cifarmlp.text import counted, escape, short_value
from cifarmlp.training.outcome import LOOKED_AT, PARTS, parts_of

if TYPE_CHECKING:  # they import matplotlib and scipy; a listing has to be there at once
    from cifarmlp.runs.comparison import ComparedRun, Comparison

Rows = Sequence[Sequence[str]]

MOST_COLUMNS = 3  # of keys that differ; more are a table of their own


def print_table(headers: Sequence[str], rows: Rows, left: int = 1) -> None:
    """Print a table whose first `left` columns are text, and the others numbers, aligned right."""
    align = ["left"] * left + ["right"] * (len(headers) - left)
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, colalign=align if rows else None))


# Listing


def print_listing(folder: Path, entries: Sequence[Entry], total: int, as_json: bool) -> None:
    """Print the entries that passed the filters, a row each; `total` is their number before."""
    if as_json:
        click.echo(json.dumps([_entry_as_json(entry) for entry in entries], indent=2))
    elif entries:
        parts = _parts_of_entries(entries)
        notes = [_notes(entry) for entry in entries]
        noted = ["notes"] * any(notes)
        headers = ["run", "kind", "status", "what", *noted, "seeds", *parts, "seconds", "when"]
        rows = [_row(entry, parts, [note] * len(noted)) for entry, note in zip(entries, notes, strict=True)]
        print_table(headers, rows, left=4 + len(noted))
        print_looked_at(entry.config for entry in entries)
    elif total:
        click.echo(f"{escape(str(folder))}: none of {counted(total, 'run')} is such a one")
    else:
        click.echo(f"{escape(str(folder))}: no runs yet; start with: cifarmlp train quickstart")


def _parts_of_entries(entries: Sequence[Entry]) -> list[str]:
    """Return `validation`, unless no entry has such images, and `test`."""
    configs = [entry.config for entry in entries if entry.config]
    return [part for part in PARTS[1:] if part in (parts_of(configs) if configs else PARTS)]


def result_text(config: Config | None, part: str, statistics: Mapping[str, float]) -> str:
    """Return mean ± std, with a star if it is of test images that were looked at during training."""
    numbers = format_mean_std(statistics)
    looked_at = part == "test" and config is not None and config.training.evaluate_test
    return f"{numbers} *" if looked_at and numbers != "-" else numbers


def print_looked_at(configs: Iterable[Config | None]) -> None:
    """Print the meaning of the star of `result_text`, if some config has it."""
    if any(config and config.training.evaluate_test for config in configs):
        click.echo(f"\n* test images {LOOKED_AT}")


def _notes(entry: Entry) -> str:
    """Return what sets a run apart from others of its name, and whether it never left chance level."""
    words = []
    if entry.shortened:
        words.append("shortened: {steps} of {schedule} steps".format(**entry.shortened))
    if entry.at_chance:
        words.append(f"{entry.at_chance} of {entry.seeds} at chance" if entry.seeds > 1 else "at chance")
    keys = [key for key in entry.differs if not (entry.shortened and key == "training.steps")]
    words += [
        f"{key.partition('.')[2] or key}={short_value(entry.differs[key])}" for key in keys[:MOST_COLUMNS]
    ]
    more = len(keys) - MOST_COLUMNS
    return ", ".join([*words, *([f"and {counted(more, 'more value')}"] if more > 0 else [])])


def _row(entry: Entry, parts: Sequence[str], notes: Sequence[str]) -> list[str]:
    seeds = f"{entry.seeds}" if entry.seeds == entry.planned else f"{entry.seeds} of {entry.planned}"
    accuracies = [result_text(entry.config, part, entry.accuracy.get(part, NOTHING)) for part in parts]
    words = [entry.folder.name, entry.kind or "-", entry.status or "-", entry.fault or entry.about, *notes]
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
    print_looked_at(each.run.config for each in runs)
    if len(keys) > MOST_COLUMNS:
        click.echo("\nwhat their configs differ in")
        rows = [[key, *(each.value_text(key) for each in runs)] for key in keys]
        print_table(["", *(each.label for each in runs)], rows, left=1 + len(runs))
    for label, parts in comparison.paired.items():
        click.echo(f"\n{label} minus {runs[0].label}, seed by seed")
        _print_differences(parts)
    if figure is not None:
        click.echo(f"\ncurves:  {escape(str(figure))}")


def _print_results(
    runs: Sequence["ComparedRun"], quantity: str, keys: Sequence[str], with_status: bool
) -> None:
    rows, parts = [], parts_of(each.run.config for each in runs)
    for each in runs:
        values = [*(each.value_text(key) for key in keys), *[each.state()] * with_status]
        metrics = [result_text(each.run.config, p, each.summary[p][quantity]) for p in parts]
        rows.append([each.label, *values, f"{each.summary['n']}", *metrics])
    headers = ["run", *keys, *["status"] * with_status]
    print_table([*headers, "seeds", *parts], rows, left=len(headers))


def _print_differences(parts: Mapping[str, Any]) -> None:
    rows = [
        [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", f"{d['n']}"]
        for part, d in parts.items()
        if d["n"] > 1
    ]
    print_table(["accuracy", "difference", "95 % interval", "seeds"], rows)


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
