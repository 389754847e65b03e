"""Cache of decoded images: memory-mapped, shared by all processes, written whole or not at all."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from cifarmlp.data.cifar10 import Batch
from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.errors import DataError
from cifarmlp.text import escape

SHAPE = (60_000, PIXELS)

_log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """Pixels (60000, 3072) and labels (60000,), uint8, with the notes made when they were decoded."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    notes: dict[str, Any]


Describe = Callable[[NDArray[np.uint8], NDArray[np.uint8]], dict[str, Any]]


def cache_dir() -> Path:
    """Folder of the cache: $CIFARMLP_CACHE, else $XDG_CACHE_HOME/cifarmlp, else ~/.cache/cifarmlp.

    Without a home, as in some containers, it is cifarmlp-UID in the folder of temporary files.
    """
    if given := os.environ.get("CIFARMLP_CACHE"):
        return expand(given)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "cifarmlp"
    if home := home_folder():
        return home / ".cache" / "cifarmlp"
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return Path(tempfile.gettempdir()) / f"cifarmlp-{user}"


def home_folder() -> Path | None:
    """The user's home; None where there is none, as for a user whom the system does not know."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expand(path: str | Path) -> Path:
    """Return the path with a leading ~ as a home. Raises DataError where that is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DataError(f"{escape(str(path))}: no home is known for ~; write the whole path") from error


def key_of(prefix: str, files: Iterable[Path]) -> str:
    """Cache key of these files: a hash of path, size and modification time of each."""
    stats = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return f"{prefix}-{hashlib.sha256(repr(stats).encode()).hexdigest()[:16]}"


def load(key: str, decode: Callable[[], Iterable[Batch]], describe: Describe) -> Stored:
    """Return the images under `key`, mapped into memory; one process decodes them if they are not there.

    A damaged entry is decoded again. Where the cache cannot be written, the images are decoded into memory
    (184 MB), and a warning is logged. Raises what `decode` raises.
    """
    folder = cache_dir() / key
    if stored := _open(folder):
        return stored
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            return _open(folder) or _write(folder, decode, describe)
    except OSError as error:
        _log.warning("%s cannot be written (%s): decoding in memory, at every start", folder, error.strerror)
        return _in_memory(decode, describe)


def size(key: str) -> int:
    """Size of an entry in bytes; 0 when there is none."""
    return sum(path.stat().st_size for path in (cache_dir() / key).glob("*"))


def _open(folder: Path) -> Stored | None:
    try:
        pixels, labels = _arrays(folder)
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, EOFError):
        return None
    whole = pixels.shape == SHAPE and labels.shape == SHAPE[:1] and pixels.dtype == labels.dtype == np.uint8
    noted = isinstance(notes, dict) and {"checksum", "official"} <= notes.keys()
    return Stored(pixels, labels, notes) if whole and noted and labels.max() <= 9 else None


def _arrays(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    # As a plain array: taking rows of a numpy.memmap is several times slower.
    return np.asarray(pixels), np.load(folder / "labels.npy", allow_pickle=False)


def _write(folder: Path, decode: Callable[[], Iterable[Batch]], describe: Describe) -> Stored:
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _fill(temporary, decode())
        pixels, labels = _arrays(temporary)
        notes = describe(pixels, labels)
        (temporary / "notes.json").write_text(json.dumps(notes, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Stored(pixels, labels, notes)


def _fill(folder: Path, batches: Iterable[Batch]) -> None:
    labels = np.empty(SHAPE[:1], np.uint8)
    # Plain writes: on a full disk these raise, where writing to a memory map would kill the process.
    with (folder / "pixels.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": SHAPE}
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        for slot, pixels, batch_labels in batches:
            file.seek(start + slot * ROWS * SHAPE[1])
            file.write(np.ascontiguousarray(pixels).data)
            labels[slot * ROWS : (slot + 1) * ROWS] = batch_labels
    np.save(folder / "labels.npy", labels)


def _in_memory(decode: Callable[[], Iterable[Batch]], describe: Describe) -> Stored:
    pixels, labels = np.empty(SHAPE, np.uint8), np.empty(SHAPE[:1], np.uint8)
    for slot, batch_pixels, batch_labels in decode():
        rows = slice(slot * ROWS, (slot + 1) * ROWS)
        pixels[rows], labels[rows] = batch_pixels, batch_labels
    return Stored(pixels, labels, describe(pixels, labels))
