"""The command `train`."""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifarmlp.cli.cluster import DASK, connect, count_at_full_speed, name_what_goes_on
from cifarmlp.cli.options import (
    ANY_PATH,
    DATA_DIR,
    INTERRUPTED,
    JSON,
    OUT,
    QUIET,
    SET,
    THREADS,
    complete_config,
)
from cifarmlp.errors import ConfigError

if TYPE_CHECKING:
    from cifarmlp.cli.screen.train import Result
    from cifarmlp.config import Config
    from cifarmlp.data import Dataset
    from cifarmlp.training.seeds import Repeats


@click.command()
@click.argument("configs", nargs=-1, metavar="CONFIG...", shell_complete=complete_config)
@SET
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the config's seed.")
@click.option("--repeats", type=click.IntRange(1, 10_000), help="Train so many seeds: mean and std.")
@click.option("--resume", type=ANY_PATH, metavar="RUN", help="Go on with the training in this folder.")
@click.option("--strict", is_flag=True, help="Resume only where the same bits will come out.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, help="Train so many seeds side by side.")
@click.option(
    "--dry-run", is_flag=True, help="Only say what there is to train, how long and in how much memory."
)
@click.option("--tensorboard", is_flag=True, help="Also write event files for TensorBoard, while it trains.")
@DASK
@THREADS
@OUT
@DATA_DIR
@QUIET
@JSON
def train(
    configs: tuple[str, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    repeats: int | None,
    resume: Path | None,
    jobs: int,
    dry_run: bool,
    dask: str | None,
    out: Path,
    data_dir: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train the network of each CONFIG: a file, a shipped config by name, or a run's folder.

    Each training leaves a run folder with its curves, accuracies and model. Several configs end in a table of
    all; with --repeats they are compared with the first, seed by seed. With --resume, CONFIG may be left out.
    """
    from cifarmlp.cli.screen.train import print_json, print_result, print_table_of_all
    from cifarmlp.parallel.signals import watch_signals
    from cifarmlp.runs.folder import find_run
    from cifarmlp.training.seeds import repeats_to_resume
    from cifarmlp.training.tensorboard import import_tensorboard

    if options["tensorboard"]:
        _refuse_tensorboard_on(dask)
        import_tensorboard()  # where it is missing, that is said before anything begins
    resume = find_run(resume) if resume else None
    todo = _load_configs(configs, overrides, seed, resume)
    earlier = repeats_to_resume(resume, todo[0] if todo else None, repeats) if resume else None
    if dry_run and as_json:
        raise ConfigError("--json is for results; leave it out with --dry-run")
    cluster, jobs = connect(dask, jobs)
    if dry_run:
        _print_plan(earlier, todo, repeats or 1, out, jobs, cluster)
        return
    options |= {"cluster": cluster, "jobs": jobs}
    stop, results = watch_signals(), list["Result"]()
    prepared = _prepare(todo, earlier, repeats or 1, out, data_dir, is_one=cluster is not None)
    for each in _train_each(prepared, data_dir, quiet, dask, stop, options):
        if not as_json:
            print_result(each, is_first=not results, is_only=len(todo) < 2)
        results.append(each)
    if as_json:
        print_json(results, is_list=len(configs) > 1)
    elif len(results) > 1:
        print_table_of_all(results)
    if stop():
        sys.exit(INTERRUPTED + stop())


def _print_plan(
    earlier: "Repeats | None", configs: "Sequence[Config]", seeds: int, out: Path, jobs: int, cluster: Any
) -> None:
    from cifarmlp.cli.screen.train import print_plan
    from cifarmlp.training.seeds import Repeats

    is_one = cluster is not None
    groups = [[Repeats(out, config, seeds) for config in group] for group in _groups(configs, is_one)]
    print_plan([[earlier]] if earlier else groups, jobs, count_at_full_speed(cluster, jobs), is_one)


def _load_configs(
    names: Sequence[str], overrides: Sequence[str], seed: int | None, resume: Path | None
) -> "list[Config]":
    """Return the configs that were named. Raises ConfigError if the options do not go together."""
    from cifarmlp.config import load_config

    if not names and resume is None:
        raise ConfigError("which CONFIG? A file, or a shipped one: cifarmlp train quickstart")
    if resume and (len(names) > 1 or (not names and (overrides or seed is not None))):
        raise ConfigError("--resume goes on with one training: give its one CONFIG, with its --set, or none")
    changes = [*overrides, *([f"seed={seed}"] if seed is not None else [])]
    return [load_config(_find(name), changes) for name in names]


def _find(name: str) -> Path:
    """Return the path of a config, also of that in a run's folder. Raises ConfigError if it is a study."""
    from cifarmlp.config import find_config
    from cifarmlp.config.files import shipped_studies
    from cifarmlp.runs.folder import find_run, folder_kind

    folder = find_run(Path(name))
    if folder_kind(folder) == "run":
        return folder / "config.yaml"
    if name in shipped_studies() and not folder.exists():
        raise ConfigError(f"{name}: a study; run it: cifarmlp study {name}")
    return find_config(name)


def _prepare(
    configs: "Sequence[Config]",
    earlier: "Repeats | None",
    seeds: int,
    out: Path,
    data_dir: Path | None,
    is_one: bool,
) -> "Iterator[list[tuple[Repeats, Dataset]]]":
    """Yield the trainings of each group, see `_groups`, with their images.

    What can be refused is refused before the first.
    """
    from cifarmlp import data
    from cifarmlp.training.seeds import Repeats, claim_repeats

    todo = [earlier.config] if earlier else configs
    for config in todo:
        Repeats(out, config, seeds).places()
    sources = sorted({config.data.source for config in todo})
    datasets = {source: data.load(source, data_dir, download=True) for source in sources}
    for group in _groups(todo, is_one):
        yield [(earlier or claim_repeats(c, seeds, out), datasets[c.data.source]) for c in group]


def _train_each(
    prepared: "Iterator[list[tuple[Repeats, Dataset]]]",
    data_dir: Path | None,
    quiet: bool,
    dask: str | None,
    stop: Callable[[], int],
    options: Mapping[str, Any],
) -> "Iterator[Result]":
    """Train all configs; compare each with the first over several seeds of the same images."""
    from cifarmlp.cli.screen.train import Result, TrainingProgress
    from cifarmlp.runs.comparison import compare_pairs
    from cifarmlp.training.seeds import train_seeds

    first, its_images = None, ""
    for group in prepared:
        progress = TrainingProgress([each.config for each, _ in group], quiet)
        with name_what_goes_on(*(partial(_again, each.folder, dask) for each, _ in group)):
            results = train_seeds(
                group, data_dir, watch=progress, ended=progress.finish, stop=stop, **options
            )
        for (training, dataset), outcomes in zip(group, results, strict=True):
            difference = None
            if first and len(outcomes) > 1 and dataset.checksum == its_images and not stop():
                difference = compare_pairs(first.training.folder, first.outcomes, training.folder, outcomes)
            yield (result := Result(training, outcomes, difference))
            first, its_images = first or result, its_images or dataset.checksum
        if stop():
            return


def _groups(configs: "Sequence[Config]", is_one: bool) -> "list[list[Config]]":
    """Return the configs that are trained at the same time: all on a cluster, here neighbours in lockstep."""
    from cifarmlp.training.lockstep import kind_of

    if is_one:
        return [[*configs]]
    return [[*group] for _, group in itertools.groupby(configs, key=kind_of)]


def _again(folder: Path, dask: str | None) -> list[str]:
    return ["cifarmlp", "train", "--resume", str(folder), "--dask", str(dask)]


def _refuse_tensorboard_on(dask: str | None) -> None:
    if dask is not None:
        raise ConfigError(
            "--tensorboard writes while it trains, and a cluster's folders come at the end: without --dask"
        )
