"""CIFAR-10 of 120 images, a batch having 20: every reader is told so, and files of every form are written."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet as pq
from scipy.io import savemat

from cifarmlp.data import batch_files, cache, cifar10, dataset, folders, matlab, official, parquet

TRAIN, TEST, BATCH = 100, 20, 20
COUNTS = {"train": TRAIN, "test": TEST}


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (folders, parquet, official, batch_files, cache):
        monkeypatch.setattr(module, "ROWS", BATCH)
    for module in (folders, parquet):
        monkeypatch.setattr(module, "COUNTS", COUNTS)
    monkeypatch.setattr(matlab, "SHAPES", {"data": (BATCH, 3072), "labels": (BATCH, 1)})
    monkeypatch.setattr(cache, "SHAPE", (TRAIN + TEST, 3072))
    monkeypatch.setattr(cache, "PAGES", 20)
    monkeypatch.setattr(dataset, "N_TRAIN", TRAIN)
    monkeypatch.setattr(official, "LABELS_SHA1", [official._sha1(batch(slot)[1]) for slot in range(5)])


def batch(slot: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (20, 3072) and labels (20,) of a batch, of all classes."""
    rng = np.random.default_rng(slot)
    labels = rng.permutation(np.arange(BATCH) % 10).astype(np.uint8)
    return rng.integers(0, 256, (BATCH, 3072), dtype=np.uint8), labels


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(3, 32, 32).transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def write_binary(place: Path) -> Path:
    place.mkdir(parents=True)
    for slot, name in enumerate(batch_files.BATCHES):
        pixels, labels = batch(slot)
        rows = np.concatenate([labels[:, None], pixels], axis=1)
        (place / f"{name}.bin").write_bytes(rows.tobytes())
    return place


def write_matlab(place: Path) -> Path:
    place.mkdir(parents=True)
    for slot, name in enumerate(batch_files.BATCHES):
        pixels, labels = batch(slot)
        savemat(place / f"{name}.mat", {"data": pixels, "labels": labels[:, None]})
    return place


def write_zip(path: Path, folder: Path, top: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in folder.iterdir():
            zipped.write(file, f"{top}{file.name}")
    return path


def write_pictures(place: Path, slots: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Path:
    for part, chosen in (("train", slots), ("test", (5,))):
        number = 0
        for slot in chosen:
            for pixels, label in zip(*batch(slot), strict=True):
                folder = place / part / cifar10.NAMES[label]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{number:05}.png").write_bytes(png(pixels))
                number += 1
    return place


def rows_of(*slots: int) -> tuple[list[bytes | None], list[int | None]]:
    """PNG files and labels of these batches, one after another."""
    pixels, labels = zip(*map(batch, slots), strict=True)
    return [png(row) for part in pixels for row in part], np.concatenate(labels).tolist()


def write_table(path: Path, pictures: list[bytes | None], labels: list[int | None]) -> Path:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": picture, "path": None} for picture in pictures], kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"img": images, "label": pa.array(labels, pa.int64())}), path, row_group_size=30)
    return path


def write_parquet(place: Path, slots: tuple[int, ...] = (0, 1, 2, 3, 4)) -> Path:
    write_table(place / "train-00000-of-00001.parquet", *rows_of(*slots))
    write_table(place / "test-00000-of-00001.parquet", *rows_of(5))
    return place
