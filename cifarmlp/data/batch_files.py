"""The six files of CIFAR-10's official forms: pickled, binary and MATLAB batches of 10,000 images.

Formats: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import matlab, pickles
from cifarmlp.data.pickles import PIXELS, ROWS

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
FORMS = tuple(tuple(f"{name}{suffix}" for name in BATCHES) for suffix in ("", ".bin", ".mat"))
# An official pickled batch has 31 million bytes, a binary one 30.7 million.
MAX_BYTES = 64 * 2**20


def missing(folder: Path) -> list[str]:
    """Missing batch files, of the form (pickled, binary or MATLAB) that is most complete."""
    lacking = [[name for name in names if not (folder / name).is_file()] for names in FORMS]
    return min(lacking, key=len)


def files(folder: Path) -> list[Path]:
    """The six files of the form that is most complete; some may be missing."""
    names = min(FORMS, key=lambda names: sum(not (folder / name).is_file() for name in names))
    return [folder / name for name in names]


def read(path: Path) -> bytes:
    """Return the content of a file. Raises ValueError if it is too large for a batch or cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("far larger than a CIFAR-10 batch")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(error.strerror or "cannot be read") from error


def slot_of(name: str) -> int:
    """Slot of a file: 0 to 4 for data_batch_1 to 5, and 5 for test_batch.

    >>> slot_of("cifar-10-batches-bin/data_batch_2.bin")
    1
    """
    return BATCHES.index(PurePosixPath(name).stem)


def decode(name: str, raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels (10000, 3072) and labels (10000,), both uint8, of a file. Raises ValueError."""
    if looks_like_html(raw):
        raise ValueError("an HTML page, not a CIFAR-10 batch")
    return _DECODERS.get(PurePosixPath(name).suffix, pickles.loads)(raw)


def looks_like_html(raw: bytes) -> bool:
    """Return whether the bytes begin like a web page, as where a login page was saved instead of a file.

    >>> looks_like_html(b" <!DOCTYPE html>"), looks_like_html(b"\\x80\\x02}")
    (True, False)
    """
    return raw[:500].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def _decode_binary(raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if len(raw) != ROWS * (1 + PIXELS):
        raise ValueError(f"{len(raw):,} bytes, not the {ROWS * (1 + PIXELS):,} of a binary batch")
    rows = np.frombuffer(raw, np.uint8).reshape(ROWS, 1 + PIXELS)
    labels = rows[:, 0].copy()
    if labels.max() > 9:
        raise ValueError("has labels other than 0 to 9")
    return rows[:, 1:], labels


_DECODERS = {".bin": _decode_binary, ".mat": matlab.loads}
