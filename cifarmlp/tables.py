"""Tables as Markdown and LaTeX, and the files of a document's tables and figures."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from tabulate import tabulate

from cifarmlp import document, runs, safe, svg
from cifarmlp.document import Cell, Link, Page, Picture, Table

Form = Literal["md", "tex"]

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#",
    "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "-": "{-}", "`": r"\`{}", '"': "''", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$",
    "−": "$-$", "≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$", "∞": r"$\infty$", "∇": r"$\nabla$",
    "←": r"$\leftarrow$", "→": r"$\to$", "√": r"$\surd$", "²": "$^2$", "³": "$^3$", "°": r"$^\circ$",
    "–": "--", "—": "---", "…": r"\dots{}", "‘": "`", "’": "'", "“": "``", "”": "''", "\u00a0": "~",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "Δ": r"$\Delta$",
    "ε": r"$\epsilon$", "η": r"$\eta$", "θ": r"$\theta$", "λ": r"$\lambda$", "μ": r"$\mu$", "µ": r"$\mu$",
    "ρ": r"$\rho$", "σ": r"$\sigma$", "Σ": r"$\Sigma$", "τ": r"$\tau$", "φ": r"$\phi$",
    "✓": r"$\surd$", "✗": r"$\times$",
}  # fmt: skip


def markdown(table: Table) -> str:
    """A table as GitHub and Pandoc read it, under its caption; links are from a folder within the page's."""
    return f"{_markdown(table.caption)}\n\n{_lines(table, 'pipe', _markdown_cell)}\n"


def _markdown_cell(cell: Cell) -> str:
    text = _markdown(document.words(cell))
    target = safe.href(cell.target) if isinstance(cell, Link) else None
    return text if target is None else f"[{text}](../{target})"


def latex(table: Table) -> str:
    """A table that pdfLaTeX takes without any package but inputenc with utf8, which is its default."""
    label = next(safe.names([table.name]))
    lines = _lines(table, "latex_raw", lambda value: escaped(document.words(value)))
    head = f"\\begin{{table}}\n\\centering\n\\caption{{{escaped(table.caption)}}}\n\\label{{tab:{label}}}\n"
    return f"{head}{lines}\n\\end{{table}}\n"


def _lines(table: Table, form: str, cell: Callable[[Cell], str]) -> str:
    sides = ["right" if number else "left" for number in document.numeric(table)]
    rows = [[cell(value) for value in row] for row in table.rows]
    header = [cell(name) for name in table.header]
    return tabulate(rows, header, tablefmt=form, disable_numparse=True, colalign=sides if rows else None)


def _markdown(text: str) -> str:
    escaped_text = re.sub(r"([\\`*\[\]<>|&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped_text)  # within a word it is only itself


def escaped(text: str) -> str:
    """Text as LaTeX reads it; a letter that it doesn't know becomes the ones it is made of, or its number."""
    return "".join(LATEX.get(c) or _letter(c) for c in " ".join(text.split()))


def _letter(letter: str) -> str:
    if letter.isascii() or (letter.isalpha() and ord(letter) < 0x180):
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(LATEX.get(c, c) for c in plain) or f"[U+{ord(letter):04X}]"


def write_tables(page: Page, folder: Path, form: Form) -> list[Path]:
    """Each table as a file of its own, folder/tables/NAME.md or .tex. Raises RunFolderError."""
    found = [block for block in document.blocks(page) if isinstance(block, Table)]
    place = runs.make_folder(folder / "tables")
    paths = _paths(place, [table.name for table in found], form)
    for table, path in zip(found, paths, strict=True):
        runs.write_text(path, markdown(table) if form == "md" else latex(table))
    return paths


def write_figures(page: Page, folder: Path) -> list[Path]:
    """Each figure as folder/figures/NAME.svg and .pdf, dark on white. Raises RunFolderError."""
    found = [block for block in document.blocks(page) if isinstance(block, Picture)]
    place = runs.make_folder(folder / "figures")
    written = []
    for form in ("svg", "pdf"):
        for picture, path in zip(found, _paths(place, [each.name for each in found], form), strict=True):
            runs.write(path, partial(_put, svg.draw(picture.draw(), form)))
            written.append(path)
    return sorted(written)


def _put(drawn: bytes, file: BinaryIO) -> None:
    file.write(drawn)


def _paths(folder: Path, names: Sequence[str], suffix: str) -> list[Path]:
    return [folder / f"{name}.{suffix}" for name in safe.names(names)]
