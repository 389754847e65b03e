"""Tables and the download bar of the command `data`."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from tabulate import tabulate
from tqdm import tqdm

from cifarmlp import files
from cifarmlp.data.cache import cache_dir
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape

STAMP = b"cifarmlp contact sheet"  # marks a picture as ours: it may be overwritten


def print_info(info: Mapping[str, Any], as_json: bool) -> None:
    """Print where the images are, and a table of how many each class has."""
    if as_json:
        click.echo(json.dumps(info, indent=2))
        return
    images = info["images"]
    shown = {**info, "official": "yes" if info["official"] else "no"}
    for key in ("source", "place", "official", "checksum", "cache", "cache_bytes"):
        if shown[key] != "":
            click.echo(f"{key.replace('_', ' '):<12} {escape(str(shown[key]))}")
    rows = [[name, images["train"][name], images["test"][name]] for name in images["train"]]
    click.echo("\n" + tabulate(rows, headers=["class", "train", "test"]))


def refuse_other_picture(path: Path, force: bool) -> None:
    """Raise ConfigError if a sheet cannot go there: another suffix than .png, or a file that is no sheet."""
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {path}: the sheet is a PNG; give a name that ends in .png")
    if force or not path.exists():
        return
    with files.disk_errors(path), path.open("rb") as file:
        if STAMP not in file.read(4096):
            raise ConfigError(
                f"--sheet {path}: exists already and is no contact sheet; give another name, or --force"
            )


def save_sheet(path: Path, sheet: Any) -> None:
    """Write a contact sheet as PNG, enlarged three times. Raises RunFolderError."""
    files.import_matplotlib()
    from matplotlib.image import imsave

    large, about = sheet.repeat(3, axis=0).repeat(3, axis=1), {"Title": STAMP.decode()}
    with files.own_settings():
        files.write(path, lambda file: imsave(file, large, format="png", metadata=about))
    click.echo(escape(str(path)))


def print_entries(entries: Sequence[Any], as_json: bool) -> None:
    """Print a table of the cache's entries and their size in all."""
    if as_json:
        click.echo(json.dumps([vars(entry) for entry in entries], indent=2))
        return
    rows = [
        [entry.key, f"{entry.bytes / 1e6:.0f} MB", _when(entry.used), "\n".join(map(escape, entry.of)) or "-"]
        for entry in entries
    ]
    if rows:
        click.echo(tabulate(rows, headers=["entry", "size", "last used", "images of"]) + "\n")
    total = sum(entry.bytes for entry in entries)
    click.echo(f"{escape(str(cache_dir()))}: {total / 1e6:.0f} MB")


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else "never"


def print_checks(checks: Sequence[Any], as_json: bool) -> bool:
    """Print the state of each file; return whether all can be used."""
    if as_json:
        found = [{"file": each.file, "state": each.status, "usable": each.usable} for each in checks]
        click.echo(json.dumps(found, indent=2))
        return all(check.usable for check in checks)
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
