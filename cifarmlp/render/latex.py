"""Tables as LaTeX, for pdfLaTeX with no package: as they are or, where too wide, in a compact form."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cifarmlp.render.document import Table, numeric, unique_slugs, words
from cifarmlp.render.latex_text import breakable, escape_latex

TEXT_WIDTH = 345.0  # points of \\textwidth in LaTeX's class article; as all below, of letters of 10 points
SMALLER = 0.86  # width of letters in \\footnotesize
GAP, SMALL_GAP = 12.0, 6.0  # between columns, 2 \\tabcolsep
SHORT = 60.0  # that a column of text keeps at least, if it needs so much
CHUNK = 12  # letters of a long word between places where it may be broken
WIDTHS = {3.9: " .,:;'!|()[]/-ijltfr", 5.0: "0123456789", 8.4: "mwMW±×−≤≥≈→%@σΔΣ"}
LETTER = {letter: width for width, letters in WIDTHS.items() for letter in letters}

COMPACT = "\\footnotesize\n\\setlength{\\tabcolsep}{3pt}\n"


def latex(table: Table) -> str:
    r"""Return a table for pdfLaTeX that needs no package but inputenc with utf8, its default.

    A table that is wider than the text of the class article is set in \footnotesize, its long texts in
    lines and, if need be, each standard deviation below its mean; columns that do not fit even so follow
    below, after the first one again.

    >>> print(latex(Table("t", "One run.", ("run", "accuracy"), (("a_b", "0.53 ± 0.01"),))))
    \begin{table}
    \centering
    \caption{One run.}
    \label{tab:t}
    \begin{tabular}{lr}
    \hline
    run & accuracy \tabularnewline
    \hline
    a\_b & 0.53 $\pm$ 0.01 \tabularnewline
    \hline
    \end{tabular}
    \end{table}
    <BLANKLINE>
    """
    label, columns = next(unique_slugs([table.name])), _columns(table)
    if sum(column.width + GAP for column in columns) <= TEXT_WIDTH:
        body = _tabular("".join(c.side for c in columns), [[*map(escape_latex, c.cells)] for c in columns])
    else:
        body = COMPACT + "\n\n\\medskip\n".join(_compact(part) for part in _split(columns))
    caption = escape_latex(breakable(table.caption, 3 * CHUNK))
    head = f"\\begin{{table}}\n\\centering\n\\caption{{{caption}}}\n\\label{{tab:{label}}}\n"
    return f"{head}{body}\n\\end{{table}}\n"


@dataclass(frozen=True)
class Column:
    """Cells of a column, its header first."""

    cells: tuple[str, ...]
    is_number: bool

    @property
    def side(self) -> str:
        """The column's letter in a tabular."""
        return "r" if self.is_number else "l"

    @property
    def width(self) -> float:
        """Points that it takes."""
        return max(map(_width, self.cells))

    @property
    def least(self) -> float:
        """Points that it needs in the compact form."""
        if not self.is_number:
            return min(self.width, SHORT)
        return max(_width(piece) for lines in self.lines(True) for piece in lines)

    def lines(self, are_stacked: bool) -> list[list[str]]:
        """Return the lines of each cell of numbers: words of the header, mean and std if they are stacked."""
        head, *cells = self.cells
        pieces = re.split(r" |(?<=[./_])(?=\w)", head)
        return [pieces, *([*re.split(r" (?=±|to )|(?<=,) ", c)] if are_stacked else [c] for c in cells)]


def _columns(table: Table) -> list[Column]:
    cells = list(zip(table.header, *([words(cell) for cell in row] for row in table.rows), strict=True))
    return [Column(column, number) for column, number in zip(cells, numeric(table), strict=True)]


def _width(text: str) -> float:
    return sum(LETTER.get(c, 7.8 if c.isupper() else 5.4 if c.isascii() else 8.4) for c in text)


def _split(columns: Sequence[Column]) -> list[list[Column]]:
    """Return the columns in groups that fit the text, each after the first column."""
    first, *others = columns
    groups = [[first]]
    for column in others:
        wider = [*groups[-1], column]
        if len(wider) > 2 and sum(each.least for each in wider) > _room(len(wider)):
            groups.append([first, column])
        else:
            groups[-1].append(column)
    return groups


def _room(columns: int) -> float:
    """Return the points that so many columns have together in the compact form."""
    return (TEXT_WIDTH - SMALL_GAP * columns) / SMALLER


def _compact(columns: Sequence[Column]) -> str:
    texts = [column for column in columns if not column.is_number]
    numbers = [column for column in columns if column.is_number]
    room = _room(len(columns))
    spread = sum(max(_width(p) for lines in c.lines(False) for p in lines) for c in numbers)
    are_stacked = spread + sum(column.least for column in texts) > room
    taken = sum(column.least for column in numbers) if are_stacked else spread
    shares = _share([column.width for column in texts], room - taken)
    specs, cells = [], []
    for column in columns:
        share = 0.0 if column.is_number else next(shares)
        lines = share < column.width and not column.is_number
        specs.append(f"p{{{share * SMALLER:.1f}pt}}" if lines else column.side)
        cells.append(_cells(column, lines, are_stacked))
    return _tabular("".join(specs), cells)


def _share(widths: Sequence[float], room: float) -> Iterator[float]:
    """Yield a part of the room for each width: no more than it is, and to the larger ones equal parts."""
    parts: dict[int, float] = {}
    for left, i in enumerate(sorted(range(len(widths)), key=widths.__getitem__)):
        parts[i] = min(widths[i], (room - sum(parts.values())) / (len(widths) - left))
    yield from (parts[i] for i in range(len(widths)))


def _cells(column: Column, in_lines: bool, are_stacked: bool) -> list[str]:
    if column.is_number:
        return [_stack(lines) for lines in column.lines(are_stacked)]
    if in_lines:
        return [f"\\raggedright {escape_latex(breakable(cell, CHUNK))}" for cell in column.cells]
    return [*map(escape_latex, column.cells)]


def _stack(lines: Sequence[str]) -> str:
    texts = [*map(escape_latex, lines)]
    if len(texts) == 1:
        return texts[0]
    return r"\begin{tabular}[t]{@{}r@{}}" + r"\\".join(texts) + r"\end{tabular}"


def _tabular(specs: str, columns: Sequence[Sequence[str]]) -> str:
    """Return columns of LaTeX, their headers first, as a tabular."""
    header, *rows = [f"{' & '.join(row)} \\tabularnewline" for row in zip(*columns, strict=True)]
    rule = ["\\hline"] if rows else []
    lines = [f"\\begin{{tabular}}{{{specs}}}", "\\hline", header, *rule, *rows, "\\hline", "\\end{tabular}"]
    return "\n".join(lines)
