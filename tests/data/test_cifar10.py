"""The official formats: read in every form, refused in one line when damaged."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.cifar10_files import (
    ARCHIVES,
    BINARY,
    FIRST,
    PAGE,
    PYTHON,
    archive_of,
    assert_refused,
    binary,
    pixels_and_labels,
)

from cifarmlp.data import batch_files, checks, cifar10, official
from cifarmlp.errors import DataError


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of one batches folder whose files may be replaced (not written into: they are links)."""

    def copy(name: str) -> Path:
        shutil.copytree(home / name, tmp_path / name, copy_function=os.link)
        return tmp_path / name

    return copy


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("form", [PYTHON, BINARY, *ARCHIVES])
def test_reads_every_form(home: Path, form: str) -> None:
    slots = set()
    for slot, pixels, labels in cifar10.read(home / form):
        expected_pixels, expected_labels = pixels_and_labels(slot)
        np.testing.assert_array_equal(pixels, expected_pixels)
        np.testing.assert_array_equal(labels, expected_labels)
        assert pixels.dtype == labels.dtype == np.uint8
        slots.add(slot)
    assert slots == set(range(6))


@pytest.mark.parametrize("form", ["", PYTHON, BINARY, *ARCHIVES])
def test_locates_every_form(home: Path, form: str) -> None:
    assert cifar10.locate(home / form) == (home / form if form else home / PYTHON)


def test_prefers_a_complete_form(folder: Callable[[str], Path]) -> None:
    (folder(PYTHON) / "test_batch").unlink()
    complete = folder(BINARY)
    assert cifar10.locate(complete.parent) == complete


def test_locates_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    assert cifar10.locate(tmp_path) is None
    assert cifar10.locate(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "0 bytes"),
        (binary(0)[:-1], "30,729,999 bytes"),
        (binary(0) + b"\0", "30,730,001 bytes"),
        (b"\x0a" + binary(0)[1:], "labels other than 0 to 9"),
        (PAGE, "an HTML page"),
        (bytes(65 * 2**20), "far larger"),
    ],
)
def test_a_bad_binary_batch(folder: Callable[[str], Path], content: bytes, fault: str) -> None:
    path = folder(BINARY) / "data_batch_2.bin"
    replace(path, content)
    assert_refused(path.parent, path, fault)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "damaged pickle"),
        (b"\x80\x02cos\nsystem\nU\x04true\x85R.", "asks for a name"),
        (b"\x80\x02}.", "no array"),
        (PAGE, "an HTML page"),
        (bytes(65 * 2**20), "far larger"),
    ],
)
def test_a_bad_pickled_batch(folder: Callable[[str], Path], content: bytes, fault: str) -> None:
    path = folder(PYTHON) / "data_batch_2"
    replace(path, content)
    assert_refused(path.parent, path, fault)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda path: replace(path, path.read_bytes()[:-100_000]), "damaged pickle"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
)
def test_a_batch_that_is_not_whole(
    folder: Callable[[str], Path], change: Callable[[Path], object], fault: str
) -> None:
    path = folder(PYTHON) / "data_batch_3"
    change(path)
    assert_refused(path.parent, path, fault)


def test_official_images_are_recognised_by_their_sha1(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = sorted(cifar10.read(home / PYTHON), key=lambda batch: batch.slot)
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    assert not official.is_official(pixels, labels)
    digests = tuple(hashlib.sha1(binary(slot)).hexdigest() for slot in range(6))
    monkeypatch.setattr(official, "IMAGES_SHA1", digests)
    assert official.is_official(pixels, labels)
    pixels[-1, -1] ^= 1
    assert not official.is_official(pixels, labels)


def test_verify_a_folder(folder: Callable[[str], Path]) -> None:
    place = folder(BINARY)
    (place / "data_batch_5.bin").unlink()
    replace(place / "test_batch.bin", PAGE)
    checked = checks.check_files(place)
    assert [Path(check.file).name for check in checked] == [f"{name}.bin" for name in batch_files.BATCHES]
    assert [check.usable for check in checked] == [True] * 4 + [False] * 2
    assert checked[0].status == "readable, but not the official images"
    assert checked[4].status.startswith("No such file")
    assert checked[5].status.startswith("an HTML page")


def test_verify_an_archive(home: Path) -> None:
    checked = checks.check_files(home / "cifar-10-python.tar.gz")
    assert len(checked) == 7
    assert checked[0].status == "not the official archive"
    assert all(check.usable for check in checked)


def test_verify_an_incomplete_archive(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "cifar-10-binary.tar.gz", (FIRST, binary(0)))
    checked = checks.check_files(path)
    assert [check.usable for check in checked] == [True, True, *[False] * 5]
    assert checked[-1].status == "missing"


def test_verify_a_truncated_archive(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes((home / path.name).read_bytes()[:1000])
    assert [check.usable for check in checks.check_files(path)] == [True, False]


def test_verify_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds none of the folders"):
        checks.check_files(tmp_path)


@pytest.mark.cifar10
@pytest.mark.skipif("CIFARMLP_DATA" not in os.environ, reason="$CIFARMLP_DATA is not set")
def test_real_batches_have_a_thousand_of_each_class_to_test() -> None:
    place = cifar10.locate(Path(os.environ["CIFARMLP_DATA"]))
    assert place is not None
    counts = {slot: np.bincount(labels, minlength=10) for slot, _, labels in cifar10.read(place)}
    assert counts[5].tolist() == [1000] * 10
    assert sum(counts[slot] for slot in range(5)).tolist() == [5000] * 10
    assert all(check.usable for check in checks.check_files(place))
