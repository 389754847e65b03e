"""Checkpoints, replaced atomically: after a crash or a power cut there is always a complete one.

checkpoint.npz is an .npz of plain arrays followed by the SHA-256 of all its bytes, so that a truncated or
altered file is refused before any of it is parsed. The one before it is kept as checkpoint.previous.npz.
"""

import hashlib
import io
import json
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cifarmlp import files
from cifarmlp.config import differences, parse_config
from cifarmlp.errors import CifarmlpWarning, ConfigError
from cifarmlp.text import escape
from cifarmlp.training.metrics import check_metrics
from cifarmlp.training.provenance import refuse_other_origin

NEXT, NOW, PREVIOUS = NAMES = ("checkpoint.next.npz", "checkpoint.npz", "checkpoint.previous.npz")
TRAILER = b"sha256:"
TRAILER_BYTES = len(TRAILER) + hashlib.sha256().digest_size
MAX_TIME_SHARE = 0.02  # share of a training's time that may go into saving it


@dataclass(frozen=True)
class Checkpoint:
    """A training that is not over. arrays: `Training.state`. rows: of metrics.csv. seconds: trained so far.

    config: the resolved config as YAML. environment: see `environment.fingerprint`.
    """

    arrays: Mapping[str, NDArray[Any]]
    rows: list[dict[str, float]]
    seconds: float
    config: str
    environment: dict[str, Any]


def _with_possible_values(row: dict[str, float]) -> dict[str, float]:
    check_metrics(row)
    return row


class About(BaseModel):
    """JSON in a checkpoint: all of it but the arrays. Values of rows may be nan or infinite."""

    model_config = ConfigDict(strict=True, defer_build=True)

    rows: list[Annotated[dict[str, int | float], AfterValidator(_with_possible_values)]]
    seconds: float = Field(ge=0, allow_inf_nan=False)
    config: str
    environment: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the last checkpoint, which becomes the previous one. Raises RunFolderError."""
    upcoming, now, previous = (folder / name for name in NAMES)
    files.write(upcoming, lambda file: file.write(_signed(checkpoint)))
    with files.disk_errors(now):
        if now.exists():
            os.replace(now, previous)
        os.replace(upcoming, now)
        files.sync_folder(folder)


def _signed(checkpoint: Checkpoint) -> bytes:
    """Return the bytes of checkpoint.npz, with their checksum at the end."""
    about = {name: value for name, value in vars(checkpoint).items() if name != "arrays"}
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"about": text, **checkpoint.arrays}  # Any: only NumPy 2.1 has an allow_pickle
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    return data + TRAILER + hashlib.sha256(data).digest()


def drop_previous(folder: Path) -> None:
    """Keep the last checkpoint only. Raises RunFolderError."""
    with files.disk_errors(folder):
        (folder / PREVIOUS).unlink(missing_ok=True)


def load(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest complete checkpoint of a run folder or None, and the faults of newer ones."""
    faults: list[str] = []
    for name in NAMES:
        try:
            with files.open_regular(folder / name, files.MOST_ARRAYS) as file:
                return _read(file), faults
        except FileNotFoundError:
            continue  # a crash between the two renames leaves out one name or other
        except (OSError, ValueError) as error:
            faults.append(f"{folder / name}: {getattr(error, 'strerror', None) or error}")
    return None, faults


def _read(file: BinaryIO) -> Checkpoint:
    if not _is_whole(file):
        raise ValueError("damaged: its checksum is wrong")
    file.seek(0)
    try:
        with np.load(io.BytesIO(file.read()[:-TRAILER_BYTES]), allow_pickle=False) as arrays:
            state = dict(arrays)
        about = About.model_validate_json(state.pop("about").tobytes())
        return Checkpoint(state, about.rows, about.seconds, about.config, about.environment)
    except Exception as error:  # complete, but written by something else
        raise ValueError("not a checkpoint") from error


def _is_whole(file: BinaryIO) -> bool:
    """Return whether the file ends in the SHA-256 of what is before it; a chunk of it is in memory."""
    left = os.fstat(file.fileno()).st_size - TRAILER_BYTES
    digest = hashlib.sha256()
    while left > 0 and (chunk := file.read(min(left, 2**20))):
        digest.update(chunk)
        left -= len(chunk)
    return left == 0 and file.read() == TRAILER + digest.digest()


@dataclass
class Keeper:
    """Checkpoints of one training in its folder, saved as often as `MAX_TIME_SHARE` permits.

    cost: seconds that the last save took. last: time of its end, by `perf_counter`.
    """

    folder: Path
    config: str
    environment: dict[str, Any]
    cost: float = 0.0
    last: float = field(default_factory=time.perf_counter)

    def load_to_resume(self, strict: bool = False) -> Checkpoint | None:
        """Return the last complete checkpoint of the folder, or None if there is none.

        Warn if it is damaged or missing. Raises ConfigError if it is of another config, and as
        `refuse_other_origin` does.
        """
        checkpoint, faults = load(self.folder)
        if not checkpoint and not faults and (self.folder / "metrics.csv").exists():
            faults = [f"{self.folder}: there is no checkpoint"]
        remedy = "going back to the checkpoint before it" if checkpoint else "the training begins anew"
        for fault in faults:
            _warn(f"{fault}; {remedy}")
        if checkpoint:
            self._check_config(checkpoint.config)
            refuse_other_origin(self.folder, checkpoint.environment, self.environment, strict)
        return checkpoint

    def _check_config(self, there: str) -> None:
        if there == self.config:
            return
        name = f"{self.folder}: its checkpoint"
        changes = differences(parse_config(there, name), parse_config(self.config, name))
        if changes:  # else it is of a version with fewer keys
            raise ConfigError(f"{name} is of another config: {'; '.join(changes[:3])}")

    def save(self, arrays: Mapping[str, NDArray[Any]], rows: list[dict[str, float]], seconds: float) -> None:
        """Save a checkpoint now. Raises RunFolderError."""
        started = time.perf_counter()
        save(self.folder, Checkpoint(arrays, rows, seconds, self.config, self.environment))
        self.last = time.perf_counter()
        self.cost = self.last - started

    def is_due(self) -> bool:
        """Return whether another save as long as the last one would keep to `MAX_TIME_SHARE`."""
        return (time.perf_counter() - self.last) * MAX_TIME_SHARE >= self.cost


def _warn(message: str) -> None:
    warnings.warn(escape(message), CifarmlpWarning, stacklevel=3)
