"""Tables and the download bar of the command `data`."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp.errors import ConfigError
from cifarmlp.text import escape


def print_info(info: Mapping[str, Any], as_json: bool) -> None:
    """Print where the images are, and a table of how many each class has."""
    if as_json:
        click.echo(json.dumps(info, indent=2))
        return
    images = info["images"]
    for key in ("source", "place", "official", "checksum", "cache", "cache_bytes"):
        if info[key] != "":
            click.echo(f"{key.replace('_', ' '):<12} {escape(str(info[key]))}")
    rows = [[name, images["train"][name], images["test"][name]] for name in images["train"]]
    click.echo("\n" + tabulate(rows, headers=["class", "train", "test"]))


def save_sheet(path: Path, sheet: Any) -> None:
    """Write a contact sheet as PNG, enlarged three times. Raises ConfigError for another suffix than .png."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {path}: the sheet is a PNG; give a name that ends in .png")
    from cifarmlp import files

    files.import_matplotlib()
    from matplotlib.image import imsave

    with files.own_settings():
        files.write(path, lambda file: imsave(file, sheet.repeat(3, axis=0).repeat(3, axis=1), format="png"))
    click.echo(escape(str(path)))


def print_checks(checks: Sequence[Any]) -> bool:
    """Print the state of each file; return whether all can be used."""
    click.echo(tabulate([[check.file, check.status] for check in checks], headers=["file", "state"]))
    return all(check.usable for check in checks)


@contextmanager
def download_bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar in bytes on stderr, by the function that is yielded: (bytes so far, bytes in all)."""
    with tqdm(unit="B", unit_scale=True, disable=quiet or not sys.stderr.isatty(), desc="CIFAR-10") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
