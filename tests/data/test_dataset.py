"""Loading, describing and drawing the images."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cifarmlp import data
from cifarmlp.data import batch_files, cifar10, download, synthetic
from cifarmlp.errors import ConfigError, DataError

ROWS = 10_000


def batches() -> Iterator[cifar10.Batch]:
    """Six batches, last first, in which an image's first bytes are its batch and number."""
    for slot in reversed(range(6)):
        pixels = np.zeros((ROWS, 3072), np.uint8)
        pixels[:, 0] = slot
        pixels[:, 1:5] = np.arange(ROWS, dtype=np.uint32)[:, None].view(np.uint8)
        yield cifar10.Batch(slot, pixels, (np.arange(ROWS) % 10).astype(np.uint8))


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, working folder and cache: what lies on this machine is not to be found."""
    for name in ("CIFARMLP_DATA", "CIFARMLP_CACHE", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture(scope="module")
def official_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cifar-10-batches-bin of the batches above."""
    folder = tmp_path_factory.mktemp("official") / "cifar-10-batches-bin"
    folder.mkdir()
    for slot, pixels, labels in batches():
        rows = np.concatenate([labels[:, None], pixels], axis=1)
        (folder / f"{batch_files.BATCHES[slot]}.bin").write_bytes(rows.tobytes())
    return folder


@pytest.fixture(scope="module")
def dataset(official_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> data.Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CIFARMLP_CACHE", str(tmp_path_factory.mktemp("cache")))
        return data.load("cifar10", official_folder)


def numbers(images: data.Images) -> NDArray[np.int64]:
    """Which of the 60000 images these are."""
    within = np.ascontiguousarray(images.pixels[:, 1:5]).view(np.uint32)[:, 0]
    return images.pixels[:, 0].astype(np.int64) * ROWS + within


def test_load(dataset: data.Dataset, official_folder: Path) -> None:
    assert numbers(dataset.train).tolist() == list(range(50_000))
    assert numbers(dataset.test).tolist() == list(range(50_000, 60_000))
    assert dataset.train.labels.tolist() == list(range(10)) * 5000
    assert dataset.train.pixels.dtype == dataset.train.labels.dtype == np.uint8
    assert dataset.names[3] == "cat"
    assert (dataset.source, dataset.official, dataset.place) == ("cifar10", False, str(official_folder))


def test_the_same_images_have_the_same_checksum_elsewhere(
    dataset: data.Dataset, official_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(official_folder, tmp_path / "copy")
    assert data.load("cifar10", copy).checksum == dataset.checksum


def test_one_other_pixel_is_another_checksum(
    dataset: data.Dataset, official_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(official_folder, tmp_path / "copy")
    with (copy / "test_batch.bin").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    assert data.load("cifar10", copy).checksum != dataset.checksum


def test_load_of_another_source() -> None:
    with pytest.raises(ConfigError, match="neither cifar10 nor synthetic"):
        data.load("mnist")


def test_load_synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "batches", batches)
    dataset = data.load("synthetic")
    assert (dataset.names, dataset.source, dataset.place) == (synthetic.NAMES, "synthetic", "")
    assert not dataset.official


def test_downloads_only_on_request(
    official_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def stand_in(folder: Path, *_: object, **__: object) -> Path:
        folders.append(folder)
        return official_folder

    monkeypatch.setattr(download, "fetch", stand_in)
    with pytest.raises(DataError):
        data.load("cifar10")
    assert folders == []
    assert data.load("cifar10", download=True).place == str(official_folder)
    assert data.find_or_fetch(tmp_path / "given") == official_folder
    assert folders == [tmp_path / "home/.cache/cifarmlp", tmp_path / "given"]


# What the commands print


def test_info(official_folder: Path) -> None:
    found = data.info(data.load("cifar10", official_folder))
    assert found["images"]["train"] == dict.fromkeys(cifar10.NAMES, 5000)
    assert found["images"]["test"] == dict.fromkeys(cifar10.NAMES, 1000)
    assert (found["place"], found["official"]) == (str(official_folder), False)
    assert len(found["checksum"]) == 64
    assert found["cache_bytes"] > 184_000_000


def test_verify(official_folder: Path) -> None:
    checks = data.verify(official_folder.parent)
    assert len(checks) == 6
    assert all(check.usable and "not the official" in check.status for check in checks)


def test_verify_looks_through_the_cache_and_removes_what_is_damaged(
    official_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))
    checksum = data.load("cifar10", official_folder).checksum
    *_, entry = data.verify(official_folder)
    assert (entry.status, entry.usable) == ("as decoded", True)
    with (Path(entry.file) / "pixels.npy").open("r+b") as file:
        file.seek(100_000_000)
        file.write(b"\xff\xfe")
    *_, entry = data.verify(official_folder)
    assert (entry.status.partition(",")[0], entry.usable) == ("damaged", False)
    assert not Path(entry.file).exists()
    assert len(data.verify(official_folder)) == 6
    assert data.load("cifar10", official_folder).checksum == checksum


def test_verify_finds_by_itself(official_folder: Path) -> None:
    Path("data").symlink_to(official_folder)
    assert len(data.verify()) == 6


def test_contact_sheet() -> None:
    pixels = np.zeros((4, 3072), np.uint8)
    pixels[3, 1024 + 32 * 2 + 5] = 200
    sheet = data.contact_sheet(data.Images(pixels, np.array([0, 0, 0, 1], np.uint8)), ("a", "b"), per_class=2)
    assert sheet.shape == (2 * 34 + 2, 2 * 34 + 2, 3)
    assert sheet.dtype == np.uint8
    assert sheet[36 + 2, 2 + 5].tolist() == [0, 200, 0]
    assert sheet[0, 0].tolist() == sheet[36, 36].tolist() == [255, 255, 255]


REAL = os.environ.get("CIFARMLP_DATA")


@pytest.mark.cifar10
@pytest.mark.skipif(REAL is None, reason="$CIFARMLP_DATA is not set")
def test_real_images() -> None:
    dataset = data.load("cifar10", Path(REAL or ""))
    assert np.bincount(dataset.train.labels).tolist() == [5000] * 10
    assert dataset.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    mean, std = data.pixel_statistics(dataset.train.pixels)
    channels = mean.reshape(3, 1024).mean(axis=1) / 255
    np.testing.assert_allclose(channels, [0.4914, 0.4822, 0.4465], atol=2e-3)
    assert 50 < std.min() < std.max() < 90
