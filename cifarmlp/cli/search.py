"""The command `search`: parse, call, print."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifarmlp.cli.options import ANY_PATH, DATA_DIR, INTERRUPTED, JSON, OUT, QUIET, SET
from cifarmlp.errors import ConfigError

if TYPE_CHECKING:
    from cifarmlp.search.folder import Stage


@click.command()
@click.argument("config", required=False)
@click.option("--coarse", is_flag=True, help="The first, wide stage only.")
@click.option("--fine", is_flag=True, help="The second stage only, around the best trials of a coarse one.")
@click.option(
    "--from",
    "coarse_from",
    type=ANY_PATH,
    metavar="RUN",
    help="The coarse search to refine. [default: the newest]",
)
@click.option("--resume", type=ANY_PATH, metavar="RUN", help="Finish the search in this folder.")
@SET
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the config's seed.")
@click.option(
    "--trials", type=click.IntRange(1, 10_000), help="Instead of the config's number, in each stage."
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    help="Trainings a trial, whose mean counts. [default: 1]",
)
@click.option(
    "--top", type=click.IntRange(1, 1000), default=3, show_default=True, help="Show so many of the best."
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes side by side. [default: one a core]")
@click.option("--dask", metavar="ADDRESS", help="Train on a Dask cluster, such as tcp://host:8786.")
@click.option(
    "--dry-run", is_flag=True, help="Only say what there is to train, how long and in how much memory."
)
@OUT
@DATA_DIR
@QUIET
@JSON
def search(
    config: str | None,
    coarse: bool,
    fine: bool,
    coarse_from: Path | None,
    resume: Path | None,
    seeds: int | None,
    jobs: int | None,
    dask: str | None,
    dry_run: bool,
    top: int,
    out: Path,
    data_dir: Path | None,
    quiet: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Search good values of CONFIG's fields: a wide random search, then a fine one around its best.

    CONFIG is a file or a shipped config with a section `search`; without one, report 2's search for lambda.
    Both stages, unless --coarse or --fine picks one. Trials are ranked on the validation set; the test set
    is not touched.
    """
    from cifarmlp import parallel
    from cifarmlp.cli.screen.search import SearchProgress, print_found, print_plan
    from cifarmlp.parallel.signals import watch_signals
    from cifarmlp.search.plan import prepare_search, resume_search
    from cifarmlp.search.run import run_search

    if coarse_from and (coarse or not fine):
        raise ConfigError("--from names the coarse search for --fine to refine; give --fine alone with it")
    both: list[Stage] = ["coarse", "fine"]
    stages = [stage for stage, wanted in zip(both, (coarse, fine), strict=True) if wanted]
    loaded = _searched(config, stages, resume, **changes)
    cluster = parallel.connect(dask) if dask is not None else None
    cores = parallel.size(cluster) if cluster else parallel.cores()
    jobs = cores if cluster else jobs or cores
    if resume:
        state = resume_search(resume, loaded, stages, seeds)
    else:
        state = prepare_search(loaded, stages, seeds or 1, cores, out, coarse_from)
    if dry_run:
        print_plan(state, jobs)
        return
    stop, progress = watch_signals(), SearchProgress(quiet)
    found = run_search(state, out, data_dir, jobs=jobs, top=top, cluster=cluster, stop=stop, watch=progress)
    progress.close()
    print_found(state, found, as_json)
    sys.exit(INTERRUPTED + stop() if stop() else int(bool(state.failed())))


def _searched(
    name: str | None,
    stages: Sequence["Stage"],
    resume: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    trials: int | None,
) -> Any:
    """The config to search; None where it is that of the search to resume."""
    from cifarmlp.config import find_config, load_config, override_with

    if name is None and resume is not None:
        if overrides or seed is not None or trials is not None:
            raise ConfigError("--set, --seed and --trials belong to a CONFIG; a resumed search has its own")
        return None
    seeds = [f"seed={seed}"] if seed is not None else []
    loaded = load_config(find_config(name or "report-2/search"), [*overrides, *seeds])
    if trials is None or loaded.search is None:
        return loaded
    wanted = [s for s in stages or ["coarse", "fine"] if getattr(loaded.search, s) is not None]
    return override_with(loaded, {f"search.{stage}.trials": trials for stage in wanted})
