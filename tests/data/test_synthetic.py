"""The synthetic images: the same bits everywhere, in the official shape, readable in the official formats."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cifarmlp.data import cifar10, synthetic
from cifarmlp.errors import DataError

Made = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def made() -> Made:
    return synthetic.make()


def test_the_same_bits_everywhere(made: Made) -> None:
    pixels, labels = made
    digest = hashlib.sha256(pixels.data)
    digest.update(labels.data)
    assert synthetic.KEY == "synthetic-1", "other images need another key"
    assert digest.hexdigest() == "44b40047831fdbbe11bb250c7e71ff0e3d866e079bef218cf86ff0164502f36e"


def test_shapes_and_counts(made: Made) -> None:
    pixels, labels = made
    assert pixels.shape == (60_000, 3072)
    assert pixels.dtype == labels.dtype == np.uint8
    assert len(set(synthetic.NAMES)) == 10
    assert np.bincount(labels[:50_000]).tolist() == [5000] * 10
    assert np.bincount(labels[50_000:]).tolist() == [1000] * 10


def test_no_image_twice_and_none_plain(made: Made) -> None:
    pixels, _ = made
    assert len({row.tobytes() for row in pixels[:, ::16]}) == 60_000
    assert pixels.reshape(60_000, -1)[:, ::8].std(axis=1).min() > 2


def test_every_class_is_spread_over_every_batch(made: Made) -> None:
    counts = [
        np.bincount(made[1][start : start + 10_000], minlength=10) for start in range(0, 60_000, 10_000)
    ]
    assert np.min(counts) > 800


def test_rendered_in_float32() -> None:
    rng = np.random.default_rng(0)
    outline, colour = synthetic.SHAPES["crescent"]
    assert synthetic._background(3, rng).dtype == np.float32
    assert synthetic._coverage(outline, 3, rng).dtype == np.float32
    assert synthetic._colour_near(colour, 3, rng).dtype == np.float32
    assert synthetic._light(3, rng).dtype == np.float32


def test_a_linear_classifier_learns_something_but_not_all(made: Made) -> None:
    """Least squares on 4 x 4 averages: well above chance (0.1), far below what a hidden layer reaches."""
    pixels, labels = made
    small = pixels.reshape(-1, 3, 8, 4, 8, 4).mean(axis=(3, 5)).reshape(60_000, -1) / 255
    features = np.hstack([small, np.ones((60_000, 1))])
    weights, *_ = np.linalg.lstsq(features[:50_000], np.eye(10)[labels[:50_000]])
    accuracy = np.mean((features[50_000:] @ weights).argmax(axis=1) == labels[50_000:])
    assert 0.18 < accuracy < 0.40


@pytest.mark.slow
def test_synthesise_writes_both_official_forms(made: Made, tmp_path: Path) -> None:
    python, binary = synthetic.synthesise(tmp_path / "new")
    assert cifar10.locate(tmp_path / "new") == python
    for folder in (python, binary):
        for slot, pixels, labels in cifar10.read(folder):
            np.testing.assert_array_equal(pixels, made[0][slot * 10_000 : (slot + 1) * 10_000])
            np.testing.assert_array_equal(labels, made[1][slot * 10_000 : (slot + 1) * 10_000])
    batch = pickle.loads((python / "test_batch").read_bytes(), encoding="bytes")
    assert set(batch) == {b"data", b"labels", b"batch_label", b"filenames"}
    assert batch[b"batch_label"] == b"testing batch 1 of 1"
    np.testing.assert_array_equal(batch[b"data"], made[0][50_000:])
    meta = pickle.loads((python / "batches.meta").read_bytes(), encoding="bytes")
    assert meta[b"label_names"] == [name.encode() for name in synthetic.NAMES]
    assert (binary / "batches.meta.txt").read_text().split() == list(synthetic.NAMES)
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(synthetic.FOLDERS)


@pytest.mark.parametrize("name", synthetic.FOLDERS)
def test_synthesise_overwrites_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="exists already"):
        synthetic.synthesise(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.slow
def test_synthesise_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic.pickles, "dumps", full)
    with pytest.raises(DataError, match="No space left"):
        synthetic.synthesise(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_synthesise_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        synthetic.synthesise(tmp_path / "file")
