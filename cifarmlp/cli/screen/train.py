"""Progress and results of the command `train`."""

import json
import math
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.cli.screen.runs import print_looked_at, print_table, result_text
from cifarmlp.config import Config
from cifarmlp.files import nan_to_null
from cifarmlp.runs.folder import status_of
from cifarmlp.stats import format_mean_std, format_number
from cifarmlp.text import counted, escape, rough_duration
from cifarmlp.training.cost import evaluations_of, steps_of
from cifarmlp.training.estimate import estimate
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.outcome import LOOKED_AT, QUANTITIES, Outcome, parts_of, read_ended, summarise
from cifarmlp.training.rooms import bytes_of_rooms
from cifarmlp.training.seeds import Repeats
from cifarmlp.training.workers import SeedTask, group_tasks


class TrainingProgress:
    """Progress of trainings: a bar each on a terminal, a line an evaluation elsewhere."""

    def __init__(self, configs: Sequence[Config], quiet: bool = False) -> None:
        """configs: trained at the same time."""
        self.names = [config.name for config in configs]
        self.quiet = quiet
        self.bars: dict[str, Any] = {}

    def __call__(self, training: Training, record: Record) -> None:
        """Show a record."""
        if self.quiet:
            return
        part = "validation" if record.validation else "training"
        measured = record.validation or record.train
        words = {
            "training loss": format_number(record.train.loss[0]),
            f"{part} accuracy": format_number(measured.accuracy[0]),
            "eta": f"{record.eta[0]:.2g}",
        }
        name = escape(f"{training.name}, seed {training.order_seed}")
        if not sys.stderr.isatty():
            line = ", ".join(f"{key} {value}" for key, value in words.items())
            click.echo(f"{name}: epoch {record.epoch:.3g}, step {record.step}: {line}", err=True)
            return
        if name not in self.bars:
            self.bars[name] = tqdm(total=training.steps, desc=name, unit="step", dynamic_ncols=True)
        bar = self.bars[name]
        bar.set_postfix(words, refresh=False)
        bar.update(record.step - bar.n)

    def finish(self, task: SeedTask, outcome: Outcome) -> None:
        """Show the outcome of a training, and leave its bars on the terminal."""
        while self.bars:
            self.bars.popitem()[1].close()
        if not self.quiet:
            accuracy = outcome.metric("test", "accuracy")
            measure = f", test accuracy {accuracy:.4f}" if math.isfinite(accuracy) else ""
            result = f"{outcome.status}{measure}, {outcome.seconds:.1f} s"
            name = task.config.name if self.names.count(task.config.name) < 2 else escape(str(task.folder))
            click.echo(f"{name}, seed {outcome.seed}: {result}", err=True)


def print_plan(groups: Sequence[Sequence[Repeats]], jobs: int, at_full_speed: int, on_cluster: bool) -> None:
    """Print what there is to train, and the time and memory that it would take.

    groups: of those trained at the same time. at_full_speed: how many of the jobs gain time. on_cluster: the
    images are prepared elsewhere. Raises ConfigError as `Repeats.places`.
    """
    seconds = [_print_group(group, jobs, at_full_speed, on_cluster) for group in groups]
    if len(groups) > 1:
        click.echo(f"in all about {rough_duration(sum(seconds))}")


def _print_group(group: Sequence[Repeats], jobs: int, at_full_speed: int, on_cluster: bool) -> float:
    """Print what there is to train at the same time, and what it would take; return the seconds of that."""
    every = list[SeedTask]()
    for repeats in group:
        tasks = _left(repeats)
        every += tasks
        click.echo(repeats.config.name)
        work = _work(repeats.config, len(tasks), repeats.seeds)
        click.echo(f"  {work}" if tasks else "  nothing left to train")
    if not every:
        return 0.0
    parts = [[task] for task in every] if on_cluster else group_tasks(every, min(jobs, len(every)))
    configs = [[task.config for task in part] for part in parts]
    at_once = min(jobs, len(parts))
    cost = estimate(configs, min(at_once, at_full_speed), in_folders=True)
    images = 0 if on_cluster else bytes_of_rooms([task.config for task in every], at_once)
    shared = f" and {images / 1e6:.0f} for the images" * bool(images)
    memory = f"{cost.bytes / 1e6:.0f} MB in each process{shared}"
    click.echo(f"  about {rough_duration(cost.seconds)}, {_how(parts, at_once)}, {memory}")
    return cost.seconds


def _how(parts: Sequence[Sequence[SeedTask]], processes: int) -> str:
    """Return how many are trained at a time, and whether in lockstep."""
    members = max(map(len, parts))
    if members == 1:
        return f"{processes} at a time"
    each = f" in each of {processes} processes" if processes > 1 else ""
    return f"up to {members} in lockstep{each}"


def _left(repeats: Repeats) -> list[SeedTask]:
    """Return the seeds that have not ended."""
    is_begun = (repeats.folder / "config.yaml").exists()
    places = {place: c for place, c in repeats.places().items() if not (is_begun and read_ended(place))}
    return [SeedTask(config, place, None, None, strict=False) for place, config in places.items()]


def _work(config: Config, left: int, seeds: int) -> str:
    trainings = counted(left, "training") if left == seeds else f"{left} of {seeds} trainings are left"
    return f"{trainings}, {steps_of(config):,} steps with {evaluations_of(config)} evaluations"


class Result(NamedTuple):
    """A config's trainings, and the difference to the first config's, seed by seed, where there is one."""

    training: Repeats
    outcomes: list[Outcome]
    difference: dict[str, Any] | None


def print_result(result: Result, is_first: bool, is_only: bool) -> None:
    """Print the results of a config; of several configs under its folder's name."""
    if not is_only:
        click.echo(f"{'' if is_first else chr(10)}{escape(str(result.training.folder))}")
    _print_outcomes(result.training, result.outcomes)
    if result.difference:
        _print_difference(result.difference)


def _print_outcomes(training: Repeats, outcomes: Sequence[Outcome]) -> None:
    """Print the results of a config over its seeds: a table, where the files are, and the next command."""
    several = training.seeds > 1
    shown = _ended(outcomes) if several else outcomes
    click.echo(_table(training.config, shown) if shown else "no seed has ended yet")
    if training.config.training.evaluate_test:
        click.echo(f"test: {LOOKED_AT}")
    for outcome in outcomes:
        _print_state(outcome, several)
    click.echo(f"\n{_files(training, outcomes)}\nnext:    {_next(training, outcomes)}")


def print_table_of_all(results: Sequence[Result]) -> None:
    """Print the accuracies of several configs, a row each, and the command that draws their curves."""
    configs = [each.training.config for each in results]
    parts = parts_of(configs)
    states = [status_of(False, each.outcomes, each.training.seeds) for each in results]
    with_status = set(states) != {"finished"}
    rows = []
    for each, state, config in zip(results, states, configs, strict=True):
        ended, name = _ended(each.outcomes), escape(each.training.folder.name)
        summary = summarise(ended)
        means = [result_text(config, p, summary[p]["accuracy"]) for p in parts]
        rows.append([name, *[state] * with_status, f"{len(ended)}", *means])
    headers = ["run", *["status"] * with_status]
    click.echo("\naccuracy of all")
    print_table([*headers, "seeds", *parts], rows, left=len(headers))
    print_looked_at(configs)
    folders = " ".join(escape(shlex.quote(str(each.training.folder))) for each in results)
    click.echo(f"\nnext:    cifarmlp compare {folders}")


def print_json(results: Sequence[Result], is_list: bool) -> None:
    """Print the results of each config, followed by the difference to the first, as one JSON document."""
    documents = [
        document
        for each in results
        for document in (_outcomes_as_json(each.training.folder, each.outcomes), each.difference)
        if document is not None
    ]
    click.echo(json.dumps(nan_to_null(documents if is_list else documents[0]), indent=2))


def _outcomes_as_json(folder: Path, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the results of a config over its seeds, and their means."""
    results = [nan_to_null(outcome.as_dict()) for outcome in outcomes]
    summary = nan_to_null(summarise(_ended(outcomes))) if len(outcomes) > 1 else None
    return {"run": str(folder), "results": results, "summary": summary}


def _ended(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes that go into a mean: an interrupted training's numbers are of another step."""
    return [outcome for outcome in outcomes if outcome.status != "interrupted"]


def _table(config: Config, outcomes: Sequence[Outcome]) -> str:
    summary, parts = summarise(outcomes), parts_of([config])
    rows = [[part, *(format_mean_std(summary[part][quantity]) for quantity in QUANTITIES)] for part in parts]
    return tabulate(rows, headers=["", *QUANTITIES], disable_numparse=True, stralign="right")


def _print_state(outcome: Outcome, several: bool) -> None:
    if not several or outcome.advice or outcome.status != "finished":
        who = f"seed {outcome.seed}: " if several else ""
        length = f"{outcome.steps} steps, {outcome.epochs:.1f} epochs"
        click.echo(f"\n{who}{outcome.status}: {length}, {outcome.seconds:.1f} s with evaluations")
    for line in [*_steps_of(outcome, several), *outcome.advice]:
        click.echo(line)


def _steps_of(outcome: Outcome, several: bool) -> Iterator[str]:
    """Yield why a training ended early, and the steps that its model and its numbers are of."""
    who = f"seed {outcome.seed}: " if several and outcome.status == "finished" else ""
    if outcome.stopped:
        yield f"{who}ended before its last step: {outcome.stopped}"
    if outcome.kept_step is not None:
        yield f"{who}model and numbers are those of step {outcome.kept_step}, the best validation accuracy"
    if outcome.measured_step is not None:
        where = "result.json" if several else "the table"
        numbers = f"the numbers in {where} are of step {outcome.measured_step}, the last evaluation"
        yield f"{numbers}; model.npz is of step {outcome.steps}"


def _files(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    folder, is_drawn = Path(escape(str(training.folder))), (training.folder / "curves.png").exists()
    if training.seeds > 1:
        n = len(_ended(outcomes))
        curves = f"curves:  {folder / 'curves.png'}\n" if n == training.seeds and is_drawn else ""
        return f"n = {counted(n, 'seed')}, mean ± std\n{curves}summary: {folder / 'summary.json'}"
    if not outcomes:
        return f"config:  {folder / 'config.yaml'}"
    if not is_drawn or any(outcome.status == "interrupted" for outcome in outcomes):
        return f"metrics: {folder / 'metrics.csv'}"
    return f"curves:  {folder / 'curves.png'}"


def _next(training: Repeats, outcomes: Sequence[Outcome]) -> str:
    if sum(outcome.status != "interrupted" for outcome in outcomes) < training.seeds:
        return f"cifarmlp train --resume {escape(shlex.quote(str(training.folder)))}"
    config, first = training.config, next(iter(training.places()))
    command = f"cifarmlp train {escape(shlex.quote(str(first / 'config.yaml')))}"
    advice = next((outcome.advice for outcome in outcomes if outcome.advice), [])
    if settings := re.findall(r"--set \S+", "\n".join(advice)):
        return " ".join([command, *settings])
    if len(outcomes) == 1:
        return f"{command} --repeats 5"
    if not config.network.hidden:
        return f"{command} --set 'network.hidden=[50]'"
    return f"{command} --set network.batch_norm={'false' if config.network.batch_norm else 'true'}"


def _print_difference(difference: Mapping[str, Any]) -> None:
    """Print the difference of two configs' accuracies over the same seeds."""
    rows = [
        [part, f"{d['mean']:+.4f}", f"{d['low']:+.4f} to {d['high']:+.4f}", d["n"]]
        for part, d in difference["accuracy"].items()
        if d["n"] > 1
    ]
    if not rows:
        click.echo(f"\n{difference['run']}: fewer than two seeds with an accuracy, so no difference")
        return
    headers = ["accuracy", "difference", "95 % interval", "seeds"]
    click.echo(f"\n{escape(difference['run'])} minus {escape(difference['minus'])}, seed by seed")
    click.echo(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))
