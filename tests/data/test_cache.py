"""The cache of decoded images: whole or not at all, decoded once, never in the way."""

import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cifarmlp.data import cache
from cifarmlp.errors import DataError

ROWS = 100


@pytest.fixture(autouse=True)
def small_and_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 100 images instead of 10000, in a cache of each test's own."""
    monkeypatch.setattr(cache, "SHAPE", (6 * ROWS, 3072))
    monkeypatch.setattr(cache, "ROWS", ROWS)
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))


def batches() -> Iterator[cache.Batch]:
    """Six batches, last first, each of its number."""
    for slot in reversed(range(6)):
        yield slot, np.full((ROWS, 3072), slot, np.uint8), (np.arange(ROWS) % 10).astype(np.uint8)


def describe(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, object]:
    return {"checksum": f"{pixels.sum(dtype=np.int64)} {labels.sum()}", "official": False}


def refuse() -> Iterator[cache.Batch]:
    raise AssertionError("decoded again")


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_decodes_once() -> None:
    first = cache.load("some", batches, describe)
    again = cache.load("some", refuse, describe)
    for pixels in (first.pixels, again.pixels):
        assert type(pixels) is np.ndarray, "a map itself is slow to take rows from"
        assert isinstance(pixels.base, np.memmap)
        assert not pixels.flags.writeable
    assert first.notes == again.notes
    np.testing.assert_array_equal(first.labels, again.labels)
    assert cache.size("some") > 600 * 3072


@pytest.mark.parametrize("name", ["pixels.npy", "labels.npy", "notes.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "short", "garbage"])
def test_a_damaged_entry_is_decoded_again(name: str, damage: str) -> None:
    cache.load("some", batches, describe)
    file = cache.cache_dir() / "some" / name
    whole = file.read_bytes() if name != "pixels.npy" else b"\x93NUMPY\x01\x00" + bytes(500)
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "short": whole[: len(whole) // 2], "garbage": b"?" * 100}[damage])
    assert cache.load("some", batches, describe).pixels[-1, 0] == 5
    assert cache.load("some", refuse, describe).pixels[-1, 0] == 5


def test_a_shape_or_a_label_that_cannot_be_is_decoded_again() -> None:
    cache.load("some", batches, describe)
    file = cache.cache_dir() / "some/labels.npy"
    for wrong in (np.zeros(599, np.uint8), np.zeros(600, np.int16), np.full(600, 10, np.uint8)):
        np.save(file, wrong)
        assert cache.load("some", batches, describe).labels.max() == 9


def test_no_pickle_is_ever_opened() -> None:
    cache.load("some", batches, describe)
    np.save(cache.cache_dir() / "some/labels.npy", np.full(600, None), allow_pickle=True)
    assert cache.load("some", batches, describe).labels.max() == 9


def test_an_interrupted_decoding_leaves_nothing() -> None:
    def interrupted() -> Iterator[cache.Batch]:
        yield next(batches())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.load("some", interrupted, describe)
    assert [path.name for path in cache.cache_dir().iterdir() if path.suffix != ".lock"] == []


def test_an_entry_appears_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(*arrays: NDArray[np.uint8]) -> dict[str, object]:
        seen.append((cache.cache_dir() / "some").exists())
        return describe(*arrays)

    monkeypatch.setattr(Path, "rename", full)
    cache.load("some", batches, look)
    assert seen == [False, False]
    assert [path for path in cache.cache_dir().iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("obstacle", ["a file in its place", "a full disk"])
def test_decodes_in_memory_where_nothing_can_be_written(
    obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if obstacle == "a full disk":
        monkeypatch.setattr(cache, "_fill", full)
    else:
        (tmp_path / "file").touch()
        monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        stored = cache.load("some", batches, describe)
    assert stored.pixels[-1, 0] == 5
    assert [record.name for record in caplog.records] == ["cifarmlp.data.cache"]
    assert "cannot be written" in caplog.text
    assert [path for path in cache.cache_dir().glob("*") if path.is_dir()] == []


def test_faults_of_the_data_are_not_taken_for_faults_of_the_cache() -> None:
    def damaged() -> Iterator[cache.Batch]:
        raise DataError("test_batch: damaged")
        yield

    with pytest.raises(DataError, match="test_batch: damaged"):
        cache.load("some", damaged, describe)


def test_several_processes_decode_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=load_and_log, args=(str(log),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text() == "decoded\n"


def load_and_log(log: str) -> None:
    cache.SHAPE, cache.ROWS = (6 * ROWS, 3072), ROWS

    def logged() -> Iterator[cache.Batch]:
        with open(log, "a") as file:
            file.write("decoded\n")
        time.sleep(1)  # long enough for the others to arrive
        return batches()

    assert cache.load("some", logged, describe).pixels[-1, 0] == 5


def test_the_key_changes_with_the_files(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"1")
    other.write_bytes(b"1")
    keys = {cache.key_of("some", [file]), cache.key_of("some", [other]), cache.key_of("some", [file, other])}
    os.utime(file, (1, 1))
    keys.add(cache.key_of("some", [file]))
    file.write_bytes(b"12")
    os.utime(file, (1, 1))
    keys.add(cache.key_of("some", [file]))
    assert len(keys) == 5
    assert cache.key_of("some", [other]) in keys
