"""A page and the files beside it, written to disk."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cifarmlp import files
from cifarmlp.errors import ConfigError
from cifarmlp.render import svg, tables
from cifarmlp.render.document import Page, Picture, Table, blocks, unique_slugs
from cifarmlp.render.page import STAMP, render_html
from cifarmlp.render.tables import Form, latex, markdown


def write_page(document: Page, output: Path, form: tables.Form | None, figures: bool) -> list[Path]:
    """The page as one HTML file; where asked for, its tables and figures beside it. Returns what was written.

    Raises RunFolderError where that can't be.
    """
    refuse_other_file(output)
    files.write_text(output, render_html(document))
    written = write_tables(document, output.parent, form) if form else []
    written += write_figures(document, output.parent) if figures else []
    return [output, *written]


def refuse_other_file(output: Path) -> None:
    """Raises ConfigError where the file is there already and is no report of ours."""
    if not output.exists():
        return
    with files.disk_errors(output), output.open("rb") as file:
        if STAMP not in file.read(4096):
            raise ConfigError(f"{output}: exists already and is no report; give another name with --output")


def write_tables(page: Page, folder: Path, form: Form) -> list[Path]:
    """Each table as a file of its own, folder/tables/NAME.md or .tex. Raises RunFolderError."""
    found = [block for block in blocks(page) if isinstance(block, Table)]
    place = files.make_folder(folder / "tables")
    paths = _paths(place, [table.name for table in found], form)
    for table, path in zip(found, paths, strict=True):
        files.write_text(path, markdown(table) if form == "md" else latex(table))
    return paths


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Each figure as folder/figures/NAME.svg and .pdf, dark on white. Raises RunFolderError."""
    found = [block for block in blocks(page) if isinstance(block, Picture)]
    place = files.make_folder(folder / "figures")
    written = []
    for form in ("svg", "pdf"):
        for picture, path in zip(found, _paths(place, [each.name for each in found], form), strict=True):
            files.write(path, partial(_put, svg.draw(picture.draw(), form)))
            written.append(path)
    return sorted(written)


def _put(drawn: bytes, file: BinaryIO) -> None:
    file.write(drawn)


def _paths(folder: Path, names: Sequence[str], suffix: str) -> list[Path]:
    return [folder / f"{name}.{suffix}" for name in unique_slugs(names)]
