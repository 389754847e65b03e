"""The commands `configs`, `configs copy` and `configs schema`, on the shipped configs."""

import json
import shutil
from pathlib import Path

import click

from cifarmlp.cli.options import ANY_PATH, JSON
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape, natural_key


@click.group(invoke_without_command=True)
@JSON
@click.pass_context
def configs(context: click.Context, as_json: bool) -> None:
    """List the shipped configs, copy them, or print their JSON Schema."""
    from cifarmlp.config import shipped_configs

    if context.invoked_subcommand is None:
        shipped = shipped_configs()
        about = {name: _about(shipped[name]) for name in sorted(shipped, key=natural_key)}
        if as_json:
            rows = [{"name": name, "about": line, "file": str(shipped[name])} for name, line in about.items()]
            click.echo(json.dumps(rows, indent=2))
            return
        width = max(map(len, shipped), default=0) + 2
        for name, line in about.items():
            click.echo(f"{name:<{width}}{line}")


def _about(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


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
    click.echo(escape(str(directory)))


@configs.command()
def schema() -> None:
    """Print the JSON Schema of configs, for editors."""
    from cifarmlp.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
