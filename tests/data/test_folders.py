"""CIFAR-10 as folders of PNG files: their order, their pixels, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from helpers.cifar10_files import assert_refused
from PIL import Image

from cifarmlp.data import checks, cifar10, folders

TRAIN, TEST, BATCH = 100, 20, 20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "COUNTS", {"train": TRAIN, "test": TEST})
    monkeypatch.setattr(folders, "ROWS", BATCH)


def images(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 3072) and labels (n,) in the official order, of all classes."""
    rng = np.random.default_rng(len(part))
    n = {"train": TRAIN, "test": TEST}[part]
    labels = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), labels


def write(place: Path, name: str = "{number}_{label}.png", first: int = 1) -> Path:
    for part in ("train", "test"):
        for number, (pixels, label) in enumerate(zip(*images(part), strict=True), first):
            folder = place / part / cifar10.NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(pixels.reshape(3, 32, 32).transpose(1, 2, 0))
            picture.save(folder / name.format(number=number, label=label))
    return place


@pytest.mark.parametrize("name", ["{number}_{label}.png", "{number:05}.png"])
def test_numbered_pictures_come_in_the_order_of_their_numbers(name: str, tmp_path: Path) -> None:
    place = write(tmp_path, name)
    (place / "train/readme.txt").touch()
    (place / "train/airplane/notes.txt").touch()
    assert cifar10.locate(place) == place
    batches = list(cifar10.read(place))
    assert [batch.slot for batch in batches] == list(range(6))
    expected = [np.concatenate(arrays) for arrays in zip(images("train"), images("test"), strict=True)]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), expected[0])
    np.testing.assert_array_equal(np.concatenate([batch.labels for batch in batches]), expected[1])
    assert len(cifar10.files(place)) == 120


def test_the_classes_take_turns_where_names_give_no_order(tmp_path: Path) -> None:
    place = write(tmp_path, "picture-{number:05}.png")
    for _, _, labels in cifar10.read(place):
        assert labels.tolist() == [*range(10)] * 2


def test_batches_come_before_pictures(home: Path) -> None:
    assert cifar10.locate(home) == home / "cifar-10-batches-py"


def test_too_few_pictures(tmp_path: Path) -> None:
    place = write(tmp_path)
    next((place / "train/cat").iterdir()).unlink()
    assert_refused(place, place, "has 99 PNG files in train, not 100")
    (check,) = checks.check_files(place)
    assert (check.usable, "has 99 PNG files" in check.status) == (False, True)


def test_a_class_that_is_missing_is_no_such_folder(tmp_path: Path) -> None:
    place = write(tmp_path)
    (place / "test/truck").rename(place / "test/lorry")
    assert cifar10.locate(place) is None


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"GIF89a" + bytes(50), "half", "large"])
def test_what_is_no_such_picture_is_refused(content: bytes | str, tmp_path: Path) -> None:
    place = write(tmp_path)
    path = sorted((place / "test/ship").iterdir())[0]
    if content == "large":
        Image.fromarray(np.zeros((32, 33, 3), np.uint8)).save(path)
    else:
        path.write_bytes(path.read_bytes()[:500] if content == "half" else content)  # type: ignore[arg-type]
    fault = {"large": "33 x 32 pixels, not 32 x 32", "half": "not a whole PNG picture"}
    assert_refused(place, place, f"'test/ship/{path.name}' is {fault.get(str(content), 'not a PNG picture')}")


def test_verify_goes_through_every_picture(tmp_path: Path) -> None:
    checked = checks.check_files(write(tmp_path))
    assert len(checked) == 6
    assert all(check.usable and "not the official" in check.status for check in checked)
