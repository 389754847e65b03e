"""The commands `gradcheck` and `bench`, on the engine itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifarmlp.cli.options import DATA_DIR, JSON, SET, complete_config
from cifarmlp.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cifarmlp.data import Dataset


@click.command()
@click.argument("config", required=False, shell_complete=complete_config)
@SET
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of weights and coordinates."
)
@DATA_DIR
@JSON
def gradcheck(
    config: str | None, overrides: tuple[str, ...], seed: int, data_dir: Path | None, as_json: bool
) -> None:
    """Check every gradient against centred differences, in float64.

    Without CONFIG: the networks of both reports, next to the differences that they printed.
    """
    from threadpoolctl import threadpool_limits

    from cifarmlp.cli.screen.engine import print_checks
    from cifarmlp.config import find_config, load_config
    from cifarmlp.study.load import checks_of_the_reports
    from cifarmlp.training.gradcheck import check_of, run_checks

    if overrides and config is None:
        raise ConfigError("--set needs a CONFIG to change, such as: cifarmlp gradcheck quickstart --set …")
    checks = checks_of_the_reports()
    if config is not None:
        checks = [check_of(load_config(find_config(config), overrides))]
    images = _load_images(data_dir)
    with threadpool_limits(1):  # products too small to share
        all_right = print_checks(images.source, run_checks(checks, images, seed), as_json)
    sys.exit(0 if all_right else 1)


def _load_images(data_dir: Path | None) -> "Dataset":
    """Return CIFAR-10 or, where it is neither named nor found, the synthetic images."""
    from cifarmlp import data

    try:
        return data.load("cifar10", data_dir)
    except DataError:
        if data_dir is not None:
            raise
        return data.load("synthetic")


@click.command()
@click.option("--quick", is_flag=True, help="One short round: a first impression.")
@JSON
def bench(quick: bool, as_json: bool) -> None:
    """Time a step here, against the bare matrix products. Takes about a minute."""
    from cifarmlp import parallel
    from cifarmlp.cli.screen.engine import print_benchmark
    from cifarmlp.training import bench as benchmark

    n = parallel.cores()
    arrangements = list(dict.fromkeys([*benchmark.single(n), *benchmark.populations(n)]))
    rounds, seconds = (1, 0.1) if quick else (5, 0.4)
    print_benchmark(benchmark.measure(arrangements, rounds, seconds), as_json)
