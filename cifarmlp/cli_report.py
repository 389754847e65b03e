"""The command `report`: parse, call, print."""

from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli_options import ANY_PATH
from cifarmlp.errors import ConfigError

NAME = "report.html"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=ANY_PATH, metavar="RUN...")
@click.option(
    "--output",
    type=ANY_PATH,
    metavar="FILE",
    help="The page. [default: report.html in RUN; of several, in the current folder]",
)
@click.option(
    "--tables",
    "form",
    type=click.Choice(["md", "tex"]),
    help="Also each table as Markdown or LaTeX, in tables/ beside it.",
)
@click.option("--figures", is_flag=True, help="Also each figure as SVG and PDF, in figures/ beside it.")
def report(
    folders: tuple[Path, ...], output: Path | None, form: Literal["md", "tex"] | None, figures: bool
) -> None:
    """Write what is in the folders of trainings and searches as one HTML page.

    The page needs no other file and no network. Several trainings are compared with the first, seed by seed.
    """
    from cifarmlp import page, runs, tables
    from cifarmlp import report as reports

    output = output or (folders[0] / NAME if len(folders) == 1 else Path(NAME))
    if output.is_dir():
        raise ConfigError(f"--output {output}: a folder; give the name of a file, such as {output / NAME}")
    document = reports.page_of(folders, output.parent)
    runs.write_text(output, page.html(document))
    click.echo(output)
    written = tables.write_tables(document, output.parent, form) if form else []
    written += tables.write_figures(document, output.parent) if figures else []
    for path in written:
        click.echo(path)
