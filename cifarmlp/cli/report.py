"""The command `report`: parse, call, print."""

import json
from pathlib import Path
from typing import Literal

import click

from cifarmlp.cli.options import ANY_PATH, FIGURES, JSON, TABLES
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
@click.option("--title", default="", help="Of the page, instead of its own.")
@click.option("--text", default="", help="Paragraphs at its head, parted by blank lines; @FILE for a file's.")
@TABLES
@FIGURES
@JSON
def report(
    folders: tuple[Path, ...],
    output: Path | None,
    title: str,
    text: str,
    form: Literal["md", "tex"] | None,
    figures: bool,
    as_json: bool,
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
    page = build_page(folders, output.parent, title, _words(text))
    paths = [*map(str, write_page(page, output, form, figures))]
    if as_json:
        click.echo(json.dumps({"page": paths[0], "title": page.title, "files": paths[1:]}, indent=2))
    else:
        click.echo("\n".join(map(escape, paths)))


def _words(text: str) -> str:
    """Return the text, or that of the file after an @. Raises ConfigError if it cannot be read."""
    from cifarmlp import files

    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    try:
        return files.read_bytes(path, files.MOST_JSON).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"--text {text}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"--text {text}: no text in UTF-8; save it as such") from error
