"""Checks of each file of CIFAR-10: whether it can be read, and whether it is the official one."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import batch_files, cifar10, official
from cifarmlp.errors import DataError


class Check(NamedTuple):
    """State of a file: its name, what is right or wrong with it, and whether it can be used."""

    file: str
    status: str
    usable: bool


def check_files(place: Path) -> list[Check]:
    """Check each file of the folder or archive that `place` is or contains; it may be incomplete.

    Raises DataError when there is neither.
    """
    some = (path for path in cifar10.candidates(place) if len(batch_files.missing(path)) < 6)
    source = cifar10.locate(place) or next(some, None)
    if source is None:
        raise DataError(f"{place}: holds none of {cifar10.FORMS}; get the images with `cifarmlp data fetch`")
    if source.is_file():
        return [_check_archive(source), *_check_members(source)]
    if cifar10.has_rows(source):
        return list(_check_rows(source))
    return [_check_file(path) for path in batch_files.files(source)]


def _check_rows(place: Path) -> Iterator[Check]:
    try:
        for slot, pixels, labels in cifar10.read_rows(place):
            status = _status(slot, pixels, labels)
            yield Check(f"{place}, images of {batch_files.BATCHES[slot]}", status, True)
    except DataError as error:
        yield _fault(str(place), error)


def _check_archive(path: Path) -> Check:
    md5s = [md5 for name, md5 in official.MD5.items() if name in cifar10.ARCHIVES]
    is_official = official.md5(path) in md5s
    return Check(str(path), "official" if is_official else "not the official archive", True)


def _check_members(archive: Path) -> Iterator[Check]:
    lacking = set(batch_files.BATCHES)
    try:
        for name, raw in cifar10.raw_batches(archive):
            lacking.discard(batch_files.BATCHES[batch_files.slot_of(name)])
            yield _check(name, raw)
    except DataError as error:
        yield _fault(str(archive), error)
    else:
        yield from (Check(name, "missing", False) for name in sorted(lacking))


def _check_file(path: Path) -> Check:
    try:
        return _check(str(path), batch_files.read(path))
    except ValueError as error:
        return Check(str(path), str(error), False)


def _check(name: str, raw: bytes) -> Check:
    try:
        pixels, labels = cifar10.decode(name, raw)
    except DataError as error:
        return _fault(name, error)
    return Check(name, _status(batch_files.slot_of(name), pixels, labels), True)


def _fault(name: str, error: DataError) -> Check:
    return Check(name, str(error).removeprefix(f"{name}: "), False)


def _status(slot: int, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    is_official = official.is_official_batch(slot, pixels, labels)
    return "official" if is_official else "readable, but not the official images"
