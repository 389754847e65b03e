"""Progress and results of the command `train`."""

import json
import math
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.files import nan_to_null
from cifarmlp.stats import format_mean_std
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.outcome import PARTS, QUANTITIES, Outcome, summarise
from cifarmlp.training.seeds import Repeats


class TrainingProgress:
    """Progress of the seeds of a config: a bar on a terminal, a line an evaluation elsewhere."""

    def __init__(self, name: str, quiet: bool = False) -> None:
        self.name, self.quiet = name, quiet
        self.bar: Any = None

    def __call__(self, training: Training, record: Record) -> None:
        """Show a record."""
        if self.quiet:
            return
        words = {
            "training loss": f"{record.train.loss[0]:.4f}",
            "validation accuracy": f"{record.validation.accuracy[0]:.4f}",
            "eta": f"{record.eta[0]:.2g}",
        }
        name = f"{self.name}, seed {training.order_seed}"
        if not sys.stderr.isatty():
            line = ", ".join(f"{key} {value}" for key, value in words.items())
            click.echo(f"{name}: epoch {record.epoch:.3g}, step {record.step}: {line}", err=True)
            return
        if self.bar is None or record.step == 0:
            self.close()
            self.bar = tqdm(total=training.steps, desc=name, unit="step", dynamic_ncols=True)
        self.bar.set_postfix(words, refresh=False)
        self.bar.update(record.step - self.bar.n)

    def finish(self, outcome: Outcome) -> None:
        """Show the outcome of a seed."""
        self.close()
        if not self.quiet:
            accuracy = outcome.metric("test", "accuracy")
            measure = f", test accuracy {accuracy:.4f}" if math.isfinite(accuracy) else ""
            result = f"{outcome.status}{measure}, {outcome.seconds:.1f} s"
            click.echo(f"{self.name}, seed {outcome.seed}: {result}", err=True)

    def close(self) -> None:
        """End the bar, and leave it on the terminal."""
        if self.bar is not None:
            self.bar.close()


def print_outcomes(training: Repeats, outcomes: Sequence[Outcome]) -> None:
    """Print the results of a config over its seeds: a table, where the files are, and the next command."""
    click.echo(_table(outcomes))
    for outcome in outcomes:
        _print_state(outcome, several=training.seeds > 1)
    click.echo(f"\n{_files(training, outcomes)}\nnext:    {_next(training, outcomes)}")


def print_json(document: Any) -> None:
    """Print results as one JSON document."""
    click.echo(json.dumps(nan_to_null(document), indent=2))


def outcomes_as_json(folder: Path, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the results of a config over its seeds, and their means."""
    results = [nan_to_null(outcome.as_dict()) for outcome in outcomes]
    summary = nan_to_null(summarise(outcomes)) if len(outcomes) > 1 else None
    return {"run": str(folder), "results": results, "summary": summary}


def _table(outcomes: Sequence[Outcome]) -> str:
    summary = summarise(outcomes)
    rows = [[part, *(format_mean_std(summary[part][quantity]) for quantity in QUANTITIES)] for part in PARTS]
    return tabulate(rows, headers=["", *QUANTITIES], disable_numparse=True, stralign="right")


def _print_state(outcome: Outcome, several: bool) -> None:
    if not several or outcome.advice or outcome.status != "finished":
        who = f"seed {outcome.seed}: " if several else ""
        length = f"{outcome.steps} steps, {outcome.epochs:.1f} epochs"
        click.echo(f"\n{who}{outcome.status}: {length}, {outcome.seconds:.1f} s with evaluations")
    for line in outcome.advice:
        click.echo(line)


def _files(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    if training.seeds > 1:
        return f"n = {len(outcomes)} seeds, mean ± std\nsummary: {training.folder / 'summary.json'}"
    if any(outcome.status == "interrupted" for outcome in outcomes):
        return f"metrics: {training.folder / 'metrics.csv'}"
    return f"curves:  {training.folder / 'curves.png'}"


def _next(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    if sum(outcome.status != "interrupted" for outcome in outcomes) < training.seeds:
        return f"cifarmlp train --resume {shlex.quote(str(training.folder))}"
    config, first = training.config, next(iter(training.places()))
    command = f"cifarmlp train {shlex.quote(str(first / 'config.yaml'))}"
    advice = next((outcome.advice for outcome in outcomes if outcome.advice), [])
    if settings := re.findall(r"--set \S+", "\n".join(advice)):
        return " ".join([command, *settings])
    if len(outcomes) == 1:
        return f"{command} --repeats 5"
    return f"{command} --set network.batch_norm={'false' if config.network.batch_norm else 'true'}"


def print_difference(difference: Mapping[str, Any]) -> None:
    """Print the difference of two configs' accuracies over the same seeds."""
    rows = [
        [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", d["n"]]
        for part, d in difference["accuracy"].items()
    ]
    headers = ["accuracy", "difference", "95 % interval", "seeds"]
    click.echo(f"\n{difference['run']} minus {difference['minus']}, seed by seed")
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))
