"""The command `range-test`."""

from pathlib import Path

import click

from cifarmlp.cli.options import DATA_DIR, JSON, OUT, QUIET, SET, THREADS


@click.command("range-test")
@click.argument("config")
@SET
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the config's seed.")
@click.option("--from", "low", type=float, default=1e-6, show_default=True, help="The first rate.")
@click.option("--to", "high", type=float, default=10.0, show_default=True, help="The last rate.")
@click.option("--steps", type=click.IntRange(10, 10**6), help="Mini-batches. [default: two epochs]")
@click.option("--linear", is_flag=True, help="Let eta grow by equal differences, not by equal factors.")
@THREADS
@OUT
@DATA_DIR
@QUIET
@JSON
def range_test(
    config: str,
    overrides: tuple[str, ...],
    seed: int | None,
    low: float,
    high: float,
    steps: int | None,
    linear: bool,
    threads: int | None,
    out: Path,
    data_dir: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Find the learning rates between which the network of CONFIG learns.

    Trains it while eta grows with every mini-batch, and suggests eta_min, where the accuracy begins to rise,
    and eta_max, where it is highest (Smith 2017). CONFIG's own schedule and steps are not used. Leaves a
    folder with the curves as CSV and as a picture.
    """
    from cifarmlp import data
    from cifarmlp.cli.screen.range_test import print_range_test
    from cifarmlp.config import find_config, load_config
    from cifarmlp.training.range_test import check_rates, run_range_test

    check_rates(low, high, linear)
    changes = [*overrides, *([f"seed={seed}"] if seed is not None else [])]
    chosen = load_config(find_config(config), changes)
    dataset = data.load(chosen.data.source, data_dir)
    if not quiet:
        click.echo(f"{chosen.name}: eta grows from {low:g} to {high:g}", err=True)
    done = run_range_test(chosen, dataset, out, low, high, steps, linear, threads)
    print_range_test(done, config, changes, as_json)
