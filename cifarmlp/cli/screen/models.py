"""Output of the commands that use a run's model: predictions as table, CSV or JSON; files."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cifarmlp.cli.screen.data import STAMP
from cifarmlp.cli.screen.runs import print_table
from cifarmlp.data import Picture
from cifarmlp.runs.folder import Seed
from cifarmlp.runs.model import outputs_of
from cifarmlp.text import escape

if TYPE_CHECKING:  # it imports matplotlib
    from cifarmlp.runs.prediction import Predictions

ONE = {"probabilities": "probability", "scores": "score"}


def print_pictures(found: "Predictions", pictures: Sequence[Picture], quiet: bool, as_json: bool) -> None:
    """Print the likeliest classes of pictures, as JSON all; on stderr how the pictures were changed."""
    if not quiet:
        for picture in pictures:
            if picture.changes:
                click.echo(f"{escape(str(picture.path))}: {'; '.join(picture.changes)}", err=True)
    if as_json:
        each = [
            {"picture": str(picture.path), "size": picture.size, **_prediction(found, row)}
            for row, picture in enumerate(pictures)
        ]
        click.echo(json.dumps({**_about(found.seed), "pictures": each}, indent=2))
        return
    rows = []
    for row, picture in enumerate(pictures):
        (first, output), *others = found.top(row, 3)
        then = [f"{name} {other:.3f}" for name, other in others]
        rows.append([escape(str(picture.path)), first, f"{output:.3f}", *then])
    print_table(["picture", "class", ONE[outputs_of(found.seed.config)], "second", "third"], rows, left=2)


def print_part(found: "Predictions", part: str, as_json: bool) -> None:
    """Print number, label, prediction and outputs of each image of a part of the data: CSV, or JSON."""
    labels = [] if found.labels is None else [found.names[label] for label in found.labels]
    if as_json:
        each = [{"image": row, "label": label, **_prediction(found, row)} for row, label in enumerate(labels)]
        click.echo(json.dumps({**_about(found.seed), "part": part, "images": each}, indent=2))
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "prediction", *found.names])
    for row, label in enumerate(labels):
        writer.writerow([row, label, found.top(row)[0][0], *map(str, found.outputs[row])])
    click.echo(text.getvalue(), nl=False)


def _about(model: Seed) -> dict[str, Any]:
    return {"run": str(model.folder), "seed": model.config.seed, "outputs": outputs_of(model.config)}


def _prediction(found: "Predictions", row: int) -> dict[str, Any]:
    outputs = [float(str(output)) for output in found.outputs[row]]  # no more digits than float32 has
    return {
        "prediction": found.top(row)[0][0],
        outputs_of(found.seed.config): dict(zip(found.names, outputs, strict=True)),
    }


def save_sheet(path: Path, found: "Predictions", titles: Sequence[str], quiet: bool) -> None:
    """Write a sheet of images with their predictions, and print its path on stderr. Raises RunFolderError."""
    from cifarmlp.runs.prediction import write_sheet

    write_sheet(path, found, titles, STAMP.decode())
    if not quiet:
        click.echo(escape(str(path)), err=True)


def print_files(model: Seed, form: str, paths: Sequence[Path], as_json: bool) -> None:
    """Print the paths of exported files."""
    if as_json:
        about = {**_about(model), "format": form, "files": [*map(str, paths)]}
        click.echo(json.dumps(about, indent=2))
    else:
        click.echo("\n".join(escape(str(path)) for path in paths))
