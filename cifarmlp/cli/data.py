"""The commands `data fetch`, `data verify`, `data info`, `data cache` and `data synthesise`."""

import sys
from pathlib import Path

import click

from cifarmlp.cli.options import ANY_PATH, DATA_DIR, JSON, QUIET
from cifarmlp.errors import DataError
from cifarmlp.text import escape


@click.group()
def data() -> None:
    """Fetch, verify, describe or make the images."""


@data.command()
@click.option(
    "--form",
    type=click.Choice(["python", "binary", "matlab"]),
    help="Of the archive, whatever other form is there. [default: python, if none is there]",
)
@DATA_DIR
@QUIET
def fetch(form: str | None, data_dir: Path | None, quiet: bool) -> None:
    """Download CIFAR-10's official archive, unless the images are there already."""
    from cifarmlp import data as images
    from cifarmlp.cli.screen.data import download_bar

    with download_bar(quiet) as bar:
        click.echo(escape(str(images.find_or_fetch(data_dir, bar, form))))


@data.command()
@DATA_DIR
@JSON
def verify(data_dir: Path | None, as_json: bool) -> None:
    """Check every file of CIFAR-10 (shape, labels, official checksum) and what the cache has of it."""
    from cifarmlp import data as images
    from cifarmlp.cli.screen.data import print_checks

    if not print_checks(images.verify(data_dir), as_json):
        sys.exit(DataError.exit_code)


@data.command()
@click.option("--source", type=click.Choice(["cifar10", "synthetic"]), default="cifar10", show_default=True)
@click.option("--sheet", type=ANY_PATH, metavar="PNG", help="Also draw a contact sheet, ten images a class.")
@click.option("--force", is_flag=True, help="Let the sheet replace a picture that is not one.")
@DATA_DIR
@JSON
def info(source: str, sheet: Path | None, force: bool, data_dir: Path | None, as_json: bool) -> None:
    """Show the place of the images, their number by class, and whether they are the official ones."""
    from cifarmlp import data as images
    from cifarmlp.cli.screen.data import print_info, refuse_other_picture, save_sheet

    if sheet is not None:
        refuse_other_picture(sheet, force)
    dataset = images.load(source, data_dir)
    print_info(images.info(dataset), as_json)
    if sheet is not None:
        save_sheet(sheet, images.contact_sheet(dataset.train, dataset.names))


@data.command()
@click.option("--remove", "keys", multiple=True, metavar="KEY", help="Remove this entry.")
@click.option("--all", "remove_all", is_flag=True, help="Remove every entry.")
@JSON
def cache(keys: tuple[str, ...], remove_all: bool, as_json: bool) -> None:
    """List the decoded images in the cache, or remove some; what is needed again is decoded again."""
    from cifarmlp.cli.screen.data import print_entries
    from cifarmlp.data import cache_entries

    for key in [entry.key for entry in cache_entries.entries()] if remove_all else keys:
        cache_entries.remove(key)
    print_entries(cache_entries.entries(), as_json)


@data.command()
@click.argument("directory", type=ANY_PATH)
def synthesise(directory: Path) -> None:
    """Write the synthetic images to DIRECTORY in CIFAR-10's file formats."""
    from cifarmlp.data import synthetic

    synthetic.synthesise(directory)
    click.echo(directory)
