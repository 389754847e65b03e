"""The command `report`: parse, call, print."""

from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli.options import ANY_PATH, FIGURES, TABLES
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape


@click.command()
@click.argument("folders", nargs=-1, required=True, type=ANY_PATH, metavar="RUN...")
@click.option(
    "--output",
    type=ANY_PATH,
    metavar="FILE",
    help="The page. [default: report.html in RUN; of several, in the current folder]",
)
@TABLES
@FIGURES
def report(
    folders: tuple[Path, ...], output: Path | None, form: Literal["md", "tex"] | None, figures: bool
) -> None:
    """Write what is in the folders of trainings and searches as one HTML page.

    The page needs no other file and no network. Several trainings are compared with the first, seed by seed.
    """
    from cifarmlp.report.build import build_page
    from cifarmlp.report.write import PAGE, refuse_other_file, write_page
    from cifarmlp.runs.folder import find_run, folders_without_runs

    folders = tuple(map(find_run, folders))
    if passed_over := folders_without_runs(folders):
        folders = tuple(folder for folder in folders if folder not in passed_over)
        names = ", ".join(escape(str(folder)) for folder in passed_over)
        click.echo(f"passed over, as there is no run in it: {names}", err=True)
    output = output or (folders[0] / PAGE if len(folders) == 1 else Path(PAGE))
    if output.is_dir():
        raise ConfigError(f"--output {output}: a folder; give the name of a file, such as {output / PAGE}")
    refuse_other_file(output)
    for path in write_page(build_page(folders, output.parent), output, form, figures):
        click.echo(escape(str(path)))
