"""Output of the commands that use a run's model."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from cifarmlp.runs.folder import Seed
from cifarmlp.runs.model import outputs_of
from cifarmlp.text import escape


def print_files(model: Seed, form: str, paths: Sequence[Path], as_json: bool) -> None:
    """Print the paths of exported files."""
    if not as_json:
        click.echo("\n".join(escape(str(path)) for path in paths))
        return
    about = {"run": str(model.folder), "seed": model.config.seed, "outputs": outputs_of(model.config)}
    click.echo(json.dumps({**about, "format": form, "files": [*map(str, paths)]}, indent=2))
