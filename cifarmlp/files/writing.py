"""Files written whole or not at all, and numbered folders that one process works in at a time.

NumPy and filelock are imported where they are used, as a config has to be read at once.
"""

import csv
import errno
import hashlib
import io
import itertools
import json
import math
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from cifarmlp.errors import RunFolderError
from cifarmlp.files.reading import read_json
from cifarmlp.text import escape

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = Mapping[str, float]
TRIAL = 0.1  # seconds to wait for a lock, which a listing may hold for a moment
WAITS = (0.01, 0.1, 0.5)  # seconds between the tries to replace a file that another program has open
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def claim(out: Path, name: str) -> Path:
    """Create and return the next of the folders out/NAME-001, -002, ...; no two processes get the same one.

    Raises RunFolderError where `out` can't be written.
    """
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(path.name, name) for path in out.iterdir()), default=0)
        while True:
            try:
                folder = out / f"{name}-{number:03d}"
                folder.mkdir()
                return folder
            except FileExistsError:  # of another process: mkdir is atomic
                number += 1


def folders(out: Path, name: str) -> list[Path]:
    """Existing folders out/NAME-001, -002, ..., newest first."""
    try:
        numbered = [(_number(path.name, name), path) for path in out.iterdir()]
    except OSError:
        return []
    return [path for number, path in sorted(numbered, reverse=True) if number]


def make_folder(path: Path) -> Path:
    """Create a folder, with those above it, and return it. Raises RunFolderError."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def set_aside(path: Path) -> Path:
    """Rename a file or folder to the first free of NAME.aside-1, -2, ..., and return that path.

    Raises RunFolderError.
    """
    with disk_errors(path):
        taken = {each.name for each in path.parent.iterdir()}
        numbers = itertools.count(1)
        name = next(name for n in numbers if (name := f"{path.name}.aside-{n}") not in taken)
        return path.rename(path.with_name(name))


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process, and remove temporary files that a killed one left there.

    Raises RunFolderError, naming the process, where another one holds the lock. A lock ends with its process.
    """
    from filelock import FileLock, Timeout

    owner = folder / ".owner.json"
    system_lock = FileLock(folder / ".lock", timeout=TRIAL)
    with disk_errors(folder):
        try:
            system_lock.acquire(poll_interval=TRIAL / 5)
        except Timeout as error:
            raise RunFolderError(f"{folder}: {_holder(owner)}; wait for its end, or end it") from error
    try:
        for temporary in folder.glob(".*.tmp"):
            temporary.unlink(missing_ok=True)
        write_json(owner, {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()})
        yield
    finally:
        with suppress(OSError):
            owner.unlink(missing_ok=True)
        system_lock.release()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


class OwnerFile(BaseModel):
    """Contents of .owner.json: the process that has locked a folder."""

    model_config = ConfigDict(strict=True, defer_build=True)

    pid: int
    host: str
    since: str


def _holder(owner: Path) -> str:
    try:
        process = read_json(owner, OwnerFile)
    except RunFolderError:
        process = None
    if process is None:
        return "another process is at work in it"
    return f"process {process.pid} on {escape(process.host)} is at work in it since {escape(process.since)}"


def is_locked(folder: Path) -> bool:
    """Return whether a process is at work in a folder: on which machine and in which container ever.

    A lock is free when its process has ended, whatever the note of the owner says. It is tried for a moment
    only, for which `lock` would wait. Where that is not allowed, the note is believed.
    """
    from filelock import FileLock, Timeout

    lock_file = folder / ".lock"
    if not (folder / ".owner.json").exists() or not lock_file.exists():
        return False
    try:
        with FileLock(lock_file, timeout=0):
            return False
    except (Timeout, OSError):
        return True


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in this block into a RunFolderError about `path`."""
    try:
        yield
    except OSError as error:
        exists = isinstance(error, FileExistsError)
        reason = "there is something that is no folder" if exists else error.strerror or str(error)
        hint = "mend that, or choose another place"
        raise RunFolderError(f"{path}: cannot be written: {reason}; {hint}") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that renames in it survive a loss of power, where the system can do that.

    Windows opens no folders, and some shared disks flush none.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _replace(source: Path, target: Path) -> None:
    """Rename over a file. Windows refuses that while another program, such as a virus scanner, reads it."""
    for seconds in WAITS:
        with suppress(PermissionError):
            os.replace(source, target)
            return
        time.sleep(seconds)
    os.replace(source, target)


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Replace the file `path` atomically by what `fill` writes into the binary file that it is given.

    Raises RunFolderError, and leaves the old file as it was, where that fails (a full disk, no permission).
    """
    with disk_errors(path):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            with os.fdopen(os.open(temporary, NEW, 0o666), "wb") as file:  # permissions as the umask says
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            _replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, letters that it has no code for as escapes. Raises RunFolderError."""
    write(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Write JSON, with nan and infinity as null. Raises RunFolderError."""
    write_text(path, json.dumps(nan_to_null(value), indent=2) + "\n")


def write_arrays(path: Path, arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Write an .npz of plain arrays; equal arrays give equal bytes. Raises RunFolderError."""
    import numpy as np

    plain: Mapping[str, Any] = arrays  # Any: only NumPy 2.1 has an allow_pickle
    write(path, lambda file: np.savez(file, **plain))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write CSV with a header, floats with all their digits. Raises RunFolderError."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _number(folder: str, name: str) -> int:
    match = re.fullmatch(re.escape(name) + r"-(\d{3,9})", folder)
    return int(match[1]) if match else 0


def nan_to_null(value: Any) -> Any:
    """Return the value with nan and infinity as None, as JSON has no words for them.

    >>> nan_to_null({"loss": [0.5, math.nan]})
    {'loss': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: nan_to_null(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256(data: bytes) -> str:
    """SHA-256 of the data, in hex."""
    return hashlib.sha256(data).hexdigest()
