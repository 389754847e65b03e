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

from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.text import quote

COUNTS = {"train": 50_000, "test": 10_000}
SIDE = 32

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


def read(place: Path, names: Sequence[str]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield pixels (10000, 3072) and labels (10000,), five times for training and once for test.

    Raises ValueError, naming the file, for what is no picture of 32 x 32 pixels.
    """
    labelled = files(place, names)
    for start in range(0, len(labelled), ROWS):
        batch = labelled[start : start + ROWS]
        pixels = np.empty((len(batch), PIXELS), np.uint8)
        for row, (path, _) in zip(pixels, batch, strict=True):
            row[:] = _pixels(path)
        yield pixels, np.array([label for _, label in batch], np.uint8)


def _pixels(path: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.size == (SIDE, SIDE):  # before it is decoded, however large it is
                return np.asarray(image.convert("RGB")).transpose(2, 0, 1).reshape(-1)
            fault = f"{image.width} x {image.height} pixels, not {SIDE} x {SIDE}"
    except Exception as error:  # Pillow has errors of many kinds for a damaged file
        fault = f"not a whole PNG picture ({type(error).__name__})"
    raise ValueError(f"{quote('/'.join(path.parts[-3:]))} is {fault}")
