"""What a report says, whatever it is printed as: pages, sections, tables, figures.

All text is plain: whoever prints it escapes it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

from matplotlib.figure import Figure

Tone = Literal["good", "bad", "open"]  # it holds, it does not, it can't be told


@dataclass(frozen=True)
class Verdict:
    """A short judgement, and its tone."""

    words: str
    tone: Tone


@dataclass(frozen=True)
class Link:
    """Words that lead to a file or folder, relative to the page."""

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
    """A table; name: of its file when it is written to one. Numbers come as they are to be read."""

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure, drawn when it is needed; name: of its file. alt: what it shows, for who can't see it."""

    name: str
    caption: str
    draw: Callable[[], Figure]
    alt: str


@dataclass(frozen=True)
class Listing:
    """Lines of a file as they are, shown to who asks for them."""

    caption: str
    words: str


Block = Text | Table | Picture | Listing


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    summary: tuple[Block, ...]
    sections: tuple[Section, ...]


NUMBER = re.compile(r"([-+−–±×~≈<%\d.,\s]|e[-+]?\d|\b(to|of|min|ms|s)\b|nan)*")


def words(cell: Cell) -> str:
    """What a cell says."""
    return cell if isinstance(cell, str) else cell.words


def numeric(table: Table) -> list[bool]:
    """Of each column, whether its cells are numbers, to be set flush right."""
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.header)
    return [bool(column) and all(map(_is_number, column)) for column in columns]


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, str) and NUMBER.fullmatch(cell) is not None


def blocks(page: Page) -> list[Block]:
    """All of a page, in its order."""
    return [*page.summary, *(block for section in page.sections for block in section.blocks)]


LONGEST = 60


def unique_slugs(texts: Iterable[str]) -> Iterator[str]:
    """A name for each text, fit for an anchor and for a file, and different from those before it."""
    taken: set[str] = set()
    for text in texts:
        stem = re.sub(r"[^\w]+", "-", text.lower())[:LONGEST].strip("-_") or "part"
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
        name = stem if stem not in taken else next(n for n in numbered if n not in taken)
        taken.add(name)
        yield name


def relative_href(target: str) -> str | None:
    """A relative path as a link; None for anything else, which is not to be followed from a report."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or target.startswith(("/", "\\")):
        return None
    return quote(target)
