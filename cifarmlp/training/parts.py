"""The files of a run folder as bytes, to be sent to another machine and back.

What comes from there is written only if it is what a training can leave: such names, and bounded sizes.
"""

import os
import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cifarmlp import files
from cifarmlp.errors import RunFolderError
from cifarmlp.text import quote

# Patterns of a training's files with the most bytes of each, in the order in which they are put in place:
# a process that is killed meanwhile leaves a training to resume, and with result.json it has ended.
MOST = {
    r"checkpoint(\.previous|\.next)?\.npz": files.MOST_ARRAYS,
    r"snapshot-\d{1,10}\.npz": files.MOST_ARRAYS,
    r"config\.yaml": files.MOST_JSON,
    r"environment\.json": files.MOST_JSON,
    r"metrics\.csv": files.MOST_CSV,
    r"batch_loss\.csv": files.MOST_CSV,
    r"curves\.png": files.MOST_CSV,
    r"model\.npz": files.MOST_ARRAYS,
    r"result\.json": files.MOST_JSON,
}
STAGE = ".arrival"

Parts = Mapping[str, bytes]


def is_part(name: str) -> bool:
    """Return whether a training leaves files of this name.

    >>> is_part("snapshot-900.npz"), is_part("../model.npz"), is_part(".owner.json")
    (True, False, False)
    """
    return _pattern(name) is not None


def _pattern(name: str) -> str | None:
    return next((pattern for pattern in MOST if re.fullmatch(pattern, name, re.ASCII)), None)


def read_parts(folder: Path) -> dict[str, bytes]:
    """Return the training's files in a folder by their names; none if there is no such folder.

    Raises RunFolderError if one cannot be read, is larger than it can be, or is a folder or device.
    """
    try:
        names = [path.name for path in folder.iterdir()] if folder.exists() else []
        found = [(name, pattern) for name in names if (pattern := _pattern(name))]
        return {name: files.read_bytes(folder / name, MOST[pattern]) for name, pattern in found}
    except OSError as error:
        raise RunFolderError(f"{error.filename or folder} cannot be read: {error.strerror}") from error


def write_parts(folder: Path, parts: Parts) -> None:
    """Write a training's files into a folder: all of them or, where one is refused or fails, none.

    The folder is made if it is missing. Raises RunFolderError.
    """
    _refuse_others(folder, parts)
    stage = files.make_folder(folder) / STAGE
    with files.disk_errors(folder):
        shutil.rmtree(stage, ignore_errors=True)  # of a process that was killed
        stage.mkdir()
    try:
        for name, data in parts.items():
            files.write(stage / name, partial(_fill, data))
        with files.disk_errors(folder):
            for name in sorted(parts, key=_rank):
                os.replace(stage / name, folder / name)
            files.sync_folder(folder)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _refuse_others(folder: Path, parts: Parts) -> None:
    for name, data in parts.items():
        pattern = _pattern(name)
        if pattern is None:
            raise RunFolderError(f"{folder}: a worker sent {quote(name)}, which is no file of a training")
        if len(data) > MOST[pattern]:
            raise RunFolderError(f"{folder}: a worker sent a {name} of {len(data)} bytes, too many for one")


def _fill(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _rank(name: str) -> int:
    return [*MOST].index(_pattern(name) or "")
