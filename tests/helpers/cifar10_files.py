"""CIFAR-10 in its official forms, of random images; and archives, good and bad."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cifarmlp.data import batch_files, cifar10, pickles
from cifarmlp.errors import DataError

PYTHON, BINARY, MATLAB = cifar10.FOLDERS
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")
FIRST = f"{BINARY}/data_batch_1.bin"
PAGE = b"<!DOCTYPE html>\n<html><body>404</body></html>"
Entry = tuple[str, bytes]


def pixels_and_labels(slot: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(slot)
    return rng.integers(0, 256, (10_000, 3072), dtype=np.uint8), rng.integers(0, 10, 10_000, dtype=np.uint8)


def binary(slot: int) -> bytes:
    pixels, labels = pixels_and_labels(slot)
    return np.concatenate([labels[:, None], pixels], axis=1).tobytes()


def write_every_form(place: Path) -> None:
    """Write pickled and binary batches, folders and archives, of random images."""
    for folder in (PYTHON, BINARY):
        (place / folder).mkdir()
    for slot, name in enumerate(batch_files.BATCHES):
        (place / PYTHON / name).write_bytes(pickles.dumps(name, *pixels_and_labels(slot)))
        (place / BINARY / f"{name}.bin").write_bytes(binary(slot))
    for folder, archive in zip((PYTHON, BINARY), ARCHIVES, strict=True):
        with tarfile.open(place / archive, "w:gz", compresslevel=0) as tar:
            tar.add(place / folder, folder)


def archive_of(path: Path, *members: Entry | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def assert_refused(place: Path, file: Path | str, fault: str) -> None:
    """Reading raises a DataError of one line with the file, the fault and the remedy."""
    with pytest.raises(DataError) as caught:
        list(cifar10.read(place))
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert fault in message
    assert "cifarmlp data fetch" in message
    assert "\n" not in message
    assert len(message) < 400
