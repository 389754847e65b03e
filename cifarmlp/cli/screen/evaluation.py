"""Output of the command `evaluate`: reports and ensembles, as tables or JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifarmlp.cli.screen.runs import print_table
from cifarmlp.files import nan_to_null
from cifarmlp.stats import format_mean_std, format_number
from cifarmlp.text import counted, escape

if TYPE_CHECKING:  # they import matplotlib and scipy
    from cifarmlp.runs.ensemble import Ensemble
    from cifarmlp.runs.evaluation import Report

NAMES = {"f1": "macro F1"}


def print_reports(reports: Sequence["Report"], as_json: bool) -> None:
    """Print the metrics of each run, its scores by class, the confusion matrix and the commonest mistakes.

    As JSON, several reports are a list.
    """
    if as_json:
        values = [_report_as_json(report) for report in reports]
        click.echo(json.dumps(nan_to_null(values if len(values) > 1 else values[0]), indent=2))
        return
    for report in reports:
        if len(reports) > 1:
            click.echo(f"{chr(10) * (report is not reports[0])}{escape(str(report.folder))}")
        _print_report(report)


def _print_report(report: "Report") -> None:
    metrics = report.metrics()
    numbers = [format_mean_std(each) for each in metrics.values()]
    print_table(["", *(NAMES.get(name, name) for name in metrics)], [[report.part, *numbers]])
    images, n = len(report.evaluations[0].images), len(report.evaluations)
    click.echo(f"\n{counted(images, 'image')}" + (f", n = {n} seeds, mean ± std" if n > 1 else ""))
    for each in report.evaluations:
        if not each.is_finite:
            click.echo(f"seed {each.seed.config.seed}: diverged; what its network says is not finite")
    if report.finite:
        _print_classes(report)


def _print_classes(report: "Report") -> None:
    click.echo()
    shown = ("accuracy", "precision", "f1")  # a class's accuracy is its recall
    rows = [
        [c["name"], f"{c['images']}", *(format_mean_std(c[name]) for name in shown)] for c in report.classes()
    ]
    print_table(["class", "images", "accuracy (recall)", "precision", "F1"], rows)
    over = f", mean over {len(report.finite)} seeds" if len(report.finite) > 1 else ""
    click.echo(f"\nimages by true class (rows) and predicted class (columns){over}")
    counts = [[f"{count:.0f}" for count in row] for row in report.confusion()]
    print_table(["", *report.names], [[n, *row] for n, row in zip(report.names, counts, strict=True)])
    pairs = report.most_confused()
    if pairs:
        click.echo("\nmost confused")
        rows = [[f"{p['true']} → {p['predicted']}", f"{p['count']:.0f}", f"{p['share']:.1%}"] for p in pairs]
        print_table(["true → predicted", "images", "of the true class"], rows)


def _report_as_json(report: "Report") -> dict[str, Any]:
    values: dict[str, Any] = {
        "run": str(report.folder),
        "part": report.part,
        "images": len(report.evaluations[0].images),
        "results": [{"seed": each.seed.config.seed, **each.metrics} for each in report.evaluations],
        "metrics": report.metrics(),
    }
    if report.finite:
        values |= {
            "classes": report.classes(),
            "confusion": report.confusion().tolist(),
            "most_confused": report.most_confused(),
        }
    return values


def print_ensemble(ensemble: "Ensemble", as_json: bool) -> None:
    """Print loss, accuracy and macro F1 of each member and of the mean of their probabilities."""
    from cifarmlp.runs.ensemble import model_path

    metrics = ensemble.metrics()
    if as_json:
        click.echo(json.dumps(nan_to_null(_ensemble_as_json(ensemble, metrics)), indent=2))
        return
    numbers = {
        ", ".join([str(model_path(member.seed)), *filter(None, [str(member.view)])]): member.metrics
        for member in ensemble.members
    }
    numbers[f"ensemble of {len(ensemble.members)}"] = metrics
    rows = [[escape(name), *(format_number(each[q]) for q in metrics)] for name, each in numbers.items()]
    print_table([ensemble.part, *(NAMES.get(name, name) for name in metrics)], rows)
    images = counted(len(ensemble.members[0].images), "image")
    is_hinge = ensemble.members[0].seed.config.training.loss.kind == "hinge"
    click.echo(f"\n{images}; the ensemble has the mean of the {'scores' if is_hinge else 'probabilities'}")


def _ensemble_as_json(ensemble: "Ensemble", metrics: Mapping[str, float]) -> dict[str, Any]:
    from cifarmlp.runs.ensemble import model_path

    return {
        "part": ensemble.part,
        "images": len(ensemble.members[0].images),
        "members": [
            {"run": str(model_path(each.seed)), "seed": each.seed.config.seed, **asdict(each.view)}
            | dict(each.metrics)
            for each in ensemble.members
        ],
        "ensemble": {**metrics, "confusion": ensemble.confusion().tolist()},
    }


def print_pictures(paths: Sequence[Path]) -> None:
    """Print the paths of the figures."""
    width = max((len(path.stem) for path in paths), default=0) + 3
    lines = [f"{path.stem + ':':<{width}}{escape(str(path))}" for path in paths]
    if lines:
        click.echo("\n" + "\n".join(lines))
