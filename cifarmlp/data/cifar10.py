"""CIFAR-10 in every form that it comes in: located, and read as six batches.

The official pickled, binary or MATLAB batches in folders or archives, Parquet files, and PNG files.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import archives, batch_files, folders, official, parquet, zips
from cifarmlp.errors import DataError
from cifarmlp.text import escape, shorten

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDERS = ("cifar-10-batches-py", "cifar-10-batches-bin", "cifar-10-batches-mat")
_STEMS = ("cifar-10-python", "cifar-10-binary", "cifar-10-matlab", *FOLDERS)
# Those without a suffix or with a folder's name are Keras's.
ARCHIVES = (
    *(f"{stem}{suffix}" for suffix in (".tar.gz", ".zip") for stem in _STEMS),
    "cifar-10-batches-py-target_archive",
)
FORMS = (
    f"the folders {', '.join(FOLDERS)} or their six files, an archive of them (cifar-10-python.tar.gz, cifar-"
    "10-python.zip, ...), train-*.parquet and test-*.parquet, or PNG files in train/airplane to test/truck"
)


class Batch(NamedTuple):
    """Pixels (10000, 3072) and labels (10000,) of a training batch (slot 0 to 4) or the test batch (5)."""

    slot: int
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def locate(place: Path) -> Path | None:
    """Return the archive or folder with CIFAR-10 in any form that `place` is or contains, or None."""
    if place.suffix == ".parquet" and place.is_file():
        place = place.parent
    found = next(
        (path for path in candidates(place) if path.is_file() or not batch_files.missing(path)), None
    )
    return found or parquet.locate(place) or (place if folders.looks_like_one(place, NAMES) else None)


def candidates(place: Path) -> list[Path]:
    """Return the paths where batches or an archive of them might be, if `place` is or contains them."""
    return [place, *(place / name for name in (*FOLDERS, *ARCHIVES))]


def files(place: Path) -> list[Path]:
    """Files of a located folder or archive."""
    if place.is_file():
        return [place]
    if not has_rows(place):
        return batch_files.files(place)
    if parquet.looks_like_one(place):
        return parquet.files(place)
    try:
        return [path for path, _ in folders.files(place, NAMES)]
    except ValueError as error:
        raise fault_of(place, str(error)) from error


def read(place: Path) -> Iterator[Batch]:
    """Yield the six batches (31 MB each) of a located folder or archive, in its order.

    Raises DataError, naming file, fault and remedy, when one is missing, damaged or of another form.
    """
    return read_rows(place) if has_rows(place) else _read_batches(place)


def has_rows(place: Path) -> bool:
    """Return whether a located place has the images one by one: PNG or Parquet files."""
    if place.is_file() or not batch_files.missing(place):
        return False
    return parquet.looks_like_one(place) or folders.looks_like_one(place, NAMES)


def read_rows(place: Path) -> Iterator[Batch]:
    """Yield the six batches of images that are stored one by one."""
    try:
        labels, batches = parquet.read(place) if parquet.looks_like_one(place) else folders.read(place, NAMES)
        for slot, pixels, part in zip(official.slots(labels), batches, np.split(labels, 6), strict=True):
            yield Batch(slot, pixels, part)
    except ValueError as error:
        raise fault_of(place, str(error)) from error


def _read_batches(place: Path) -> Iterator[Batch]:
    lacking = set(batch_files.BATCHES)
    for name, raw in raw_batches(place):
        slot = batch_files.slot_of(name)
        lacking.discard(batch_files.BATCHES[slot])
        yield Batch(slot, *decode(name, raw))
    if lacking:
        raise fault_of(place, f"lacks {', '.join(sorted(lacking))}")


def raw_batches(place: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each batch file of a folder or archive. Raises DataError."""
    return _read_folder(place) if place.is_dir() else _of_one_form(place, _read_archive(place))


def _read_folder(place: Path) -> Iterator[tuple[str, bytes]]:
    for path in batch_files.files(place):
        try:
            yield str(path), batch_files.read(path)
        except ValueError as error:
            raise fault_of(path, str(error)) from error


def _of_one_form(archive: Path, members: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the batches of the first one's folder and form, as an archive may have them in several."""
    form, seen = None, set()
    for path, raw in ((PurePosixPath(name), raw) for name, raw in members):
        form = form or (path.parent, path.suffix)
        if form != (path.parent, path.suffix):
            continue
        if path in seen:
            raise fault_of(archive, f"an archive that has {path.name} twice")
        seen.add(path)
        yield shorten(escape(str(path))), raw


def _read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    wanted = [name for form in batch_files.FORMS for name in form]
    try:
        with path.open("rb") as file:
            head = file.read(500)
        if batch_files.looks_like_html(head):
            raise ValueError("an HTML page, not an archive")
        form = zips if zips.looks_like_one(head) else archives
        yield from form.read_members(path, wanted, batch_files.MAX_BYTES)
    except OSError as error:
        raise fault_of(path, error.strerror or "cannot be read") from error
    except ValueError as error:
        raise fault_of(path, str(error)) from error


def decode(name: str, raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels (10000, 3072) and labels (10000,) of a batch file. Raises DataError with its name."""
    try:
        return batch_files.decode(name, raw)
    except ValueError as error:
        raise fault_of(name, str(error)) from error


def fault_of(place: Path | str, fault: str) -> DataError:
    """Return an error that says what is wrong with a file or folder, and what to do."""
    return DataError(f"{place}: {fault}; get the official data with `cifarmlp data fetch`")
