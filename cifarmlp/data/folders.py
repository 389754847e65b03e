"""CIFAR-10 as folders of PNG files by class: train/airplane/*.png ... test/truck/*.png, 60,000 in all.

Where the numbers that the names of a part begin with, as in `10008_airplane.png`, are all different, they are
the order: copies with one file an image keep the official one like that. Else the classes take turns, each in
the order of its names, so that the last images are of all classes.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import png
from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.text import quote

COUNTS = {"train": 50_000, "test": 10_000}

Labelled = tuple[Path, int]


def looks_like_one(place: Path, names: Sequence[str]) -> bool:
    """Return whether a folder has folders of all ten classes for both parts."""
    return all((place / part / name).is_dir() for part in COUNTS for name in names)


def files(place: Path, names: Sequence[str]) -> list[Labelled]:
    """Return all PNG files in their order, training images first, with their labels.

    Raises ValueError if there are more or fewer than 50,000 and 10,000.
    """
    found = []
    for part, count in COUNTS.items():
        classes = [sorted((place / part / name).glob("*.png"), key=_natural) for name in names]
        ordered = _in_order(classes)
        if len(ordered) != count:
            raise ValueError(f"has {len(ordered):,} PNG files in {part}, not {count:,}")
        found += ordered
    return found


def _natural(path: Path) -> tuple[int, str]:
    number = re.match(r"\d{1,9}", path.name)
    return (int(number[0]) if number else 0, path.name)


def _in_order(classes: Sequence[Sequence[Path]]) -> list[Labelled]:
    labelled = [(path, label) for label, paths in enumerate(classes) for path in paths]
    if len({_natural(path)[0] for path, _ in labelled}) == len(labelled):
        return sorted(labelled, key=lambda item: _natural(item[0]))
    turns = [(turn, label, path) for label, paths in enumerate(classes) for turn, path in enumerate(paths)]
    return [(path, label) for _, label, path in sorted(turns)]


def read(place: Path, names: Sequence[str]) -> tuple[NDArray[np.uint8], Iterator[NDArray[np.uint8]]]:
    """Return the labels (60000,) and an iterator of the pixels (10000, 3072), six times.

    Raises ValueError, at once or later, naming the file, for what is no picture of 32 x 32 pixels.
    """
    labelled = files(place, names)
    batches = [labelled[start : start + ROWS] for start in range(0, len(labelled), ROWS)]
    labels = np.array([label for _, label in labelled], np.uint8)
    return labels, (_pixels([path for path, _ in batch]) for batch in batches)


def _pixels(paths: Sequence[Path]) -> NDArray[np.uint8]:
    pixels = np.empty((len(paths), PIXELS), np.uint8)
    for row, path in zip(pixels, paths, strict=True):
        try:
            with path.open("rb") as file:
                row[:] = png.decode(file.read(png.MOST_BYTES + 1))
        except (ValueError, OSError) as error:
            fault = getattr(error, "strerror", None) or str(error)
            raise ValueError(f"{quote('/'.join(path.parts[-3:]))} is {fault}") from error
    return pixels
