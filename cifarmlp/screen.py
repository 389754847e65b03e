"""What people see on a terminal: progress on stderr, tables on stdout."""

import json
import math
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.bench import Row
from cifarmlp.errors import ConfigError
from cifarmlp.gradients import LIMIT, Check
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.outcome import PARTS, QUANTITIES, Outcome, as_read, summarise
from cifarmlp.repeats import Repeats
from cifarmlp.train import Record, Training


class Progress:
    """A bar on a terminal, a line an evaluation elsewhere, nothing when quiet."""

    def __init__(self, name: str, quiet: bool = False) -> None:
        self.name, self.quiet = name, quiet
        self.bar: Any = None

    def __call__(self, training: Training, record: Record) -> None:
        """Show one record."""
        words = {
            "training loss": f"{record.train.loss[0]:.4f}",
            "validation accuracy": f"{record.validation.accuracy[0]:.4f}",
            "eta": f"{record.eta[0]:.2g}",
        }
        if self.quiet:
            return
        name = f"{self.name}, seed {training.order_seed}"
        if not sys.stderr.isatty():
            told = ", ".join(f"{key} {value}" for key, value in words.items())
            click.echo(f"{name}: epoch {record.epoch:.3g}, step {record.step}: {told}", err=True)
            return
        if self.bar is None or record.step == 0:
            self.close()
            self.bar = tqdm(total=training.steps, desc=name, unit="step", dynamic_ncols=True)
        self.bar.set_postfix(words, refresh=False)
        self.bar.update(record.step - self.bar.n)

    def ended(self, outcome: Outcome) -> None:
        """Tell that a training is over."""
        self.close()
        if not self.quiet:
            accuracy = outcome.metrics.get("test", {}).get("accuracy", math.nan)
            known = f", test accuracy {accuracy:.4f}" if math.isfinite(accuracy) else ""
            told = f"{outcome.status}{known}, {outcome.seconds:.1f} s"
            click.echo(f"{self.name}, seed {outcome.seed}: {told}", err=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def print_outcomes(training: Repeats, outcomes: Sequence[Outcome], as_json: bool) -> None:
    """The results of one config over its seeds: a table, where its files are, what to do next."""
    if as_json:
        click.echo(json.dumps(_as_json(training.folder, outcomes), indent=2))
        return
    click.echo(_table(outcomes))
    for outcome in outcomes:
        _print_state(outcome, several=training.seeds > 1)
    click.echo(f"\n{_files(training, outcomes)}\nnext:    {_next(training, outcomes)}")


def _as_json(folder: Path, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    from cifarmlp.runs import finite

    results = [finite(outcome.as_dict()) for outcome in outcomes]
    summary = finite(summarise(outcomes)) if len(outcomes) > 1 else None
    return {"run": str(folder), "results": results, "summary": summary}


def _table(outcomes: Sequence[Outcome]) -> str:
    summary = summarise(outcomes)
    rows = [[part, *(as_read(summary[part][quantity]) for quantity in QUANTITIES)] for part in PARTS]
    return tabulate(rows, headers=["", *QUANTITIES], disable_numparse=True, stralign="right")


def _print_state(outcome: Outcome, several: bool) -> None:
    if not several or outcome.advice or outcome.status != "finished":
        who = f"seed {outcome.seed}: " if several else ""
        took = f"{outcome.steps} steps, {outcome.epochs:.1f} epochs, {outcome.seconds:.1f} s with evaluations"
        click.echo(f"\n{who}{outcome.status}: {took}")
    for line in outcome.advice:
        click.echo(line)


def _files(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    if training.seeds > 1:
        return f"n = {len(outcomes)} seeds, mean ± std\nsummary: {training.folder / 'summary.json'}"
    if any(outcome.status == "interrupted" for outcome in outcomes):
        return f"metrics: {training.folder / 'metrics.csv'}"
    return f"curves:  {training.folder / 'curves.png'}"


def _next(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    ended = [outcome for outcome in outcomes if outcome.status != "interrupted"]
    if len(ended) < training.seeds:
        return f"cifarmlp train --resume {shlex.quote(str(training.folder))}"
    config, first = training.config, next(iter(training.places()))
    command = f"cifarmlp train {shlex.quote(str(first / 'config.yaml'))}"
    learnt = not any(outcome.status == "diverged" or outcome.at_chance for outcome in outcomes)
    if learnt and len(outcomes) == 1:
        return f"{command} --repeats 5"
    if not learnt and config.network.batch_norm:
        schedule = config.training.schedule
        name, eta = ("eta", schedule.eta) if schedule.kind == "constant" else ("eta_max", schedule.eta_max)
        return f"{command} --set training.schedule.{name}={eta / 10:g}"
    return f"{command} --set network.batch_norm={'false' if config.network.batch_norm else 'true'}"


def print_difference(found: Mapping[str, Any], as_json: bool) -> None:
    """How two configs' accuracies differ over the same seeds."""
    if as_json:
        from cifarmlp.runs import finite

        click.echo(json.dumps(finite(found), indent=2))
        return
    rows = [
        [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", d["n"]]
        for part, d in found["accuracy"].items()
    ]
    headers = ["accuracy", "difference", "95 % interval", "seeds"]
    click.echo(f"\n{found['run']} minus {found['minus']}, seed by seed")
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))


def print_check(check: Check, differences: Sequence[Difference], off: Sequence[str]) -> None:
    """One network's gradient check as a table, next to what a report printed."""
    reported = check.reported or {}
    columns = [
        "",
        "checked",
        "||a - n||",
        "relative",
        "directions",
        "update",
        *([check.measure] if reported else []),
    ]
    rows = [
        [d.name, _count(d), *(f"{x:.1e}" for x in (d.distance, d.relative, d.direction, d.update))]
        + ([f"{reported[d.name]:.2g}" if d.name in reported else "-"] if reported else [])
        for d in differences
    ]
    click.echo(f"\n{check.title}")
    click.echo(tabulate(rows, headers=columns, disable_numparse=True, stralign="right"))
    for name in off:
        worst = next(d.worst for d in differences if d.name == name)
        click.echo(f"WRONG: {name} is off by {worst:.1e}, more than {LIMIT:.0e}")


def _count(difference: Difference) -> str:
    return f"{difference.checked}" + (f" (-{difference.kinks} kinks)" if difference.kinks else "")


def about_checks(source: str) -> str:
    """What the columns of the tables that follow mean."""
    images = "CIFAR-10" if source == "cifar10" else "synthetic images (no CIFAR-10 here)"
    return (
        f"Analytic (a) against numeric (n, centred difference) gradients of the cost, float64, on {images}.\n"
        "relative: ||a - n|| / (||a|| + ||n||), over the coordinates checked; directions: along random\n"
        "directions through the whole parameter; update: what one step did, over -eta, against n.\n"
        f"A gradient is wrong from {LIMIT:.0e}."
    )


def verdict_of_checks(off: Sequence[str]) -> str:
    """The last line of a gradient check."""
    return f"\nwrong gradients: {', '.join(off)}" if off else "\nall gradients are right"


def print_info(info: Mapping[str, Any], as_json: bool) -> None:
    """What `data info` found."""
    if as_json:
        click.echo(json.dumps(info, indent=2))
        return
    images = info["images"]
    for key in ("source", "place", "official", "checksum", "cache", "cache_bytes"):
        if info[key] != "":
            click.echo(f"{key.replace('_', ' '):<12} {info[key]}")
    rows = [[name, images["train"][name], images["test"][name]] for name in images["train"]]
    click.echo("\n" + tabulate(rows, headers=["class", "train", "test"]))


def save_sheet(path: Path, sheet: Any) -> None:
    """A contact sheet as PNG, at three times its size. Raises ConfigError for a file that isn't to be one."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {path}: the sheet is a PNG; give a name that ends in .png")
    from matplotlib.image import imsave

    from cifarmlp import runs

    runs.write(path, lambda file: imsave(file, sheet.repeat(3, axis=0).repeat(3, axis=1), format="png"))
    click.echo(path)


def print_verified(checks: Sequence[Any]) -> bool:
    """What `data verify` found; whether every file can be used."""
    click.echo(tabulate([[check.file, check.status] for check in checks], headers=["file", "state"]))
    return all(check.usable for check in checks)


@contextmanager
def download_bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar in bytes on stderr; gives the function that is told (bytes so far, bytes in all)."""
    with tqdm(unit="B", unit_scale=True, disable=quiet or not sys.stderr.isatty(), desc="CIFAR-10") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def print_benchmark(rows: Sequence[Row], as_json: bool) -> None:
    """What `bench` measured, an arrangement a row."""
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = [
        [r.members, r.processes, r.threads]
        + [f"{x:.0f}" for x in (r.step_us, r.step_us / r.members, r.trial_steps_per_second, r.products_us)]
        + [f"{r.of_products:.0%}", f"{r.peak_gflops:.0f}", f"{r.of_peak:.0%}"]
        for r in rows
    ]
    columns = ["K", "processes", "threads", "µs a step", "µs a member", "trial-steps/s"]
    columns += ["products alone, µs", "their share", "peak GFLOP/s", "share of peak"]
    click.echo("3072-50-50-10, batch norm, batch 100, float32; K networks in lockstep in each process")
    click.echo(
        tabulate(table, headers=columns, disable_numparse=True, stralign="right", maxheadercolwidths=10)
    )
