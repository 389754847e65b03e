"""Datasets of images: found, loaded, described and drawn."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import cache, cache_entries, checks, cifar10, official, places, synthetic
from cifarmlp.errors import ConfigError

N_TRAIN = 50_000

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Pixels (n, 3072) uint8, each row 1024 red, 1024 green, 1024 blue; labels (n,) uint8, 0 to 9.

    The arrays may be read-only, memory-mapped or views.
    """

    pixels: Pixels
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """50000 training and 10000 test images, the names of the classes, and the origin of both.

    `checksum` is the SHA-256 of training pixels, training labels, test pixels and test labels, in hex;
    `official` says whether every bit is as published; `place` is the file or folder read, empty for synthetic
    images; `cache_key` names the entry in the cache.
    """

    train: Images
    test: Images
    names: tuple[str, ...]
    source: str
    checksum: str
    official: bool
    place: str
    cache_key: str


def load(source: str, data_dir: Path | None = None, *, download: bool = False) -> Dataset:
    """Return the images of `source`, "cifar10" or "synthetic", decoded into the cache at the first call.

    CIFAR-10 is searched for as by `places.find`. If there is none it is downloaded where `download` is true
    and no place was given, by `data_dir` or $CIFARMLP_DATA. Raises DataError when images are missing, damaged
    or cannot be fetched, ConfigError for another source.
    """
    if source == "synthetic":
        stored = cache.load(synthetic.KEY, synthetic.batches, _describe, "synthetic images")
        return _dataset(stored, synthetic.NAMES, source, "")
    if source != "cifar10":
        raise ConfigError(f"data.source: {source!r} is neither cifar10 nor synthetic")
    is_given = places.given_place(data_dir) is not None
    place = places.find(data_dir) if is_given or not download else places.find_or_fetch()
    key = cache.key_of("cifar10", cifar10.files(place))
    stored = cache.load(key, partial(cifar10.read, place), _describe, str(place.absolute()))
    return _dataset(stored, cifar10.NAMES, source, str(place))


def class_names(source: str) -> tuple[str, ...]:
    """Return the names of the ten classes of `source`, "cifar10" or "synthetic", by label; nothing is read.

    >>> class_names("cifar10")[3]
    'cat'
    """
    return synthetic.NAMES if source == "synthetic" else cifar10.NAMES


def _describe(pixels: Pixels, labels: NDArray[np.uint8]) -> dict[str, Any]:
    digest = hashlib.sha256()
    for rows in (slice(0, N_TRAIN), slice(N_TRAIN, None)):
        digest.update(pixels[rows].data)
        digest.update(labels[rows].data)
    return {"checksum": digest.hexdigest(), "official": official.is_official(pixels, labels)}


def _dataset(stored: cache.Stored, names: tuple[str, ...], source: str, place: str) -> Dataset:
    pixels, labels, notes, key = stored
    train, test = (Images(pixels[rows], labels[rows]) for rows in (slice(N_TRAIN), slice(N_TRAIN, None)))
    return Dataset(train, test, names, source, notes["checksum"], notes["official"], place, key)


def verify(data_dir: Path | None = None) -> list[checks.Check]:
    """Check each file of CIFAR-10, searched for as by `places.find`, and all bytes of its entry in the cache.

    A damaged entry is removed. Raises DataError when there are no files.
    """
    place = places.given_place(data_dir) or places.find()
    checked = checks.check_files(place)
    source = cifar10.locate(place)
    entry = cache.entry_of(cache.key_of("cifar10", cifar10.files(source))) if source else None
    if entry is None:
        return checked
    is_whole = cache.is_whole(entry, _describe)
    status = "as decoded" if is_whole else "damaged, and removed: the next command decodes the images again"
    if not is_whole:
        cache_entries.remove(entry.name)
    return [*checked, checks.Check(str(entry), status, is_whole)]


def info(dataset: Dataset) -> dict[str, Any]:
    """Counts by class, checksum, origin and cache of a dataset, as `cifarmlp data info` prints them."""
    counts = {
        part: dict(zip(dataset.names, np.bincount(images.labels, minlength=10).tolist(), strict=True))
        for part, images in (("train", dataset.train), ("test", dataset.test))
    }
    return {
        "source": dataset.source,
        "place": dataset.place,
        "checksum": dataset.checksum,
        "official": dataset.official,
        "images": counts,
        "cache": str(cache.cache_dir() / dataset.cache_key),
        "cache_bytes": cache.size(dataset.cache_key),
    }


def contact_sheet(images: Images, names: Sequence[str], per_class: int = 10) -> Pixels:
    """Draw the first images of each class, a row for each, on white: an RGB picture (H, W, 3) uint8."""
    tile = 34
    sheet = np.full((tile * len(names) + 2, tile * per_class + 2, 3), 255, np.uint8)
    for label, column, image in _first_of_each(images, len(names), per_class):
        top, left = tile * label + 2, tile * column + 2
        sheet[top : top + 32, left : left + 32] = image.reshape(3, 32, 32).transpose(1, 2, 0)
    return sheet


def _first_of_each(images: Images, n_classes: int, per_class: int) -> Iterator[tuple[int, int, Pixels]]:
    for label in range(n_classes):
        rows = np.flatnonzero(images.labels == label)[:per_class]
        yield from ((label, column, images.pixels[row]) for column, row in enumerate(rows))
