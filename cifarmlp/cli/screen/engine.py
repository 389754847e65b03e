"""Tables of the commands `gradcheck` and `bench`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click
from tabulate import tabulate

from cifarmlp.files import nan_to_null
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.training.bench import Row
from cifarmlp.training.gradcheck import LIMIT, NetworkCheck, wrong_parameters
from cifarmlp.training.machine import describe_machine


def print_checks(source: str, checks: Iterable[tuple[NetworkCheck, list[Difference]]], as_json: bool) -> bool:
    """Print gradient checks as they are made, or all of them as JSON; return whether all are right."""
    if as_json:
        found = [_values(check, differences) for check, differences in checks]
        right = all(each["right"] for each in found)
        results = {"images": source, "limit": LIMIT, "right": right, "checks": found}
        click.echo(json.dumps(nan_to_null(results), indent=2))
        return right
    off: list[str] = []
    print_check_legend(source)
    for check, differences in checks:
        wrong = wrong_parameters(differences)
        print_check(check, differences, wrong)
        off += wrong
    print_check_verdict(off)
    return not off


def _values(check: NetworkCheck, differences: Sequence[Difference]) -> dict[str, Any]:
    wrong = wrong_parameters(differences)
    reported = check.reported or {}
    parameters = [
        {**asdict(each), "right": each.name not in wrong, "reported": reported.get(each.name)}
        for each in differences
    ]
    about = {"network": check.title, "note": check.note, "measure": check.measure if reported else None}
    return {**about, "right": not wrong, "parameters": parameters}


def print_check(check: NetworkCheck, differences: Sequence[Difference], off: Sequence[str]) -> None:
    """Print the gradient check of a network as a table, next to the numbers of a report if it has them."""
    reported = check.reported or {}
    columns = [
        "",
        "checked",
        "||a - n||",
        "relative",
        "directions",
        "update",
        *([check.measure] if reported else []),
    ]
    rows = [
        [d.name, _count(d), *(f"{x:.1e}" for x in (d.distance, d.relative, d.direction, d.update))]
        + ([f"{reported[d.name]:.2g}" if d.name in reported else "-"] if reported else [])
        for d in differences
    ]
    click.echo(f"\n{check.title}")
    if check.note:
        click.echo(check.note)
    click.echo(tabulate(rows, headers=columns, disable_numparse=True, stralign="right"))
    for name in off:
        worst = next(d.worst for d in differences if d.name == name)
        click.echo(f"WRONG: {name} is off by {worst:.1e}, more than {LIMIT:.0e}")


def _count(difference: Difference) -> str:
    return f"{difference.checked}" + (f" (-{difference.kinks} kinks)" if difference.kinks else "")


def print_check_legend(source: str) -> None:
    """Print the meaning of the columns of `print_check`."""
    images = "CIFAR-10" if source == "cifar10" else "synthetic images (no CIFAR-10 here)"
    click.echo(
        f"Analytic (a) against numeric (n, centred difference) gradients of the loss, float64, on {images}.\n"
        "relative: ||a - n|| / (||a|| + ||n||), over the coordinates checked; directions: along random\n"
        "directions through the whole parameter; update: what one step did, over -eta and less 2 lambda W,\n"
        "against n.\n"
        f"A gradient is wrong from {LIMIT:.0e}."
    )


def print_check_verdict(off: Sequence[str]) -> None:
    """Print which gradients are wrong, as the last line."""
    click.echo(f"\nwrong gradients: {', '.join(off)}" if off else "\nall gradients are right")


def print_benchmark(rows: Sequence[Row], as_json: bool) -> None:
    """Print the times of each arrangement of networks, processes and threads, a row each."""
    if as_json:
        here = {"machine": describe_machine()}
        click.echo(json.dumps([{**asdict(row), **here} for row in rows], indent=2))
        return
    table = [
        [r.members, r.processes, r.threads]
        + [f"{x:.0f}" for x in (r.step_us, r.step_us / r.members, r.trial_steps_per_second, r.products_us)]
        + [f"{r.of_products:.0%}", f"{r.peak_gflops:.0f}", f"{r.of_peak:.0%}"]
        for r in rows
    ]
    columns = ["K", "processes", "threads", "µs a step", "µs a member", "trial-steps/s"]
    columns += ["products alone, µs", "their share", "peak GFLOP/s", "share of peak"]
    click.echo("3072-50-50-10, batch norm, batch 100, float32; K networks in lockstep in each process")
    click.echo(
        tabulate(table, headers=columns, disable_numparse=True, stralign="right", maxheadercolwidths=10)
    )
    click.echo(f"\n{describe_machine()}")
