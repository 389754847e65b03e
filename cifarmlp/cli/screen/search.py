"""Print a search: its plan, its progress on stderr, the tables of its best trials."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.files import nan_to_null
from cifarmlp.search.folder import Search
from cifarmlp.search.plan import estimate_stage, expected_populations
from cifarmlp.search.populations import Member
from cifarmlp.search.ranking import STOPPED, Trial, rank
from cifarmlp.search.run import StageProgress
from cifarmlp.search.sampling import describe_values
from cifarmlp.search.summary import validation_accuracy
from cifarmlp.text import counted, escape, rough_duration, short_value


class SearchProgress:
    """Trials done and running, best so far, time left: a bar on a terminal, a line a trial elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Any = None
        self.stage = ""

    def __call__(self, progress: StageProgress, trials: Sequence[Trial]) -> None:
        """Show the progress of a stage, and the trials that have just ended."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._draw(progress)
            return
        for trial in trials:
            click.echo(f"{_describe(progress.search, trial)}; {_standing(progress)}", err=True)

    def _draw(self, progress: StageProgress) -> None:
        done, total = _counts(progress)
        if self.stage != progress.stage:
            self.close()
            self.bar = tqdm(total=total, dynamic_ncols=True, bar_format="{bar:20}| {desc}")
            self.stage = progress.stage
        self.bar.n = done
        self.bar.set_description_str(f"{progress.stage}: {_standing(progress)}")

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def _describe(search: Search, trial: Trial) -> str:
    result = f"validation accuracy {trial.validation_accuracy:.4f}"
    if trial.status == STOPPED:
        result += f", stopped at step {trial.steps}"
    elif trial.status != "finished":
        result = ": ".join(part for part in (trial.status, trial.reason) if part)
    return f"trial {trial.trial}: {describe_values(search.values(trial.trial))}: {result}"


def _standing(progress: StageProgress) -> str:
    done, total = _counts(progress)
    parts = [f"{done} of {total} done, {progress.running} running"]
    best_first = rank(progress.search.trials())
    if best_first:
        parts.append(f"best {best_first[0].validation_accuracy:.4f} (trial {best_first[0].trial})")
    if done < total:
        parts.append(f"about {rough_duration(progress.left)} left")
    return ", ".join(parts)


def _counts(progress: StageProgress) -> tuple[int, int]:
    """Return how many trials of the stage have ended, and how many it has."""
    numbers = progress.search.numbers(progress.stage)
    return sum(trial.trial in numbers for trial in progress.search.trials()), len(numbers)


def print_plan(search: Search, jobs: int, at_full_speed: int) -> None:
    """Print what a search would do, and the time and memory that it would take.

    at_full_speed: how many of the jobs gain time.
    """
    seeds = f", {search.plan.seeds} seeds each" if search.plan.seeds > 1 else ""
    for stage in search.plan.stages:
        trials = counted(len(search.numbers(stage)), "trial")
        click.echo(f"{stage}: {trials} of {', '.join(search.fields)}{seeds}")
        populations = expected_populations(search, stage)
        if not populations:
            click.echo("  nothing left to train")
            continue
        cost = estimate_stage(search, stage, populations, at_full_speed)
        click.echo(f"  {_count(populations)}, {min(jobs, len(populations))} at a time")
        click.echo(f"  about {rough_duration(cost.seconds)}, {cost.bytes / 1e6:.0f} MB in each process")


def _count(populations: Sequence[Sequence[Member]]) -> str:
    sizes = sorted({len(population) for population in populations})
    size = " to ".join(str(n) for n in dict.fromkeys([sizes[0], sizes[-1]]))
    networks = "network" if sizes == [1] else "networks in lockstep"
    return f"{counted(len(populations), 'population')} of {size} {networks}"


def print_results(search: Search, summary: Mapping[str, Any], as_json: bool) -> None:
    """Print the best trials, how sure their ranking is, where the files are, and what to do next.

    summary: the content of top.json.
    """
    if as_json:
        states = [trial.status for trial in search.trials()]
        counts = {status: states.count(status) for status in (STOPPED, "diverged", "failed")}
        run = {"run": str(search.folder), "status": search.plan.status, **counts}
        click.echo(json.dumps({**run, **nan_to_null(summary)}, indent=2))
        return
    for table in summary["tables"]:
        click.echo(f"{table['of']}: the best {len(table['top'])} of {counted(table['trials'], 'trial')}")
        click.echo(_table(search, table["top"]) + "\n")
    for line in [*_verdict(search, summary), *_unfinished(search), "", *_files(search, summary)]:
        click.echo(line)


def _table(search: Search, top: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            entry["trial"],
            *(short_value(entry[key]) for key in search.fields),
            f"{entry['train_accuracy']:.4f}",
            validation_accuracy(entry),
        ]
        for entry in top
    ]
    headers = ["trial", *search.fields, "training accuracy", "validation accuracy"]
    return tabulate(rows, headers=headers, disable_numparse=True, stralign="right", numalign="right")


def _verdict(search: Search, summary: Mapping[str, Any]) -> list[str]:
    best = summary["best"]
    if best is None:
        return ["no trial has finished"]
    lines = [f"best: trial {best['trial']}, {describe_values(search.values(best['trial']))}"]
    others, seeds = summary["not_told_from_the_best"], search.plan.seeds
    if others:
        images = search.config.data.validation_images
        source = "measured over the seeds" if seeds > 1 else f"assumed for one seed and {images} images"
        lines += [
            f"{counted(others, 'other trial')} {'are' if others > 1 else 'is'} not significantly worse "
            "(within twice the standard error of a difference)",
            f"standard error of a validation accuracy: {summary['standard_error']:.4f}, {source}; "
            f"more seeds reduce it: --seeds {max(3, 2 * seeds)}",
        ]
    return lines


def _unfinished(search: Search) -> list[str]:
    """Return a line each for the trials that were stopped on the way, that diverged and that failed."""
    lines = []
    for status in (STOPPED, "diverged", "failed"):
        trials = [trial for trial in search.trials() if trial.status == status]
        if trials:
            reasons = {f": {trial.reason}" for trial in trials if trial.reason}
            lines.append(f"{counted(len(trials), 'trial')} {status}{''.join(sorted(reasons))}")
    return lines


def _files(search: Search, summary: Mapping[str, Any]) -> list[str]:
    folder = search.folder
    lines = [f"trials:  {escape(str(folder / 'trials.csv'))}"] if search.trials() else []
    if (search.folder / "search.png").exists():
        lines.append(f"plot:    {escape(str(folder / 'search.png'))}")
    if search.plan.status == "interrupted" or search.failed():
        return [*lines, f"next:    cifarmlp search --resume {_quote(folder)}"]
    if summary["best"] is not None:
        lines.append(f"next:    cifarmlp train {_quote(folder / 'best.yaml')} --repeats 20")
    return lines


def _quote(path: Path) -> str:
    return shlex.quote(str(path))
