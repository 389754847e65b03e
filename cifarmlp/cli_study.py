"""The command `study`: parse, call, print."""

import sys
from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli_options import DATA_DIR, INTERRUPTED, JSON, OUT, QUIET, SET
from cifarmlp.errors import CifarmlpError


@click.command()
@click.argument("names", nargs=-1, metavar="[STUDY...]")
@click.option("--only", multiple=True, metavar="SECTION", help="Only sections with this in their titles.")
@click.option(
    "--repeats", type=click.IntRange(1, 10_000), help="Seeds of every experiment. [default: the study's]"
)
@click.option("--trials", type=click.IntRange(1, 10_000), help="Trials of each stage of a search.")
@SET
@click.option("--jobs", type=click.IntRange(1, 256), help="Trainings side by side. [default: one a core]")
@click.option("--dask", metavar="ADDRESS", help="Search on a Dask cluster, such as tcp://host:8786.")
@click.option("--dry-run", is_flag=True, help="Only say what there is to train, and how long it takes.")
@click.option("--tables", "form", type=click.Choice(["md", "tex"]), help="Also each table, beside the page.")
@click.option("--figures", is_flag=True, help="Also each figure as SVG and PDF, beside the page.")
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
    from cifarmlp import (
        blas,
        config_files,
        interrupts,
        page,
        report_study,
        runs,
        study_folder,
        study_run,
        study_screen,
        tables,
        workers,
    )
    from cifarmlp import study as studies

    if not names:
        shipped = config_files.shipped_studies()
        study_screen.print_studies({n: (p, studies.load_study(p).study) for n, p in shipped.items()})
        return
    loaded = [studies.load_study(config_files.find_study(name), overrides) for name in names]
    asked = [study_folder.asked(each, repeats, [*overrides], trials) for each in loaded]
    plans = [study_run.plan(each, wanted, out, only) for each, wanted in zip(loaded, asked, strict=True)]
    cluster = workers.connect(dask) if dask is not None else None
    jobs = jobs or blas.cores()
    cores = workers.size(cluster) if cluster else jobs
    if dry_run:
        for plan in plans:
            study_screen.print_plan(plan, data_dir, out, jobs, cores)
        return
    stop, command = interrupts.watch_signals(), ["cifarmlp", *sys.argv[1:]]
    lost: dict[str, str] = {}
    for plan in plans:
        progress = study_screen.progress(quiet)
        lost |= study_run.run(
            plan, out, data_dir, jobs=jobs, cores=cores, command=command, progress=progress, cluster=cluster,
            stop=stop,
        )  # fmt: skip
        if stop():
            study_screen.print_interrupted(command)
            sys.exit(INTERRUPTED + stop())
    states = [study_folder.read(plan.folder) for plan in plans]
    target = (plans[0].folder if len(plans) == 1 else out) / "report.html"
    document = report_study.page_of(states, target.parent)
    runs.write_text(target, page.html(document))
    if form:
        tables.write_tables(document, target.parent, form)
    if figures:
        tables.write_figures(document, target.parent)
    study_screen.print_verdicts(states, target, as_json)
    if lost:
        raise CifarmlpError(f"not trained after two tries: {'; '.join(f'{k}: {v}' for k, v in lost.items())}")
