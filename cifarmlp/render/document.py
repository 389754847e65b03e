"""The contents of a report, whatever it is printed as: a Page of Sections of Blocks.

All text is plain; page.py, markdown.py and latex.py escape it for their format.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from matplotlib.figure import Figure

Tone = Literal["good", "bad", "open"]  # open: the numbers decide neither


@dataclass(frozen=True)
class Verdict:
    """A short judgement, coloured by its tone."""

    words: str
    tone: Tone


@dataclass(frozen=True)
class Link:
    """A link to a file or folder, relative to the page."""

    words: str
    target: str


Cell = str | Verdict | Link


@dataclass(frozen=True)
class Text:
    """A paragraph, a note that stands out, or a command to type."""

    words: str
    kind: Literal["plain", "note", "command"] = "plain"


@dataclass(frozen=True)
class Table:
    """A table. name: of its file, if it is written to one. Numbers are text, already formatted."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure, drawn only when it is printed. name: of its file. alt: a description in words."""

    name: str
    caption: str
    draw: Callable[[], Figure]
    alt: str


@dataclass(frozen=True)
class Listing:
    """A file's text in a collapsed block."""

    caption: str
    words: str


Block = Text | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    summary: tuple[Block, ...]
    sections: tuple[Section, ...]


SIGNS = r"[~<≈]?[-+−–]?"
NUMBER = re.compile(
    rf"{SIGNS}(\d[\d,]*\.?\d*|\.\d+)(e[-+−]?\d+)?%?|[-–±×~≈<%]|to|of|min|ms|s|h|nan", re.IGNORECASE
)


def words(cell: Cell) -> str:
    """Return the text of a cell."""
    return cell if isinstance(cell, str) else cell.words


def numeric(table: Table) -> list[bool]:
    """Return for each column whether all its cells are numbers, to be aligned right.

    >>> numeric(Table("t", "", ("run", "accuracy"), (("a", "0.53 ± 0.01"), ("b", "-"))))
    [False, True]
    """
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.header)
    return [any(map(_has_digit, column)) and all(map(_is_number, column)) for column in columns]


def _has_digit(cell: Cell) -> bool:
    return any(letter.isdecimal() for letter in words(cell))


def _is_number(cell: Cell) -> bool:
    """Return whether a cell is numbers with their signs and units, such as `0.53 ± 0.01` or `2 min 5 s`."""
    return isinstance(cell, str) and all(map(NUMBER.fullmatch, cell.replace(", ", " ").split()))


def blocks(page: Page) -> list[Block]:
    """Return all blocks of a page in reading order."""
    return [*page.summary, *(block for section in page.sections for block in section.blocks)]


LONGEST = 60


def unique_slugs(texts: Iterable[str]) -> Iterator[str]:
    """Yield a name for each text, fit for an anchor and for a file, and different from those before it.

    >>> list(unique_slugs(["Report 2", "report-2", "../.."]))
    ['report-2', 'report-2-2', 'part']
    """
    taken: set[str] = set()
    for text in texts:
        stem = re.sub(r"[^\w]+", "-", text.lower())[:LONGEST].strip("-_") or "part"
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
        name = stem if stem not in taken else next(n for n in numbered if n not in taken)
        taken.add(name)
        yield name


def relative_href(target: str) -> str | None:
    """Return a relative path as a link; None for anything else, as a report must lead nowhere outside.

    >>> relative_href("../runs/a b")
    '../runs/a%20b'
    >>> relative_href("javascript:alert(1)") is None
    True
    """
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or target.startswith(("/", "\\")):
        return None
    return quote(target, errors="surrogateescape")
