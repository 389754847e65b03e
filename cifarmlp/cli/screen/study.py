"""What people see of a study: what it will do, its progress on stderr, the verdicts."""

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
from cifarmlp.search.ranking import Trial
from cifarmlp.search.run import StageProgress
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.judge import Judgement, judge_conclusions, judge_numbers
from cifarmlp.study.load import load_study
from cifarmlp.study.plan import (
    StudyPlan,
    copies_if_images_there,
    searches_left,
    seconds_left,
    total_steps,
    trainings_left,
)
from cifarmlp.study.run import StudyEvents
from cifarmlp.text import duration
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.seeds import SeedTask


class TrainingsProgress:
    """Trainings done and left: a bar on a terminal, a line a training elsewhere, nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.done = self.total = 0
        self.bar: Any = None

    def begun(self, plan: StudyPlan, tasks: Sequence[SeedTask]) -> None:
        """What is left to train is known."""
        self.done, self.total = 0, len(tasks)
        if not self.quiet and plan.record.copied:
            click.echo(f"{plan.asked.name}: {plan.record.copied} runs were there from before", err=True)
        if tasks and not self.quiet and sys.stderr.isatty():
            self.bar = tqdm(total=self.total, desc=plan.asked.name, unit="training", dynamic_ncols=True)

    def trained(self, task: SeedTask, outcome: Outcome) -> None:
        """A training has ended."""
        self.done += outcome.status != "interrupted"
        if self.bar is not None:
            self.bar.update(self.done - self.bar.n)
            if self.done == self.total:
                self.bar.close()
        elif not self.quiet:
            accuracy = outcome.metric("test", "accuracy")
            known = f"test accuracy {accuracy:.4f}, " if accuracy == accuracy else ""
            told = f"{known}{outcome.seconds:.1f} s"
            who = f"{task.config.name}, seed {outcome.seed}: {outcome.status}"
            click.echo(f"{who}, {told}; {self.done} of {self.total} done", err=True)


def study_events(quiet: bool) -> StudyEvents:
    """What shows a study's progress."""
    trainings, searched = TrainingsProgress(quiet), SearchProgress(quiet)

    def search(course: StageProgress, ended: list[Trial]) -> None:
        searched(course, ended)

    return StudyEvents(trainings.begun, trainings.trained, search)


def print_studies() -> None:
    """The shipped studies, and how to run them."""
    shipped = shipped_studies()
    for name, path in shipped.items():
        click.echo(f"{name:<12}{load_study(path).study.title}")
    click.echo(f"\nnext:       cifarmlp study {' '.join(shipped)} --dry-run")


def print_plan(plan: StudyPlan, data_dir: Path | None, out: Path, jobs: int, cores: int) -> None:
    """What a study would do, and what that would take."""
    tasks = trainings_left(plan)
    before = copies_if_images_there(plan, out, data_dir)
    tasks = [task for task in tasks if task.folder not in before]
    searches = [c for c in searches_left(plan) if plan.folder / f"{c.name}-001" not in before]
    trained, searched = seconds_left(plan, tasks, searches, jobs, cores)
    wanted = sum(each.seeds for each in plan.experiments())
    steps = total_steps([task.config for task in tasks])
    click.echo(f"{plan.asked.name}: {plan.loaded.study.title}")
    click.echo(f"  sections:  {', '.join(plan.only)}")
    click.echo(f"  trainings: {len(tasks)} of {wanted} are left, {steps:,} steps, {_about(trained)}")
    if plan.searches():
        click.echo(f"  searches:  {len(searches)} of {len(plan.searches())} are left, {_about(searched)}")
    click.echo(f"  in all:    {_about(trained + searched)}, {jobs} trainings at a time")


def _about(seconds: float) -> str:
    return f"about {duration(seconds)}" if seconds >= 1 else "no time"


def print_verdicts(states: Sequence[StudyFolder], page: Path, as_json: bool) -> None:
    """Every verdict, where the page is, and what to do next."""
    if as_json:
        click.echo(json.dumps([_as_json(state, page) for state in states], indent=2))
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
        click.echo(f"study:   {state.folder}, {duration(state.record.seconds)}")
    click.echo(f"page:    {page}")


def _table(rows: Iterable[Judgement]) -> str:
    cells, above = [], ""
    for each in rows:
        name = "" if each.of == above else each.of
        cells.append([name, each.quantity, each.reported, each.obtained, each.verdict.words])
        above = each.of
    headers = ["of", "quantity", "reported", "obtained", "verdict"]
    return tabulate(cells, headers=headers, disable_numparse=True, maxcolwidths=[36, 30, 24, 40, 36])


def _as_json(state: StudyFolder, page: Path) -> dict[str, Any]:
    return {
        "study": state.record.asked.name,
        "folder": str(state.folder),
        "status": state.record.status,
        "seconds": state.record.seconds,
        "page": str(page),
        "sections": [
            {
                "title": section.title,
                "numbers": [asdict(each) for each in judge_numbers(state, section)],
                "conclusions": [asdict(each) for each in judge_conclusions(state, section)],
            }
            for section in state.study.sections
        ],
    }


def print_interrupted(command: Sequence[str]) -> None:
    """How to go on."""
    click.echo(f"interrupted; the same command goes on from here: {shlex.join(command)}", err=True)
