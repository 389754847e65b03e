"""What resuming a training needs, on disk so that a crash at any moment leaves a whole one.

checkpoint.npz is an .npz of plain arrays followed by the SHA-256 of all its bytes, so that nothing of a
truncated or altered file is ever looked at. The one before it is kept as checkpoint.previous.npz.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.errors import CifarmlpWarning, ConfigError, RunFolderError

NEXT, NOW, PREVIOUS = NAMES = ("checkpoint.next.npz", "checkpoint.npz", "checkpoint.previous.npz")
TRAILER = b"sha256:"
MOST_OF_TIME = 0.02  # of a training that may go into saving it


@dataclass(frozen=True)
class Checkpoint:
    """A training on its way. arrays: `Training.state`. rows: of metrics.csv. seconds: trained so far.

    config: the resolved config as YAML. environment: what decides the bits, by name.
    """

    arrays: Mapping[str, NDArray[Any]]
    rows: list[dict[str, float]]
    seconds: float
    config: str
    environment: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Put a checkpoint in the place of the last, which becomes the previous one. Raises RunFolderError."""
    coming, now, previous = (folder / name for name in NAMES)
    about = {name: value for name, value in vars(checkpoint).items() if name != "arrays"}
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=text, **checkpoint.arrays)
    data = buffer.getvalue()
    files.write(coming, lambda file: file.write(data + TRAILER + hashlib.sha256(data).digest()))
    with files.disk_errors(now):
        if now.exists():
            os.replace(now, previous)
        os.replace(coming, now)
        files.sync_folder(folder)


def forget(folder: Path) -> None:
    """Keep the last checkpoint only, as a training has ended."""
    with files.disk_errors(folder):
        (folder / PREVIOUS).unlink(missing_ok=True)


def load(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a run folder, or None; and what was wrong with newer ones."""
    faults: list[str] = []
    for name in NAMES:
        try:
            return _read((folder / name).read_bytes()), faults
        except FileNotFoundError:
            continue  # a crash between the two renames leaves out one name or other
        except (OSError, ValueError) as error:
            faults.append(f"{folder / name}: {getattr(error, 'strerror', None) or error}")
    return None, faults


def _read(data: bytes) -> Checkpoint:
    size = len(data) - len(TRAILER) - hashlib.sha256().digest_size
    content, trailer = data[: max(size, 0)], data[max(size, 0) :]
    if trailer != TRAILER + hashlib.sha256(content).digest():
        raise ValueError("damaged: its checksum is wrong")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            read = dict(arrays)
        return Checkpoint(read, **json.loads(read.pop("about").tobytes()))
    except Exception as error:  # whole, but written by something else
        raise ValueError("not a checkpoint") from error


@dataclass
class Keeper:
    """Saves checkpoints into a folder, as often as `MOST_OF_TIME` permits."""

    folder: Path
    config: str
    environment: dict[str, Any]
    cost: float = 0.0
    last: float = field(default_factory=time.perf_counter)

    def take_up(self, strict: bool = False) -> Checkpoint | None:
        """The folder's last whole checkpoint, if there is one; warns where it is not quite what one expects.

        Raises ConfigError where it is of another config, RunFolderError where, if `strict`, it was made where
        other bits may come out.
        """
        checkpoint, faults = load(self.folder)
        if not checkpoint and not faults and (self.folder / "metrics.csv").exists():
            faults = [f"{self.folder}: there is no checkpoint"]
        then = "going back to the checkpoint before it" if checkpoint else "the training begins anew"
        for fault in faults:
            warnings.warn(f"{fault}; {then}", CifarmlpWarning, stacklevel=2)
        if checkpoint is None:
            return None
        lines = zip(checkpoint.config.splitlines(), self.config.splitlines(), strict=False)
        changed = [f"{old.strip()} there, {new.strip()} here" for old, new in lines if old != new]
        if checkpoint.config != self.config:
            raise ConfigError(f"{self.folder}: its checkpoint is of another config: {'; '.join(changed[:3])}")
        past, here = checkpoint.environment, self.environment
        other = [f"{k} was {past.get(k)}, is {here[k]}" for k in here if past.get(k) != here[k]]
        if other and strict:
            raise RunFolderError(f"{self.folder}: its checkpoint was made elsewhere: {'; '.join(other)}")
        if other:
            told = f"{self.folder}: goes on in another environment, the last digits may differ: "
            warnings.warn(told + "; ".join(other), CifarmlpWarning, stacklevel=2)
        return checkpoint

    def save(self, arrays: Mapping[str, NDArray[Any]], rows: list[dict[str, float]], seconds: float) -> None:
        """Save now. Raises RunFolderError."""
        started = time.perf_counter()
        save(self.folder, Checkpoint(arrays, rows, seconds, self.config, self.environment))
        self.last = time.perf_counter()
        self.cost = self.last - started

    def is_due(self) -> bool:
        """Whether enough time has passed since the last one, by what that one took."""
        return (time.perf_counter() - self.last) * MOST_OF_TIME >= self.cost
