"""Output of the command `study`: its plan, its progress on stderr, the verdicts."""

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.cli.screen.search import SearchProgress
from cifarmlp.config.files import shipped_studies
from cifarmlp.errors import DataError
from cifarmlp.files import nan_to_null
from cifarmlp.search.summary import summarise_search
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.judge import Judgement, judge_conclusions, judge_numbers
from cifarmlp.study.load import read_study
from cifarmlp.study.plan import (
    StudyPlan,
    copies_for,
    load_images,
    search_seconds,
    searches_left,
    training_seconds,
    trainings_left,
)
from cifarmlp.study.run import StudyEvents
from cifarmlp.study.schema import StudySection
from cifarmlp.text import counted, duration, escape
from cifarmlp.training.cost import steps_of
from cifarmlp.training.outcome import Outcome, summarise
from cifarmlp.training.workers import SeedTask, group_tasks

BEST = 10  # trials of a search, as on its page


class TrainingsProgress:
    """Number of trainings done and left: a bar on a terminal, else a line a training; nothing if quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.done = self.total = 0
        self.bar: Any = None

    def start(self, plan: StudyPlan, tasks: Sequence[SeedTask]) -> None:
        """Begin with the trainings that are left."""
        self.done, self.total = 0, len(tasks)
        if not self.quiet and plan.record.copied:
            click.echo(
                f"{plan.loaded.name}: {counted(plan.record.copied, 'run')} there from before", err=True
            )
        if tasks and not self.quiet and sys.stderr.isatty():
            self.bar = tqdm(total=self.total, desc=plan.loaded.name, unit="training", dynamic_ncols=True)

    def add(self, task: SeedTask, outcome: Outcome) -> None:
        """Count a training that has ended."""
        self.done += outcome.status != "interrupted"
        if self.bar is not None:
            self.bar.update(self.done - self.bar.n)
            if self.done == self.total:
                self.bar.close()
        elif not self.quiet:
            accuracy = outcome.metric("test", "accuracy")
            known = f", test accuracy {accuracy:.4f}" if accuracy == accuracy else ""
            result = f"{task.config.name}, seed {outcome.seed}: {outcome.status}{known}"
            click.echo(f"{result}, {outcome.seconds:.1f} s; {self.done} of {self.total} done", err=True)


def study_events(quiet: bool) -> StudyEvents:
    """Return the functions that show a study's progress."""
    trainings = TrainingsProgress(quiet)
    return StudyEvents(trainings.start, trainings.add, SearchProgress(quiet))


def print_studies(as_json: bool) -> None:
    """Print the shipped studies, and how to run them."""
    shipped = shipped_studies()
    if as_json:
        titles = [{"name": name, "title": read_study(path).title} for name, path in shipped.items()]
        click.echo(json.dumps(titles, indent=2))
        return
    for name, path in shipped.items():
        click.echo(f"{name:<12}{read_study(path).title}")
    click.echo(f"\nnext:       cifarmlp study {next(iter(shipped))} --dry-run")


def print_plan(
    plan: StudyPlan,
    data_dir: Path | None,
    out: Path,
    jobs: int,
    at_full_speed: int,
    strict: bool,
    on_cluster: bool,
) -> None:
    """Print what a study would do, and how long that would take. at_full_speed: jobs that gain time."""
    copies = _places_to_copy_to(plan, out, data_dir, strict)
    tasks = [task for task in trainings_left(plan) if task.folder not in copies]
    searches = [c for c in searches_left(plan) if plan.folder / f"{c.name}-001" not in copies]
    groups = [[task] for task in tasks] if on_cluster else group_tasks(tasks, jobs)
    first = training_seconds(groups, at_full_speed)
    then = search_seconds(plan, searches, jobs, at_full_speed)
    steps, total = sum(steps_of(task.config) for task in tasks), len(plan.trainings)
    click.echo(f"{plan.loaded.name}: {plan.loaded.study.title}")
    click.echo(f"  sections:  {', '.join(plan.only)}")
    together = _in_lockstep(groups)
    click.echo(f"  trainings: {len(tasks)} of {total} are left, {steps:,} steps, {_about(first)}{together}")
    if plan.searches:
        click.echo(f"  searches:  {len(searches)} of {len(plan.searches)} are left, {_about(then)}")
    click.echo(f"  in all:    {_about(first + then)}, {jobs} at a time")


def _places_to_copy_to(plan: StudyPlan, out: Path, data_dir: Path | None, strict: bool) -> set[Path]:
    """Return where a finished run would be copied to; nowhere without images, which decide that too."""
    try:
        return {each.place for each, _ in copies_for(plan, out, load_images(plan, data_dir), strict)}
    except DataError:
        return set()


def _in_lockstep(groups: Sequence[Sequence[SeedTask]]) -> str:
    together = sum(len(group) for group in groups if len(group) > 1)
    return f"; {together} in lockstep, up to {max(map(len, groups))} in a process" if together else ""


def _about(seconds: float) -> str:
    return f"about {duration(seconds)}" if seconds >= 1 else "no time"


def print_verdicts(states: Sequence[StudyFolder], page: Path | None, as_json: bool) -> None:
    """Print every verdict, and where the page is; None if there is none."""
    if as_json:
        click.echo(json.dumps(nan_to_null([_as_json(state, page) for state in states]), indent=2))
        return
    for state in states:
        click.echo(f"\n{state.study.title}")
        for section in state.study.sections:
            rows = [*judge_numbers(state, section), *judge_conclusions(state, section)]
            if rows:
                click.echo(f"\n{section.title}")
                click.echo(_table(rows))
    click.echo("")
    for state in states:
        click.echo(f"study:   {escape(str(state.folder))}, {duration(state.record.seconds)}")
    if page:
        click.echo(f"page:    {escape(str(page))}")


def _table(rows: Iterable[Judgement]) -> str:
    cells, above = [], ""
    for each in rows:
        name = "" if each.of == above else each.of
        cells.append([name, each.quantity, each.reported, each.obtained, each.verdict.words])
        above = each.of
    headers = ["of", "quantity", "reported", "obtained", "verdict"]
    return tabulate(cells, headers=headers, disable_numparse=True, maxcolwidths=[36, 30, 24, 40, 42])


def _as_json(state: StudyFolder, page: Path | None) -> dict[str, Any]:
    return {
        "study": state.record.asked.name,
        "folder": str(state.folder),
        "status": state.record.status,
        "seconds": state.record.seconds,
        "page": str(page) if page else None,
        "faults": state.faults,
        "sections": [_section_as_json(state, section) for section in state.study.sections],
    }


def _section_as_json(state: StudyFolder, section: StudySection) -> dict[str, Any]:
    """Return all that the page's tables have of a section."""
    runs = {each.name: state.experiments.get(each.name) for each in section.experiments}
    search = state.searches.get(section.title)
    return {
        "title": section.title,
        "numbers": [asdict(each) for each in judge_numbers(state, section)],
        "conclusions": [asdict(each) for each in judge_conclusions(state, section)],
        "experiments": [
            {"name": name, "run": str(run.folder), "status": run.status(), **summarise(run.outcomes())}
            for name, run in runs.items()
            if run
        ],
        "gradients": {
            check.name: [asdict(each) for each in state.differences(check.name)]
            for check in section.gradcheck
        },
        "search": summarise_search(search, BEST) if search else None,
    }


def print_interrupted(command: Sequence[str]) -> None:
    """Print how to go on."""
    click.echo(f"interrupted; the same command goes on from here: {shlex.join(command)}", err=True)
