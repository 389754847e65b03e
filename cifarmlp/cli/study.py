"""The command `study`: parse, call, print."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cifarmlp.cli.cluster import DASK, connect, count_at_full_speed, name_what_goes_on
from cifarmlp.cli.options import DATA_DIR, FIGURES, INTERRUPTED, JSON, OUT, QUIET, SET, TABLES, complete_study
from cifarmlp.errors import CifarmlpError, ConfigError

if TYPE_CHECKING:
    from cifarmlp.study.plan import StudyPlan


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY...]", shell_complete=complete_study)
@click.option("--only", multiple=True, metavar="SECTION", help="Only sections with this in their titles.")
@click.option(
    "--repeats", type=click.IntRange(1, 10_000), help="Seeds of every experiment. [default: the study's]"
)
@click.option("--trials", type=click.IntRange(1, 10_000), help="Trials of each stage of a search.")
@SET
@click.option("--jobs", type=click.IntRange(1, 256), help="Trainings side by side. [default: one a core]")
@DASK
@click.option("--strict", is_flag=True, help="Refuse what was trained with other code or another NumPy.")
@click.option("--dry-run", is_flag=True, help="Only say what there is to train, and how long it takes.")
@TABLES
@FIGURES
@OUT
@DATA_DIR
@QUIET
@JSON
def study(
    names: tuple[str, ...],
    only: tuple[str, ...],
    repeats: int | None,
    trials: int | None,
    overrides: tuple[str, ...],
    jobs: int | None,
    dask: str | None,
    strict: bool,
    dry_run: bool,
    form: Literal["md", "tex"] | None,
    figures: bool,
    out: Path,
    data_dir: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train what a STUDY says and judge each number that was reported: a page with verdicts.

    STUDY is a file or a shipped study; without one, the shipped ones are listed. The same command again goes
    on where it was interrupted, and copies what was trained before with the same config and code.
    """
    from cifarmlp import parallel
    from cifarmlp.cli.screen.study import print_plan, print_studies

    if not names:
        print_studies(as_json)
        return
    if as_json and dry_run:
        raise ConfigError("--json is for results; leave it out with --dry-run")
    plans = _plans(names, overrides, out, only, repeats, trials)
    _refuse_page(plans, out)
    cluster, jobs = connect(dask, jobs or parallel.cores())
    if dry_run:
        for plan in plans:
            at_full_speed = count_at_full_speed(cluster, jobs)
            print_plan(plan, data_dir, out, jobs, at_full_speed, strict, on_cluster=cluster is not None)
        return
    folders, failures = _run(plans, out, data_dir, jobs, cluster, strict, quiet)
    _show(folders, out, form, figures, as_json)
    if failures:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise CifarmlpError(f"not trained after two tries: {reasons}")


def _plans(
    names: tuple[str, ...],
    overrides: tuple[str, ...],
    out: Path,
    only: tuple[str, ...],
    repeats: int | None,
    trials: int | None,
) -> "list[StudyPlan]":
    from cifarmlp.config.files import find_study
    from cifarmlp.study.load import load_study
    from cifarmlp.study.plan import plan_study

    if len({Path(name).resolve() for name in names}) < len(names):
        raise ConfigError(f"{' '.join(names)}: a study is given twice; once is enough")
    studies = [load_study(find_study(name), overrides) for name in names]
    return [plan_study(each, out, only=only, repeats=repeats, trials=trials) for each in studies]


def _run(
    plans: "Sequence[StudyPlan]",
    out: Path,
    data_dir: Path | None,
    jobs: int,
    cluster: Any,
    strict: bool,
    quiet: bool,
) -> tuple[list[Path], dict[str, str]]:
    """Run each study; a signal ends the process, with a line on how to go on."""
    from cifarmlp.cli.screen.study import print_interrupted, study_events
    from cifarmlp.parallel.signals import restore_signals, watch_signals
    from cifarmlp.study.run import run_study

    stop, command = watch_signals(), ["cifarmlp", *sys.argv[1:]]
    folders, failures = [], dict[str, str]()
    for plan in plans:
        with name_what_goes_on(lambda: command):
            folder, reasons = run_study(
                plan, out, data_dir, jobs=jobs, command=command, events=study_events(quiet),
                cluster=cluster, stop=stop, strict=strict,
            )  # fmt: skip
        if stop():
            print_interrupted(command)
            sys.exit(INTERRUPTED + stop())
        folders.append(folder)
        failures |= reasons
    restore_signals()  # the page can be had again by `report`
    return folders, failures


def _page(folders: "Sequence[Path]", out: Path) -> Path:
    """Return where the page of the studies in these folders goes."""
    from cifarmlp.report.write import PAGE

    return (folders[0] if len(folders) == 1 else out) / PAGE


def _refuse_page(plans: "Sequence[StudyPlan]", out: Path) -> None:
    """Refuse, before anything is trained, to write the page over a file that is none."""
    from cifarmlp.report.write import refuse_other_file

    refuse_other_file(_page([plan.folder for plan in plans], out))


def _show(
    folders: list[Path], out: Path, form: Literal["md", "tex"] | None, figures: bool, as_json: bool
) -> None:
    """Write the page, and print the verdicts, even if the page cannot be written."""
    from cifarmlp import files
    from cifarmlp.cli.screen.study import print_verdicts
    from cifarmlp.report.build import build_page
    from cifarmlp.report.write import write_page
    from cifarmlp.study.folder import load_study_folder

    page = _page(folders, out)
    again = shlex.join(["cifarmlp", "report", *map(str, folders), "--output", str(page)])
    there = None
    with files.forgive(page, again):
        write_page(build_page(folders, page.parent), page, form, figures)
        there = page
    print_verdicts([load_study_folder(folder) for folder in folders], there, as_json)
