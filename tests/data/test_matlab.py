"""CIFAR-10 in MATLAB's format: the same images, and damaged or hostile files refused in little memory."""

import io
import struct
import tarfile
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.cifar10_files import MATLAB, assert_refused, pixels_and_labels
from scipy.io import savemat

from cifarmlp import data
from cifarmlp.data import batch_files, cifar10, matlab


def batch(slot: int, compress: bool = False, **changes: Any) -> bytes:
    pixels, labels = pixels_and_labels(slot)
    arrays = {"data": pixels, "labels": labels[:, None], "batch_label": "training batch 1 of 5"} | changes
    file = io.BytesIO()
    there = {name: value for name, value in arrays.items() if value is not None}
    savemat(file, there, do_compression=compress)
    return file.getvalue()


WHOLE = batch(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files are all the same one."""
    first, *others = [tmp_path / MATLAB / f"{name}.mat" for name in batch_files.BATCHES]
    first.parent.mkdir()
    first.write_bytes(WHOLE)
    for path in others:
        path.hardlink_to(first)
    return first.parent


def test_a_folder_is_found_and_read(folder: Path) -> None:
    assert cifar10.locate(folder.parent) == folder
    slots = set()
    for slot, pixels, labels in cifar10.read(folder):
        np.testing.assert_array_equal(pixels, pixels_and_labels(0)[0])
        np.testing.assert_array_equal(labels, pixels_and_labels(0)[1])
        slots.add(slot)
    assert slots == set(range(6))


@pytest.mark.slow
def test_the_same_images_have_the_same_checksum_in_every_form(home: Path, tmp_path: Path) -> None:
    (tmp_path / MATLAB).mkdir()
    for slot, name in enumerate(batch_files.BATCHES):
        (tmp_path / MATLAB / f"{name}.mat").write_bytes(batch(slot))
    archive = tmp_path / "cifar-10-matlab.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        tar.add(tmp_path / MATLAB, MATLAB)
    forms = (tmp_path / MATLAB, archive, home / "cifar-10-batches-bin")
    assert len({data.load("cifar10", form).checksum for form in forms}) == 1
    for form in forms[:2]:
        states = {check.status for check in data.verify(form) if check.file.endswith(".mat")}
        assert states == {"readable, but not the official images"}


def test_compressed_files_are_read() -> None:
    pixels, labels = matlab.loads(batch(3, compress=True))
    np.testing.assert_array_equal(pixels, pixels_and_labels(3)[0])
    np.testing.assert_array_equal(labels, pixels_and_labels(3)[1])
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)


def test_incomplete_folders_say_what_is_missing(folder: Path) -> None:
    (folder / "test_batch.mat").unlink()
    assert batch_files.missing(folder) == ["test_batch.mat"]
    assert cifar10.locate(folder.parent) is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not a MATLAB file"),
        (b"?" * 500, "not a MATLAB file"),
        (WHOLE[: len(WHOLE) // 2], "truncated"),
        (WHOLE[:130], "truncated"),
        (WHOLE[:128], "data is missing"),
        (batch(0, data=None), "data is missing"),
        (batch(0, labels=None), "labels is missing"),
        (batch(0, labels=np.zeros((1, 10_000), np.uint8)), "labels is"),
        (batch(0, data=np.zeros((10_000, 3072), np.int8)), "data is"),
        (batch(0, data=np.zeros((10_000, 3072), np.int16)), "unpacks to more than"),
        (batch(0, labels=np.full((10_000, 1), 10, np.uint8)), "labels other than 0 to 9"),
        (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
    ],
)
def test_what_is_no_batch_is_refused_in_one_line(content: bytes, fault: str, folder: Path) -> None:
    first = folder / "data_batch_1.mat"
    first.unlink()
    first.write_bytes(content)
    assert_refused(folder, first, fault)


def test_bytes_changed_anywhere_are_read_or_refused() -> None:
    rng = np.random.default_rng(4)
    small = batch(0, data=np.zeros((2, 3), np.uint8))
    for _ in range(300):
        changed = bytearray(small)
        for at in rng.integers(0, 400, rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        with pytest.raises(ValueError):  # noqa: PT011 - any, and nothing else
            matlab.loads(bytes(changed))


def test_a_bomb_is_refused_in_little_memory() -> None:
    bomb = zlib.compress(bytes(400_000_000), 1)
    element = struct.pack("<II", 15, len(bomb)) + bomb
    tracemalloc.start()
    with pytest.raises(ValueError, match="unpacks to more than"):
        matlab.loads(WHOLE[:128] + element)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6
