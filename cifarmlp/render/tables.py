"""Tables as Markdown and LaTeX."""

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from tabulate import tabulate

from cifarmlp.render.document import Cell, Link, Table, numeric, relative_href, unique_slugs, words

Form = Literal["md", "tex"]

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#",
    "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "[": "{[}", "]": "{]}", "*": "{*}",  # else, at the beginning of a row, they belong to the end of the last
    "-": "{-}", "`": r"\`{}", '"': "''", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$",
    "−": "$-$", "≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$", "∞": r"$\infty$", "∇": r"$\nabla$",
    "←": r"$\leftarrow$", "→": r"$\to$", "√": r"$\surd$", "²": "$^2$", "³": "$^3$", "°": r"$^\circ$",
    "–": "--", "—": "---", "…": r"\dots{}", "‘": "`", "’": "'", "“": "``", "”": "''", "\u00a0": "~",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "Δ": r"$\Delta$",
    "ε": r"$\epsilon$", "η": r"$\eta$", "θ": r"$\theta$", "λ": r"$\lambda$", "μ": r"$\mu$", "µ": r"$\mu$",
    "ρ": r"$\rho$", "σ": r"$\sigma$", "Σ": r"$\Sigma$", "τ": r"$\tau$", "φ": r"$\phi$",
    "✓": r"$\surd$", "✗": r"$\times$",
}  # fmt: skip

MINUS = re.compile(r"(?<![\w.])-(?=[\d.])|(?<=\de)-(?=\d)")  # a hyphen that is a number's sign


def markdown(table: Table) -> str:
    """Return a table as Markdown of GitHub and Pandoc, under its caption.

    Links lead from a folder inside that of the page.

    >>> rows = ("a_b", "0.53"), (Link("c", "c"), "-")
    >>> print(markdown(Table("t", "Two runs.", ("run", "accuracy"), rows)))
    Two runs.
    <BLANKLINE>
    | run       |   accuracy |
    |:----------|-----------:|
    | a_b       |       0.53 |
    | [c](../c) |          - |
    <BLANKLINE>
    """
    return f"{_markdown(table.caption)}\n\n{_lines(table, 'pipe', _markdown_cell)}\n"


def _markdown_cell(cell: Cell) -> str:
    text = _markdown(words(cell))
    target = relative_href(cell.target) if isinstance(cell, Link) else None
    return text if target is None else f"[{text}](../{target})"


def latex(table: Table) -> str:
    r"""Return a table for pdfLaTeX that needs no package but inputenc with utf8, its default.

    >>> print(latex(Table("t", "One run.", ("run", "accuracy"), (("a_b", "0.53 ± 0.01"),))))
    \begin{table}
    \centering
    \caption{One run.}
    \label{tab:t}
    \begin{tabular}{lr}
    \hline
     run   &        accuracy \\
    \hline
     a\_b  & 0.53 $\pm$ 0.01 \\
    \hline
    \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    label = next(unique_slugs([table.name]))
    lines = _lines(table, "latex_raw", lambda value: escape_latex(words(value)))
    head = (
        f"\\begin{{table}}\n\\centering\n\\caption{{{escape_latex(table.caption)}}}\n\\label{{tab:{label}}}\n"
    )
    return f"{head}{lines}\n\\end{{table}}\n"


def _lines(table: Table, form: str, cell: Callable[[Cell], str]) -> str:
    sides = ["right" if number else "left" for number in numeric(table)]
    rows = [[cell(value) for value in row] for row in table.rows]
    header = [cell(name) for name in table.header]
    return tabulate(rows, header, tablefmt=form, disable_numparse=True, colalign=sides if rows else None)


def _markdown(text: str) -> str:
    escaped_text = re.sub(r"([\\`*\[\]<>|&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped_text)  # inside a word it needs no escape


def escape_latex(text: str) -> str:
    r"""Return text escaped for LaTeX; unknown letters become their ASCII parts, or else their code points.

    >>> print(escape_latex("50 % of λ_1 ﬁ 中"))
    50 \% of $\lambda$\_1 fi {[}U+4E2D{]}
    """
    signed = MINUS.sub("−", " ".join(text.split()))
    return "".join(LATEX.get(c) or _letter(c) for c in signed)


def _letter(letter: str) -> str:
    if letter.isascii() or (letter.isalpha() and ord(letter) < 0x180):
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(LATEX.get(c, c) for c in plain) or f"{{[}}U+{ord(letter):04X}{{]}}"
