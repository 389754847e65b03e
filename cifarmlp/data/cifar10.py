"""CIFAR-10 in its official forms, pickled, binary or MATLAB batches in folders or archives; and as PNG files.

Formats: https://www.cs.toronto.edu/~kriz/cifar.html
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import archives, folders, matlab, pickles
from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.errors import DataError

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-10-batches-mat")
# The last two are the archive's names in Keras 2 and Keras 3.
ARCHIVES = (
    "cifar-10-python.tar.gz",
    "cifar-10-binary.tar.gz",
    "cifar-10-matlab.tar.gz",
    "cifar-10-batches-py.tar.gz",
    "cifar-10-batches-py-target_archive",
)
# Of the pickled files and the archives, as torchvision checks them.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-matlab.tar.gz": "70270af85842c9e89bb428ec9976c926",
}
# Of the binary files, in the order of BATCHES, as MXNet checked them. A binary file is nothing but labels and
# pixels, so these recognise official images in any form.
IMAGES_SHA1 = (
    "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "67eb016db431130d61cd03c7ad570b013799c88c",
)

# An official pickled batch has 31 million bytes, a binary one 30.7 million.
MAX_BATCH_BYTES = 64 * 2**20


class Batch(NamedTuple):
    """Pixels (10000, 3072) and labels (10000,) of a training batch (slot 0 to 4) or the test batch (5)."""

    slot: int
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class Check(NamedTuple):
    """State of a file: its name, what is right or wrong with it, and whether it can be used."""

    file: str
    status: str
    usable: bool


def locate(place: Path) -> Path | None:
    """Return the batches folder or archive that `place` is or contains, or `place` with PNGs, or None."""
    found = next((path for path in _candidates(place) if path.is_file() or not missing(path)), None)
    return place if found is None and folders.looks_like_one(place, NAMES) else found


def missing(folder: Path) -> list[str]:
    """Missing batch files, of the form (pickled, binary or MATLAB) that is most complete."""
    lacking = [[name for name in names if not (folder / name).is_file()] for names in _FORMS]
    return min(lacking, key=len)


def files(place: Path) -> list[Path]:
    """Files of a located folder or archive."""
    if place.is_file():
        return [place]
    if _is_of_pictures(place):
        return [path for path, _ in _pictures(place)]
    names = min(_FORMS, key=lambda names: sum(not (place / name).is_file() for name in names))
    return [place / name for name in names]


def read(place: Path) -> Iterator[Batch]:
    """Yield the six batches (31 MB each) of a located folder or archive, in its order.

    Raises DataError, naming file, fault and remedy, when one is missing, damaged or of another form.
    """
    if _is_of_pictures(place):
        yield from _read_pictures(place)
        return
    seen = set()
    for name, raw in _raw_batches(place):
        slot = BATCHES.index(Path(name).stem)
        if slot in seen:
            raise _fault(place, f"an archive that has {Path(name).name} twice")
        seen.add(slot)
        yield Batch(slot, *_decode(name, raw))
    if len(seen) < len(BATCHES):
        lacking = ", ".join(name for slot, name in enumerate(BATCHES) if slot not in seen)
        raise _fault(place, f"lacks {lacking}")


def is_official(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bool:
    """Return whether pixels (60000, 3072) and labels (60000,) are the official ones, bit for bit."""
    starts = range(0, len(labels), ROWS)
    return all(
        _binary_sha1(pixels[start : start + ROWS], labels[start : start + ROWS]) == official
        for start, official in zip(starts, IMAGES_SHA1, strict=True)
    )


def verify(place: Path) -> list[Check]:
    """Check each file of the folder or archive that `place` is or contains; it may be incomplete.

    Raises DataError when there is neither.
    """
    source = locate(place) or next((path for path in _candidates(place) if len(missing(path)) < 6), None)
    if source is None:
        raise _fault(place, "holds no CIFAR-10 batches and no archive of them")
    if _is_of_pictures(source):
        return list(_check_pictures(source))
    if source.is_dir():
        return [_check_file(path) for path in files(source)]
    return [_check_archive(source), *_check_members(source)]


def md5(path: Path) -> str:
    """MD5 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def looks_like_html(raw: bytes) -> bool:
    """Return whether the bytes begin like a web page, as where a login page was saved instead of a file.

    >>> looks_like_html(b" <!DOCTYPE html>"), looks_like_html(b"\\x80\\x02}")
    (True, False)
    """
    return raw[:500].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


_FORMS = tuple(tuple(f"{name}{suffix}" for name in BATCHES) for suffix in ("", ".bin", ".mat"))
_MEMBERS = [f"{folder}/{name}" for folder, names in zip(FOLDERS, _FORMS, strict=True) for name in names]


def _candidates(place: Path) -> list[Path]:
    return [place, *(place / name for name in (*FOLDERS, *ARCHIVES))]


def _is_of_pictures(place: Path) -> bool:
    return bool(missing(place)) and folders.looks_like_one(place, NAMES)


def _pictures(place: Path) -> list[folders.Labelled]:
    try:
        return folders.files(place, NAMES)
    except ValueError as error:
        raise _fault(place, str(error)) from error


def _read_pictures(place: Path) -> Iterator[Batch]:
    try:
        for slot, (pixels, labels) in enumerate(folders.read(place, NAMES)):
            yield Batch(slot, pixels, labels)
    except ValueError as error:
        raise _fault(place, str(error)) from error


def _check_pictures(place: Path) -> Iterator[Check]:
    try:
        for slot, pixels, labels in _read_pictures(place):
            name = f"{place}, pictures of {BATCHES[slot]}"
            yield Check(name, _status(slot, pixels, labels), True)
    except DataError as error:
        yield Check(str(place), str(error).removeprefix(f"{place}: "), False)


def _raw_batches(place: Path) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        return ((str(path), _read_file(path)) for path in files(place))
    return _read_archive(place)


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BATCH_BYTES:
            raise _fault(path, "far larger than a CIFAR-10 batch")
        return path.read_bytes()
    except OSError as error:
        raise _fault(path, error.strerror or "cannot be read") from error


def _read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with path.open("rb") as file:
            if looks_like_html(file.read(500)):
                raise ValueError("an HTML page, not an archive")
        yield from archives.read_members(path, _MEMBERS, MAX_BATCH_BYTES)
    except OSError as error:
        raise _fault(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise _fault(path, str(error)) from error


def _decode(name: str, raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    try:
        if looks_like_html(raw):
            raise ValueError("an HTML page, not a CIFAR-10 batch")
        return _DECODERS.get(Path(name).suffix, pickles.loads)(raw)
    except ValueError as error:
        raise _fault(name, str(error)) from error


def _decode_binary(raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if len(raw) != ROWS * (1 + PIXELS):
        raise ValueError(f"{len(raw):,} bytes, not the {ROWS * (1 + PIXELS):,} of a binary batch")
    rows = np.frombuffer(raw, np.uint8).reshape(ROWS, 1 + PIXELS)
    labels = rows[:, 0].copy()
    if labels.max() > 9:
        raise ValueError("has labels other than 0 to 9")
    return rows[:, 1:], labels


_DECODERS = {".bin": _decode_binary, ".mat": matlab.loads}


def _binary_sha1(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    rows = np.concatenate([labels[:, None], pixels], axis=1)
    return hashlib.sha1(rows.data, usedforsecurity=False).hexdigest()


def _check_file(path: Path) -> Check:
    try:
        return _check(str(path), _read_file(path))
    except DataError as error:
        return Check(str(path), str(error).removeprefix(f"{path}: "), False)


def _check_archive(path: Path) -> Check:
    official = md5(path) in [md5_ for name, md5_ in MD5.items() if name in ARCHIVES]
    return Check(str(path), "official" if official else "not the official archive", True)


def _check_members(archive: Path) -> Iterator[Check]:
    lacking = set(BATCHES)
    try:
        for name, raw in _read_archive(archive):
            lacking.discard(Path(name).stem)
            yield _check(name, raw)
    except DataError as error:
        yield Check(str(archive), str(error).removeprefix(f"{archive}: "), False)
    else:
        yield from (Check(name, "missing", False) for name in sorted(lacking))


def _check(name: str, raw: bytes) -> Check:
    try:
        pixels, labels = _decode(name, raw)
    except DataError as error:
        return Check(name, str(error).removeprefix(f"{name}: "), False)
    return Check(name, _status(BATCHES.index(Path(name).stem), pixels, labels), True)


def _status(slot: int, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    official = _binary_sha1(pixels, labels) == IMAGES_SHA1[slot]
    return "official" if official else "readable, but not the official images"


def _fault(place: Path | str, fault: str) -> DataError:
    return DataError(f"{place}: {fault}; get the official data with `cifarmlp data fetch`")
