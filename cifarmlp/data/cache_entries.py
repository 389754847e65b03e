"""Entries of the cache, listed and removed."""

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cifarmlp.data import cache
from cifarmlp.errors import ConfigError, DataError
from cifarmlp.text import quote

KEY = re.compile(r"(cifar10|synthetic)-[0-9a-f]+")


@dataclass(frozen=True)
class Entry:
    """An entry: its key, where its images are (empty if not known), bytes, and its last use (0: never).

    What a killed process left of one has a dot and a number after the key.
    """

    key: str
    of: tuple[str, ...]
    bytes: int
    used: float


def entries() -> list[Entry]:
    """Return the entries of the cache, the last used first."""
    try:
        folders = [path for path in cache.cache_dir().iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    found = [_entry(folder) for folder in folders if KEY.fullmatch(folder.name.partition(".")[0])]
    return sorted(found, key=lambda entry: (-entry.used, entry.key))


def _entry(folder: Path) -> Entry:
    used = 0.0
    with suppress(OSError):
        used = (folder / cache.NOTES).stat().st_mtime
    of = tuple(cache.places_of(folder).values())
    return Entry(folder.name, of, cache.size(folder.name), used)


def remove(key: str) -> None:
    """Remove an entry; a process that has it open goes on with it, the next one decodes the images again.

    Raises ConfigError if there is none, DataError if it cannot be removed.
    """
    if key not in [entry.key for entry in entries()]:
        raise ConfigError(f"the cache has no entry {quote(key)}; `cifarmlp data cache` lists them")
    folder = cache.cache_dir() / key
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be removed: {error.strerror or error}") from error
