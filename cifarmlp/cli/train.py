"""The command `train`."""

import sys
from pathlib import Path
from typing import Any

import click

from cifarmlp.cli.options import ANY_PATH, DATA_DIR, INTERRUPTED, JSON, OUT, QUIET, SET, THREADS
from cifarmlp.errors import ConfigError


@click.command()
@click.argument("configs", nargs=-1, metavar="CONFIG...")
@SET
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the config's seed.")
@click.option("--repeats", type=click.IntRange(1, 10_000), help="Train so many seeds: mean and std.")
@click.option("--resume", type=ANY_PATH, metavar="RUN", help="Go on with the training in this folder.")
@click.option("--strict", is_flag=True, help="Resume only where the same bits will come out.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, help="Train so many seeds side by side.")
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
    out: Path,
    data_dir: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train the network of each CONFIG: a file, or a shipped config by name.

    Each training leaves a run folder with its curves, accuracies and model. Several configs with --repeats
    are compared with the first, seed by seed. With --resume, CONFIG may be left out.
    """
    from cifarmlp import config, data
    from cifarmlp.cli.screen.train import TrainingProgress, print_difference, print_outcomes
    from cifarmlp.parallel.signals import watch_signals
    from cifarmlp.runs import comparison
    from cifarmlp.training.seeds import claim_repeats, repeats_to_resume, train_seeds

    if not configs and resume is None:
        raise ConfigError("which CONFIG? A file, or a shipped one: cifarmlp train quickstart")
    if resume and (len(configs) > 1 or (not configs and (overrides or seed is not None))):
        raise ConfigError("--resume goes on with one training: give its one CONFIG, with its --set, or none")
    seeds = [f"seed={seed}"] if seed is not None else []
    loaded = [config.load_config(config.find_config(name), [*overrides, *seeds]) for name in configs]
    begun = repeats_to_resume(resume, loaded[0] if loaded else None, repeats) if resume else None
    stop = watch_signals()
    first: list[Any] = []
    for each in [begun.config] if begun else loaded:
        dataset = data.load(each.data.source, data_dir, download=True)  # before a folder is claimed
        training = begun or claim_repeats(each, repeats or 1, out)
        progress = TrainingProgress(each.name, quiet)
        outcomes = train_seeds(
            training, dataset, data_dir, watch=progress, ended=progress.ended, stop=stop, **options
        )
        print_outcomes(training, outcomes, as_json)
        if stop():
            sys.exit(INTERRUPTED + stop())
        if first and len(outcomes) > 1:
            print_difference(comparison.compare_pairs(first[0], first[1], training.folder, outcomes), as_json)
        first = first or [training.folder, outcomes]
