"""Run folders: claimed by one process, written whole or not at all."""

import csv
import hashlib
import io
import json
import math
import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from cifarmlp.errors import RunFolderError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, float]


def claim(out: Path, name: str) -> Path:
    """A new folder out/NAME-001, -002, ...; mkdir is atomic, so of several processes each gets its own.

    Raises RunFolderError where `out` can't be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(path.name, name) for path in out.iterdir()), default=0)
        while True:
            try:
                folder = out / f"{name}-{number:03d}"
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        raise _cannot_write(out, error) from error


def folders(out: Path, name: str) -> list[Path]:
    """The folders out/NAME-001, -002, ... that there are, newest first."""
    try:
        numbered = [(_number(path.name, name), path) for path in out.iterdir()]
    except OSError:
        return []
    return [path for number, path in sorted(numbered, reverse=True) if number]


def make_folder(path: Path) -> Path:
    """Create a folder inside a claimed one. Raises RunFolderError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Be the one process at work in a folder; what one that was killed left half-written there is removed.

    Raises RunFolderError where another process is, saying which. The lock of a dead process is none.
    """
    owner = folder / ".owner.json"
    lock = FileLock(folder / ".lock", timeout=0)
    with disk_errors(folder):
        try:
            lock.acquire()
        except Timeout as error:
            raise RunFolderError(f"{folder}: {_whose(owner)}; wait for its end, or end it") from error
    try:
        for temporary in folder.glob(".*.tmp"):
            temporary.unlink(missing_ok=True)
        write_json(owner, {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()})
        yield
    finally:
        with suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _whose(owner: Path) -> str:
    try:
        told = json.loads(owner.read_text())
        return f"process {told['pid']} on {told['host']} is at work in it since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process is at work in it"


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in a folder, by what it left there; one on another machine is believed."""
    try:
        owner = json.loads((folder / ".owner.json").read_bytes())
        pid, host = int(owner["pid"]), owner["host"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    if os.name != "posix" or host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)  # a signal that is none
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is there, and somebody else's
    return pid > 0


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """What goes wrong within, on the disk, as a RunFolderError about `path`."""
    try:
        yield
    except OSError as error:
        raise _cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Have a rename in the folder outlast a loss of power."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let `fill` write a temporary file beside `path`, sync it, and put it in its place.

    Raises RunFolderError, and leaves nothing behind, where that fails (a full disk, no permission).
    """
    with disk_errors(path):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, whole or not at all."""
    write(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """JSON with nan and infinity as null."""
    write_text(path, json.dumps(nan_to_null(value), indent=2) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz of plain arrays; the same arrays give the same bytes."""
    write(path, lambda file: np.savez(file, allow_pickle=False, **arrays))


def write_png(path: Path, figure: "Figure", metadata: Mapping[str, str] | None = None) -> None:
    """Write a figure as PNG, 150 dots an inch. Raises RunFolderError."""
    write(path, lambda file: figure.savefig(file, format="png", dpi=150, metadata=dict(metadata or {})))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """CSV with a header; floats so that they read back the same."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file by column, up to the first that is none; nothing if there is no file.

    A row that is too short has None for its last columns.
    """
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8", errors="replace") as file, suppress(csv.Error):
        yield from csv.DictReader(file)


def _number(folder: str, name: str) -> int:
    match = re.fullmatch(re.escape(name) + r"-(\d{3,9})", folder)
    return int(match[1]) if match else 0


def nan_to_null(value: Any) -> Any:
    """The value with nan and infinity as None, which JSON can say."""
    if isinstance(value, Mapping):
        return {key: nan_to_null(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_null(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cannot_write(path: Path, error: OSError) -> RunFolderError:
    reason = error.strerror or str(error)
    return RunFolderError(f"{path}: cannot be written: {reason}; mend that, or choose another place")


def sha256(data: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(data).hexdigest()
