"""What people see of a search: its plan, its progress on stderr, the tables of the best trials."""

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
from cifarmlp.search.plan import count_planned
from cifarmlp.search.populations import Member, configs_of
from cifarmlp.search.ranking import Trial, rank
from cifarmlp.search.run import StageProgress
from cifarmlp.text import rough_duration, short_number
from cifarmlp.training.cost import estimate


class SearchProgress:
    """Trials done and running, best so far, time left: a bar on a terminal, a line a trial elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.bar: Any = None
        self.stage = ""

    def __call__(self, course: StageProgress, ended: Sequence[Trial]) -> None:
        """Show how a stage stands; `ended` are the trials that have just ended."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            self._draw(course)
            return
        for trial in ended:
            click.echo(f"{_outcome(course.search, trial)}; {_standing(course)}", err=True)

    def _draw(self, course: StageProgress) -> None:
        done, total = _counts(course)
        if self.stage != course.stage:
            self.close()
            self.bar = tqdm(total=total, dynamic_ncols=True, bar_format="{bar:20}| {desc}")
            self.stage = course.stage
        self.bar.n = done
        self.bar.set_description_str(f"{course.stage}: {_standing(course)}")

    def close(self) -> None:
        """Leave the bar as it is."""
        if self.bar is not None:
            self.bar.close()


def _outcome(state: Search, trial: Trial) -> str:
    told = f"validation accuracy {trial.validation_accuracy:.4f}"
    if trial.status != "finished":
        told = ": ".join(part for part in (trial.status, trial.reason) if part)
    return f"trial {trial.trial}: {_values(state, trial.trial)}: {told}"


def _values(state: Search, trial: int) -> str:
    return ", ".join(f"{key} {short_number(value)}" for key, value in state.values[trial].items())


def _standing(course: StageProgress) -> str:
    done, total = _counts(course)
    parts = [f"{done} of {total} done, {course.running} running"]
    best_first = rank(course.search.trials())
    if best_first:
        parts.append(f"best {best_first[0].validation_accuracy:.4f} (trial {best_first[0].trial})")
    if done < total:
        parts.append(f"about {rough_duration(course.left)} left")
    return ", ".join(parts)


def _counts(course: StageProgress) -> tuple[int, int]:
    state, stage = course.search, course.stage
    done = sum(state.stage(trial.trial) == stage for trial in state.trials())
    return done, sum(state.stage(trial) == stage for trial in state.values)


def print_plan(state: Search, jobs: int) -> None:
    """What a search would do, and what that would take."""
    for stage in state.plan.stages:
        todo, trials = count_planned(state, stage)
        seeds = f", {state.plan.seeds} seeds each" if state.plan.seeds > 1 else ""
        click.echo(f"{stage}: {trials} trials{seeds} of {', '.join(state.values[1])}")
        if not todo:
            click.echo("  nothing left to train")
            continue
        expected = estimate(configs_of(todo), jobs)
        click.echo(f"  {_populations(todo)}, {jobs} at a time")
        click.echo(
            f"  about {rough_duration(expected.seconds)}, {expected.bytes / 1e6:.0f} MB in each process"
        )


def _populations(todo: Sequence[Sequence[Member]]) -> str:
    sizes = sorted({len(population) for population in todo})
    size = " to ".join(str(n) for n in dict.fromkeys([sizes[0], sizes[-1]]))
    return f"{len(todo)} population{'s' * (len(todo) > 1)} of {size} networks in lockstep"


def print_found(state: Search, found: Mapping[str, Any], as_json: bool) -> None:
    """The best trials of each stage, whether they can be told apart, where the files are, what to do next."""
    if as_json:
        click.echo(
            json.dumps(
                {"run": str(state.folder), "status": state.plan.status, **nan_to_null(found)}, indent=2
            )
        )
        return
    for table in found["tables"]:
        click.echo(f"{table['of']}: the best {len(table['top'])} of {table['trials']} trials")
        click.echo(_table(state, table["top"]) + "\n")
    for line in [*_verdict(state, found), *_ended_badly(state), "", *_files(state, found)]:
        click.echo(line)


def _table(state: Search, top: Sequence[Mapping[str, Any]]) -> str:
    keys = list(state.values[1])
    accuracies = ["train_accuracy", "validation_accuracy"]
    rows = [
        [
            entry["trial"],
            *(short_number(entry[key]) for key in keys),
            *(_accuracy(entry, name) for name in accuracies),
        ]
        for entry in top
    ]
    headers = ["trial", *keys, "training accuracy", "validation accuracy"]
    return tabulate(rows, headers=headers, disable_numparse=True, stralign="right", numalign="right")


def _accuracy(entry: Mapping[str, Any], name: str) -> str:
    std = entry.get("validation_std") if name == "validation_accuracy" else None
    return f"{entry[name]:.4f}" if std is None else f"{entry[name]:.4f} ± {std:.4f}"


def _verdict(state: Search, found: Mapping[str, Any]) -> list[str]:
    best = found["best"]
    if best is None:
        return ["no trial has finished"]
    others, seeds = found["not_told_from_the_best"], state.plan.seeds
    images = state.config.data.validation_images
    lines = [f"best: trial {best['trial']}, {_values(state, best['trial'])}"]
    if others:
        known = "over the seeds" if seeds > 1 else f"taken for one seed and {images} validation images"
        lines += [
            f"{others} other trial{'s' * (others > 1)} can't be told from it, being nearer than twice the "
            f"standard error of a difference",
            f"(that of an accuracy, {known}: {found['standard_error']:.4f}); "
            f"more seeds tell more: --seeds {max(3, 2 * seeds)}",
        ]
    return lines


def _ended_badly(state: Search) -> list[str]:
    lines = []
    for status in ("diverged", "failed"):
        those = [trial for trial in state.trials() if trial.status == status]
        if those:
            reasons = {f": {trial.reason}" for trial in those if trial.reason}
            lines.append(f"{len(those)} trial{'s' * (len(those) > 1)} {status}{''.join(sorted(reasons))}")
    return lines


def _files(state: Search, found: Mapping[str, Any]) -> list[str]:
    folder = state.folder
    lines = [f"trials:  {folder / 'trials.csv'}"] if state.trials() else []
    if found["best"] is not None:
        lines.append(f"plot:    {folder / 'search.png'}")
    if state.plan.status == "interrupted" or state.failed():
        return [*lines, f"next:    cifarmlp search --resume {_quoted(folder)}"]
    if found["best"] is not None:
        lines.append(f"next:    cifarmlp train {_quoted(folder / 'best.yaml')} --repeats 20")
    return lines


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
