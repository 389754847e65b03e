"""Results of the command `range-test`."""

import json
import shlex
from collections.abc import Sequence

import click

from cifarmlp.files import nan_to_null
from cifarmlp.text import escape, yaml_line
from cifarmlp.training.range_test import RangeTest, as_dict


def print_range_test(test: RangeTest, config: str, overrides: Sequence[str], as_json: bool) -> None:
    """Print the suggested rates with the rule that gave each, and the schedule of them as YAML."""
    if as_json:
        click.echo(json.dumps(nan_to_null({"folder": str(test.folder), **as_dict(test)}), indent=2))
        return
    for line in _findings(test):
        click.echo(line)
    if test.schedule:
        schedule = yaml_line(test.schedule.model_dump())
        click.echo(f"\ntraining:\n  schedule: {schedule}")
        settings = [f"--set {shlex.quote(each)}" for each in [*overrides, f"training.schedule={schedule}"]]
        command = " ".join(["cifarmlp train", shlex.quote(config), *settings])
    click.echo(f"\ncurves:  {escape(str(test.folder / 'range-test.png'))}")
    if test.schedule:
        click.echo(f"next:    {escape(command)}")


def _findings(test: RangeTest) -> list[str]:
    curve, suggestion = test.curve, test.suggestion
    tried = f"{len(curve.eta)} mini-batches, eta up to {curve.eta[-1]:.2g}" if len(curve.eta) else "no step"
    stopped = [f"stopped after {tried}: the loss rose beyond hope"] if curve.stopped else []
    if suggestion is None:
        remedy = "try other rates (--from, --to), more --steps, batch_norm: true or init: he"
        return [*stopped, f"no suggestion: the accuracy never rose; {remedy}"]
    highest = curve.smooth_accuracy.max()
    lines = [
        f"eta_min   {suggestion.eta_min:<9g} the accuracy begins to rise: a tenth of its rise is made",
        f"eta_max   {suggestion.eta_max:<9g} the accuracy is highest, {highest:.4f}; then it falls",
        f"steepest  {suggestion.steepest:<9g} the loss falls fastest: a rate for a constant schedule",
    ]
    if suggestion.is_at_end:
        lines.append(f"the accuracy still rose at the largest rate: try --to {10 * test.tested.high:g}")
    return [*stopped, *lines]
