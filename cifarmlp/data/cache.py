"""Cache of decoded images: memory-mapped, shared by all processes, written whole or not at all.

An entry is named by the checksum of its images, so that there is one whatever files they came in. Its files:
pixels.npy and labels.npy; notes.json, what was found out when they were decoded, with the places that they
are in, its time being that of the last use; check.json, checksums of a sample, its time that of the last
check of all bytes.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.data.cifar10 import Batch
from cifarmlp.data.pickles import PIXELS, ROWS
from cifarmlp.errors import DataError, RunFolderError
from cifarmlp.text import escape

SHAPE = (60_000, PIXELS)
NOTES, CHECK = "notes.json", "check.json"  # of an entry, beside pixels.npy and labels.npy
MOST_AGE = 24 * 3600  # seconds between two checks of all bytes
PAGE, PAGES = 4096, 256  # bytes of a page, and pages in a sample

_log = logging.getLogger(__name__)


class Stored(NamedTuple):
    """Pixels (60000, 3072) and labels (60000,), uint8, the notes made at decoding, the entry's name."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    notes: dict[str, Any]
    entry: str


Decode = Callable[[], Iterable[Batch]]
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
    """Key of these files in the notes of entries: a hash of path, size and modification time of each."""
    # Folders are resolved once: there may be 60,000 files in twenty of them.
    resolve = cache(os.path.realpath)
    stats = []
    for path in files:
        state = os.stat(path)
        name = os.path.join(resolve(os.path.dirname(path)), os.path.basename(path))
        stats.append((name, state.st_size, state.st_mtime_ns))
    return f"{prefix}-{hashlib.sha256(repr(stats).encode()).hexdigest()[:16]}"


def load(key: str, decode: Decode, describe: Describe, of: str = "") -> Stored:
    """Return the images of the files with this key, mapped into memory; one process decodes them if need be.

    of: the place of the files, for the notes. A damaged entry is replaced, and a warning is logged. Where the
    cache cannot be written, the images are decoded into memory (184 MB), and a warning is logged, too. Raises
    what `decode` raises.
    """
    caches = cache_dir()
    if stored := _open(entry_of(key), describe):
        return stored
    try:
        caches.mkdir(parents=True, exist_ok=True)
        with FileLock(caches / f"{_kind(key)}.lock"):
            # another process may have decoded them meanwhile
            return _open(entry_of(key), describe) or _write(key, decode, describe, of)
    except OSError as error:
        _log.warning("%s cannot be written (%s): decoding in memory, at every start", caches, error.strerror)
        return _in_memory(key, decode, describe)


def entry_of(key: str) -> Path | None:
    """Return the entry with the images of the files with this key; None if none says that it has them."""
    folders = sorted(cache_dir().glob(f"{_kind(key)}-*/"))
    return next((folder for folder in folders if "." not in folder.name and key in places_of(folder)), None)


def places_of(folder: Path) -> dict[str, str]:
    """Return the places that an entry's images are in, by the keys of the files there."""
    try:
        notes = json.loads((folder / NOTES).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    places = notes.get("of") if isinstance(notes, dict) else None
    return {key: str(place) for key, place in places.items()} if isinstance(places, dict) else {}


def _kind(key: str) -> str:
    return key.partition("-")[0]


def _entry_name(key: str, notes: dict[str, Any]) -> str:
    return f"{_kind(key)}-{notes['checksum'][:16]}"


def is_whole(entry: Path, describe: Describe) -> bool:
    """Return whether every byte of an entry is as it was decoded."""
    stored = _parse(entry)
    return stored is not None and _is_as_described(stored, describe)


def size(name: str) -> int:
    """Size of an entry in bytes; 0 when there is none."""
    return sum(path.stat().st_size for path in (cache_dir() / name).glob("*"))


def _open(folder: Path | None, describe: Describe) -> Stored | None:
    """Return an entry, None if it is not there or damaged. All of it is checked about once a day."""
    stored = _parse(folder) if folder else None
    if folder is None or stored is None:
        return None
    if not _was_checked(folder, stored):
        if not _is_as_described(stored, describe):
            return None
        with suppress(RunFolderError):  # somebody else's, perhaps
            _note_check(folder, stored)
    with suppress(OSError):
        os.utime(folder / NOTES)  # last use
    return stored


def _parse(folder: Path) -> Stored | None:
    try:
        pixels, labels = _arrays(folder)
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
    except (OSError, ValueError, EOFError):
        return None
    whole = pixels.shape == SHAPE and labels.shape == SHAPE[:1] and pixels.dtype == labels.dtype == np.uint8
    noted = isinstance(notes, dict) and {"checksum", "official"} <= notes.keys()
    return Stored(pixels, labels, notes, folder.name) if whole and noted and labels.max() <= 9 else None


def _is_as_described(stored: Stored, describe: Describe) -> bool:
    return bool(describe(stored.pixels, stored.labels)["checksum"] == stored.notes["checksum"])


def _was_checked(folder: Path, stored: Stored) -> bool:
    """Return whether all was checked within a day, and a sample is still the same: a few milliseconds."""
    try:
        age = time.time() - (folder / CHECK).stat().st_mtime
        sample = json.loads((folder / CHECK).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return 0 <= age < MOST_AGE and bool(sample == _sample(stored))


def _note_check(folder: Path, stored: Stored) -> None:
    files.write_json(folder / CHECK, _sample(stored))


def _sample(stored: Stored) -> dict[str, int]:
    """CRC-32 of the labels, and of pages spread over the pixels, so that a run of 1/255 of them is seen."""
    flat = stored.pixels.reshape(-1)
    total = 0
    for start in np.linspace(0, len(flat) - PAGE, PAGES).astype(int):
        total = zlib.crc32(flat[start : start + PAGE].data, total)
    return {"labels": zlib.crc32(stored.labels.data), "pixels": total}


def _arrays(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
    # As a plain array: taking rows of a numpy.memmap is several times slower.
    return np.asarray(pixels), np.load(folder / "labels.npy", allow_pickle=False)


def _write(key: str, decode: Decode, describe: Describe, of: str) -> Stored:
    caches = cache_dir()
    for left_over in caches.glob(f"{_kind(key)}-*.*/"):  # of killed processes: nobody else has the lock
        shutil.rmtree(left_over, ignore_errors=True)
    temporary = caches / f"{key}.{os.getpid()}"
    temporary.mkdir()  # not by tempfile, which lets nobody else read it
    try:
        _fill(temporary, decode())
        notes = _note(temporary, describe, {key: of})
        return _place(temporary, caches / _entry_name(key, notes), notes, describe)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _note(folder: Path, describe: Describe, of: dict[str, str]) -> dict[str, Any]:
    """Write and return the notes of new files; their map ends here, as Windows renames no mapped file."""
    pixels, labels = _arrays(folder)
    stored = Stored(pixels, labels, describe(pixels, labels) | {"of": of}, folder.name)
    _write_synced(folder / NOTES, json.dumps(stored.notes, indent=1).encode())
    _write_synced(folder / CHECK, json.dumps(_sample(stored)).encode())
    return stored.notes


def _place(temporary: Path, folder: Path, notes: dict[str, Any], describe: Describe) -> Stored:
    """Give new files the name of an entry, or note their place in the entry that has the same images."""
    if stored := _open(folder, describe):
        of = {key: place for key, place in places_of(folder).items() if place not in notes["of"].values()}
        with suppress(RunFolderError):  # somebody else's, perhaps
            files.write_json(folder / NOTES, stored.notes | {"of": of | notes["of"]})
        return stored
    if folder.exists():
        _log.warning("%s was damaged: the images are decoded again", folder)
    files.sync_folder(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return Stored(*_arrays(folder), notes, folder.name)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        _sync(file)


def _sync(file: BinaryIO) -> None:
    """Have a file on the disk before the entry gets its name, or a loss of power leaves one of zeros."""
    file.flush()
    os.fsync(file.fileno())


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
        _sync(file)
    with (folder / "labels.npy").open("wb") as file:
        np.save(file, labels)
        _sync(file)


def _in_memory(key: str, decode: Decode, describe: Describe) -> Stored:
    pixels, labels = np.empty(SHAPE, np.uint8), np.empty(SHAPE[:1], np.uint8)
    for slot, batch_pixels, batch_labels in decode():
        rows = slice(slot * ROWS, (slot + 1) * ROWS)
        pixels[rows], labels[rows] = batch_pixels, batch_labels
    notes = describe(pixels, labels)
    return Stored(pixels, labels, notes, _entry_name(key, notes))
