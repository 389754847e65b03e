"""CIFAR-10 as the Parquet files of the Hugging Face dataset `uoft-cs/cifar10`, read with pyarrow.

train-*.parquet and test-*.parquet have two columns: `img`, a struct with a PNG file as `bytes`, and `label`,
0 to 9. They lie in a folder of their own, or where the hub's own programs keep them:
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import png
from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.errors import DataError
from cifarmlp.text import escape, quote

COUNTS = {"train": 50_000, "test": 10_000}
COLUMNS = ("img.bytes", "label")
# Of a file; the official ones unpack to 114 and 23 million bytes.
MAX_UNPACKED_BYTES = 256 * 2**20
# A file of kilobytes may say that each of its pictures is the same 50 MB: a few at a time are unpacked.
ROWS_AT_ONCE = 4

_DATASETS = ("datasets--uoft-cs--cifar10", "datasets--cifar10")
_FOLDERS = (  # in the place that is given: the hub's cache, a dataset's folder in it, a snapshot, a download
    *(f"{parents}{name}/snapshots/*/plain_text" for name in _DATASETS for parents in ("", "hub/")),
    "snapshots/*/plain_text",
    "plain_text",
)


def locate(place: Path) -> Path | None:
    """Return the folder with both parts' Parquet files that `place` is or contains, the latest, or None."""
    if looks_like_one(place):
        return place
    found = [folder for pattern in _FOLDERS for folder in place.glob(pattern) if looks_like_one(folder)]
    return max(found, key=lambda folder: (folder.stat().st_mtime, folder), default=None)


def looks_like_one(folder: Path) -> bool:
    """Return whether a folder has Parquet files of both parts."""
    return all(_files(folder, part) for part in COUNTS)


def files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder, those of the training images first."""
    return [path for part in COUNTS for path in _files(folder, part)]


def _files(folder: Path, part: str) -> list[Path]:
    # A link of the hub's cache may lead to a file that was removed.
    return sorted(path for path in folder.glob(f"{part}-*.parquet") if path.is_file())


def read(folder: Path) -> tuple[NDArray[np.uint8], Iterator[NDArray[np.uint8]]]:
    """Return the labels (60000,) and an iterator of the pixels (10000, 3072), six times.

    Raises DataError where pyarrow is missing; ValueError, at once or later, naming the file, for what is
    damaged, has other columns or another number of images, or holds what is no picture of 32 x 32 pixels.
    """
    labels = np.concatenate([_labels_of(folder, part) for part in COUNTS])
    rows = (row for path in files(folder) for row in _pictures(path))
    return labels, (_stack(rows) for _ in range(sum(COUNTS.values()) // ROWS))


def _labels_of(folder: Path, part: str) -> NDArray[np.uint8]:
    paths = _files(folder, part)
    count = sum(_count(path) for path in paths)
    if count != COUNTS[part]:
        names = ", ".join(quote(path.name) for path in paths[:3])
        raise ValueError(f"has {count:,} images in {names}, not {COUNTS[part]:,}")
    return np.concatenate([_labels(path) for path in paths])


def _count(path: Path) -> int:
    """Return the number of images of a file, if its columns are there and of a size that can be."""
    with _open(path) as file:
        kinds = {column.path: column.physical_type for column in file.schema}
        if kinds.get("img.bytes") != "BYTE_ARRAY" or kinds.get("label") not in ("INT64", "INT32"):
            names = escape(", ".join(list(kinds)[:5]))[:100]
            raise ValueError(
                f"{quote(path.name)} has the columns {names}, not img (PNG bytes) and label (0 to 9)"
            )
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        size = sum(
            group.column(number).total_uncompressed_size for group in groups for number in range(len(kinds))
        )
        if size > MAX_UNPACKED_BYTES:
            raise ValueError(f"{quote(path.name)} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        return int(file.metadata.num_rows)


def _labels(path: Path) -> NDArray[np.uint8]:
    with _open(path) as file:
        column = file.read(columns=["label"], use_threads=False).column("label")
        labels = column.to_numpy() if not column.null_count else np.array([-1])
    if len(labels) != file.metadata.num_rows or labels.min(initial=0) < 0 or labels.max(initial=0) > 9:
        raise ValueError(f"{quote(path.name)} has labels other than 0 to 9")
    return labels.astype(np.uint8)


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    with _open(path) as file:
        number = 0
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=["img.bytes"], use_threads=False):
            for raw in batch.column(0).field("bytes"):
                number += 1
                try:
                    yield png.decode(raw.as_py() or b"")
                except ValueError as error:
                    raise ValueError(f"{quote(path.name)}: image {number} is {error}") from error


def _stack(rows: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    pixels = np.empty((ROWS, PIXELS), np.uint8)
    count = 0
    for count, row in enumerate(islice(rows, ROWS), 1):
        pixels[count - 1] = row
    if count < ROWS:
        raise ValueError("has fewer images than labels")
    return pixels


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Open a Parquet file, and raise what pyarrow says of it as ValueError."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        install = "pip install 'cifarmlp[parquet]'"
        raise DataError(f"{escape(str(path))}: Parquet files need pyarrow: {install}") from error
    try:
        with path.open("rb") as raw, ParquetFile(raw, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError) as error:
        fault = f"not a whole Parquet file ({type(error).__name__})"
        raise ValueError(f"{quote(path.name)} is {fault}") from error
