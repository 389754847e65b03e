"""The command `search`: parse, call, print."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifarmlp.cli.cluster import DASK, connect, count_at_full_speed, name_what_goes_on
from cifarmlp.cli.options import ANY_PATH, DATA_DIR, INTERRUPTED, JSON, OUT, QUIET, SET, complete_config
from cifarmlp.errors import ConfigError

if TYPE_CHECKING:
    from cifarmlp.config import Config
    from cifarmlp.search.folder import Search, Stage


@dataclass(frozen=True)
class SearchOptions:
    """The options that say which search it is."""

    config: str | None
    coarse: bool
    fine: bool
    coarse_from: Path | None
    resume: Path | None
    overrides: tuple[str, ...]
    seed: int | None
    trials: int | None
    seeds: int | None
    out: Path

    @property
    def stages(self) -> "list[Stage]":
        """The stages wanted; none for all that the config has."""
        both: list[tuple[Stage, bool]] = [("coarse", self.coarse), ("fine", self.fine)]
        return [stage for stage, wanted in both if wanted]


@click.command()
@click.argument("config", required=False, shell_complete=complete_config)
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
@DASK
@click.option("--strict", is_flag=True, help="Go on only with the same code and numerics.")
@click.option(
    "--dry-run", is_flag=True, help="Only say what there is to train, how long and in how much memory."
)
@OUT
@DATA_DIR
@QUIET
@JSON
def search(
    top: int,
    jobs: int | None,
    dask: str | None,
    strict: bool,
    dry_run: bool,
    data_dir: Path | None,
    quiet: bool,
    as_json: bool,
    **which: Any,
) -> None:
    """Search good values of CONFIG's fields: a wide random search, then a fine one around its best.

    CONFIG is a file or a shipped config with a section `search`; without one, report 2's search for lambda.
    Both stages, unless --coarse or --fine picks one. Trials are ranked on the validation set; the test set
    is not touched.
    """
    from cifarmlp import parallel
    from cifarmlp.cli.screen.search import SearchProgress, print_plan, print_results
    from cifarmlp.parallel.signals import watch_signals
    from cifarmlp.runs.folder import find_run
    from cifarmlp.search.run import run_search

    for name in ("resume", "coarse_from"):
        which[name] = which[name] and find_run(which[name])
    options = SearchOptions(**which)
    if as_json and dry_run:
        raise ConfigError("--json is for results; leave it out with --dry-run")
    if options.coarse_from and options.stages != ["fine"]:
        raise ConfigError("--from names the coarse search for --fine to refine; give --fine alone with it")
    cluster, cores = connect(dask, parallel.cores())
    jobs = cores if cluster else jobs or cores
    state = continue_search(options) if options.resume else new_search(options, cores)
    section = state.config.search
    if section and section.fine is None and not (options.coarse or quiet):
        click.echo(f"{state.config.name} has no search.fine: the coarse stage only", err=True)
    if dry_run:
        print_plan(state, jobs, count_at_full_speed(cluster, jobs))
        return
    stop, watch = watch_signals(), SearchProgress(quiet)
    again = ["cifarmlp", "search", "--resume"]
    with name_what_goes_on(lambda: [*again, str(state.folder), "--dask", str(dask)]):
        summary = run_search(
            state, options.out, data_dir, jobs=jobs, top=top, strict=strict, cluster=cluster, stop=stop,
            watch=watch,
        )  # fmt: skip
    watch.close()
    print_results(state, summary, as_json)
    sys.exit(INTERRUPTED + stop() if stop() else int(bool(state.failed())))


def new_search(options: SearchOptions, cores: int) -> "Search":
    """Return a new search of the config. Raises ConfigError."""
    from cifarmlp.search.plan import prepare_search

    config, stages = _load(options.config or "report-2/search", options), options.stages
    return prepare_search(config, stages, options.seeds or 1, cores, options.out, options.coarse_from)


def continue_search(options: SearchOptions) -> "Search":
    """Return the search to resume. Raises ConfigError if it is another one than the options say."""
    from cifarmlp.search.plan import resume_search

    assert options.resume is not None
    changes = options.overrides or options.seed is not None or options.trials is not None
    if changes and options.config is None:
        raise ConfigError("--set, --seed and --trials belong to a CONFIG; a resumed search has its own")
    config = _load(options.config, options) if options.config is not None else None
    return resume_search(options.resume, config, options.stages, options.seeds)


def _load(name: str, options: SearchOptions) -> "Config":
    from cifarmlp.config import find_config, load_config
    from cifarmlp.search.plan import with_trials

    seeds = [f"seed={options.seed}"] if options.seed is not None else []
    config = load_config(find_config(name), [*options.overrides, *seeds])
    return config if options.trials is None else with_trials(config, options.trials, options.stages)
