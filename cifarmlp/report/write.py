"""Write a page to disk, and its tables and figures beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cifarmlp import files
from cifarmlp.errors import ConfigError
from cifarmlp.render import svg
from cifarmlp.render.document import Page, Picture, Table, blocks, unique_slugs
from cifarmlp.render.latex import latex
from cifarmlp.render.markdown import markdown
from cifarmlp.render.page import STAMP, render_html

PAGE = "report.html"

Form = Literal["md", "tex"]


def write_page(page: Page, output: Path, form: Form | None = None, figures: bool = False) -> list[Path]:
    """Write a page as one HTML file, and return the paths written.

    form: of its tables, if each is to be written to a file, too. figures: whether each figure is.
    Raises ConfigError if `output` is a file but no report of ours, RunFolderError if it can't be written.
    """
    refuse_other_file(output)
    files.write_text(output, render_html(page))
    paths = write_tables(page, output.parent, form) if form else []
    return [output, *paths, *(write_figures(page, output.parent) if figures else [])]


def refuse_other_file(output: Path) -> None:
    """Raise ConfigError if the file is there already and is no report of ours."""
    if not output.exists():
        return
    with files.disk_errors(output), files.open_regular(output, files.MOST_ARRAYS) as file:
        if STAMP not in file.read(4096):
            raise ConfigError(f"{output}: exists already and is no report; move it, or write elsewhere")


def write_tables(page: Page, folder: Path, form: Form) -> list[Path]:
    """Write each table as folder/tables/NAME.md or .tex. Raises RunFolderError."""
    tables = [block for block in blocks(page) if isinstance(block, Table)]
    paths = _paths(files.make_folder(folder / "tables"), [table.name for table in tables], form)
    for table, path in zip(tables, paths, strict=True):
        files.write_text(path, markdown(table) if form == "md" else latex(table))
    return paths


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Write each figure as folder/figures/NAME.svg and .pdf, dark on white. Raises RunFolderError."""
    pictures = [block for block in blocks(page) if isinstance(block, Picture)]
    place, names = files.make_folder(folder / "figures"), [picture.name for picture in pictures]
    paths = []
    for form in ("svg", "pdf"):
        for picture, path in zip(pictures, _paths(place, names, form), strict=True):
            _write_figure(picture, path, form)
            paths.append(path)
    return sorted(paths)


def _write_figure(picture: Picture, path: Path, form: str) -> None:
    image = svg.draw(picture.draw(), form)
    files.write(path, lambda file: file.write(image))


def _paths(folder: Path, names: Sequence[str], suffix: str) -> list[Path]:
    return [folder / f"{name}.{suffix}" for name in unique_slugs(names)]
