"""The command line: parse, call, print. Results on stdout, progress and messages on stderr."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from cifarmlp import __version__, cli_report, cli_runs, cli_search, cli_study
from cifarmlp.cli_options import ANY_PATH, DATA_DIR, INTERRUPTED, JSON, OUT, QUIET, SET, THREADS
from cifarmlp.errors import CifarmlpError, ConfigError, DataError, RunFolderError, show_warnings_as_lines
from cifarmlp.yaml_words import escaped, numbers_apart

CLOSED_PIPE = INTERRUPTED + 13  # what shells have for `yes | head -1`, too


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="cifarmlp")
def commands() -> None:
    """Experiments with fully connected networks on CIFAR-10, from YAML configs, in NumPy.

    Start with: cifarmlp train quickstart
    """


@commands.command()
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
    from cifarmlp import config, data, interrupts, paired, screen
    from cifarmlp import repeats as repetition

    if not configs and resume is None:
        raise ConfigError("which CONFIG? A file, or a shipped one: cifarmlp train quickstart")
    if resume and (len(configs) > 1 or (not configs and (overrides or seed is not None))):
        raise ConfigError("--resume goes on with one training: give its one CONFIG, with its --set, or none")
    seeds = [f"seed={seed}"] if seed is not None else []
    loaded = [config.load_config(config.find_config(name), [*overrides, *seeds]) for name in configs]
    begun = repetition.resumed(resume, loaded[0] if loaded else None, repeats) if resume else None
    stop = interrupts.watch_signals()
    first: list[Any] = []
    for each in [begun.config] if begun else loaded:
        dataset = data.load(each.data.source, data_dir, download=True)  # before a folder is claimed
        training = begun or repetition.claim(each, repeats or 1, out)
        progress = screen.Progress(each.name, quiet)
        outcomes = repetition.train_seeds(
            training, dataset, data_dir, watch=progress, ended=progress.ended, stop=stop, **options
        )
        screen.print_outcomes(training, outcomes, as_json)
        if stop():
            sys.exit(INTERRUPTED + stop())
        if first and len(outcomes) > 1:
            screen.print_difference(paired.compare(first[0], first[1], training.folder, outcomes), as_json)
        first = first or [training.folder, outcomes]


@commands.command()
@click.argument("config", required=False)
@SET
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of weights and coordinates."
)
@DATA_DIR
def gradcheck(config: str | None, overrides: tuple[str, ...], seed: int, data_dir: Path | None) -> None:
    """Check every gradient against centred differences, in float64.

    Without CONFIG: the networks of both reports, next to the differences that they printed.
    """
    from threadpoolctl import threadpool_limits

    from cifarmlp import data, gradients, screen
    from cifarmlp.config import find_config, load_config

    if overrides and config is None:
        raise ConfigError("--set needs a CONFIG to change, such as: cifarmlp gradcheck quickstart --set …")
    checks = gradients.checks_of_the_reports()
    if config is not None:
        checks = [gradients.check_of(load_config(find_config(config), overrides))]
    try:
        images = data.load("cifar10", data_dir)
    except DataError:
        if data_dir is not None:
            raise
        images = data.load("synthetic")
    off: list[str] = []
    with threadpool_limits(1):  # products too small to share
        click.echo(screen.about_checks(images.source))
        for check, differences in gradients.run(checks, images, seed):
            wrong = gradients.wrong(differences)
            screen.print_check(check, differences, wrong)
            off += wrong
    click.echo(screen.verdict_of_checks(off))
    sys.exit(1 if off else 0)


@commands.command()
@click.option("--quick", is_flag=True, help="One short round: a first impression.")
@JSON
def bench(quick: bool, as_json: bool) -> None:
    """Time a step here, against the bare matrix products. Takes about a minute."""
    from cifarmlp import bench as benchmark
    from cifarmlp import blas, screen

    n = blas.cores()
    arrangements = list(dict.fromkeys([*benchmark.single(n), *benchmark.populations(n)]))
    rounds, seconds = (1, 0.1) if quick else (5, 0.4)
    screen.print_benchmark(benchmark.measure(arrangements, rounds, seconds), as_json)


@commands.group()
def data() -> None:
    """Fetch, verify, describe or make the images."""


@data.command()
@DATA_DIR
@QUIET
def fetch(data_dir: Path | None, quiet: bool) -> None:
    """Download CIFAR-10, unless it is there already."""
    from cifarmlp import data as images
    from cifarmlp import screen

    with screen.download_bar(quiet) as bar:
        click.echo(images.find_or_fetch(data_dir, bar))


@data.command()
@DATA_DIR
def verify(data_dir: Path | None) -> None:
    """Check every file of CIFAR-10: shape, labels, official checksum."""
    from cifarmlp import data as images
    from cifarmlp import screen

    if not screen.print_verified(images.verify(data_dir)):
        sys.exit(DataError.exit_code)


@data.command()
@click.option("--source", type=click.Choice(["cifar10", "synthetic"]), default="cifar10", show_default=True)
@click.option("--sheet", type=ANY_PATH, metavar="PNG", help="Also draw a contact sheet, ten images a class.")
@DATA_DIR
@JSON
def info(source: str, sheet: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Where the images are, how many of each class, and whether they are the official ones."""
    from cifarmlp import data as images
    from cifarmlp import screen

    dataset = images.load(source, data_dir)
    screen.print_info(images.info(dataset), as_json)
    if sheet is not None:
        screen.save_sheet(sheet, images.contact_sheet(dataset.train, dataset.names))


@data.command()
@click.argument("directory", type=ANY_PATH)
def synthesise(directory: Path) -> None:
    """Write the synthetic images to DIRECTORY in CIFAR-10's file formats."""
    from cifarmlp import synthetic

    synthetic.synthesise(directory)
    click.echo(directory)


@commands.group(invoke_without_command=True)
@click.pass_context
def configs(context: click.Context) -> None:
    """List the shipped configs, copy them, or print their JSON Schema."""
    from cifarmlp.config import shipped_configs

    if context.invoked_subcommand is None:
        shipped = shipped_configs()
        for name in sorted(shipped, key=numbers_apart):
            first = shipped[name].read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
            click.echo(f"{name:<24}{first}")


@configs.command()
@click.argument("directory", type=ANY_PATH)
def copy(directory: Path) -> None:
    """Copy the shipped configs to DIRECTORY, to edit them there."""
    from cifarmlp.config import shipped_configs

    for name, path in shipped_configs().items():
        target = directory / f"{name}.yaml"
        if target.exists():
            raise ConfigError(f"{target} exists already; give an empty or new folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    click.echo(directory)


@configs.command()
def schema() -> None:
    """Print the JSON Schema of configs, for editors."""
    from cifarmlp.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


for command in (
    cli_search.search,
    cli_runs.runs,
    cli_runs.compare,
    cli_runs.evaluate,
    cli_report.report,
    cli_study.study,
):
    commands.add_command(command)


def main() -> None:
    """Entry point: a fault becomes one line on stderr and the exit code that goes with it."""
    show_warnings_as_lines()
    try:
        with commands.make_context("cifarmlp", sys.argv[1:]) as context:  # not its `main`, which hides EPIPE
            commands.invoke(context)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except CifarmlpError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        _end_as_by_sigpipe()
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {error.strerror or error}", RunFolderError.exit_code)
    except MemoryError as error:
        _fail(
            f"out of memory: {f'{error}; ' if str(error) else ''}use a smaller network.hidden or batch_size",
            1,
        )


def _end_as_by_sigpipe() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())  # else what is still to be written would be complained about
    sys.exit(CLOSED_PIPE)


def _fail(message: str, code: int) -> None:
    for line in message.splitlines():
        click.echo(f"error: {escaped(line)}", err=True)
    sys.exit(code)
