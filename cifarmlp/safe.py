"""Names and links that are safe wherever they are to stand, whatever they were made from."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, urlsplit

LONGEST = 60


def names(texts: Iterable[str]) -> Iterator[str]:
    """A name for each text, fit for an anchor and for a file, and different from those before it."""
    taken: set[str] = set()
    for text in texts:
        stem = re.sub(r"[^\w]+", "-", text.lower())[:LONGEST].strip("-_") or "part"
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 3))
        name = stem if stem not in taken else next(n for n in numbered if n not in taken)
        taken.add(name)
        yield name


def href(target: str) -> str | None:
    """A relative path as a link; None for anything else, which is not to be followed from a report."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or target.startswith(("/", "\\")):
        return None
    return quote(target)
