"""Tables as Markdown."""

import re

from tabulate import tabulate

from cifarmlp.render.document import Cell, Link, Table, numeric, relative_href, words


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
    sides = ["right" if number else "left" for number in numeric(table)]
    rows = [[*map(_cell, row)] for row in table.rows]
    header = [*map(escape_markdown, table.header)]
    lines = tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=sides if rows else None)
    # as a paragraph of its own the caption must not begin a heading or a list
    caption = re.sub(r"^(\d*)([-#+=:.)])", r"\1\\\2", escape_markdown(table.caption))
    return f"{caption}\n\n{lines}\n"


def _cell(cell: Cell) -> str:
    text = escape_markdown(words(cell))
    target = relative_href(cell.target) if isinstance(cell, Link) else None
    return text if target is None else f"[{text}](../{target})"


def escape_markdown(text: str) -> str:
    r"""Return text on one line that Markdown shows as it is.

    >>> print(escape_markdown("a|b *c* d_e $5"))
    a\|b \*c\* d_e \$5
    """
    escaped_text = re.sub(r"([\\`*\[\]<>|&~$])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped_text)  # inside a word it needs no escape
