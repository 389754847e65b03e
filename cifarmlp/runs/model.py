"""The arrays of a model.npz, read back with nothing in it trusted."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.errors import RunFolderError
from cifarmlp.nn.types import Float
from cifarmlp.text import escape
from cifarmlp.training.cost import member_bytes
from cifarmlp.training.outcome import MODEL, read_recorded


def read_model(folder: Path, config: Config) -> dict[str, Float]:
    """The arrays of model.npz; nothing in it is ever run.

    Raises RunFolderError where it is not the file that the training wrote, as far as result.json is there to
    tell, or is no such file at all.
    """
    try:
        data = (folder / MODEL).read_bytes()
    except OSError as error:
        raise _damaged(folder, f"cannot be read: {error.strerror}") from error
    _check_unchanged(folder, data)
    try:
        return _arrays(data, member_bytes(config) + 2**20)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(folder, "is damaged") from error


def _check_unchanged(folder: Path, data: bytes) -> None:
    try:
        _, wanted = read_recorded(folder)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{escape(str(folder / 'result.json'))}: damaged; train it anew") from error
    if files.sha256(data) != wanted:
        raise _damaged(folder, "is not what was trained: its checksum is not the one in result.json")


def _arrays(data: bytes, most: float) -> dict[str, Float]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > most:
            raise ValueError("far larger than the network")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _damaged(folder: Path, what: str) -> RunFolderError:
    return RunFolderError(f"{escape(str(folder / MODEL))}: {what}; train it anew")
