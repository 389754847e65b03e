"""The cache of decoded images: whole or not at all, decoded once, never in the way."""

import hashlib
import logging
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cifarmlp.data import cache, cache_entries
from cifarmlp.errors import ConfigError, DataError

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
    checksum = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    return {"checksum": checksum, "official": False}


def entry(kind: str = "some") -> Path:
    """The entry of the batches above."""
    _, pixels, labels = zip(*sorted(batches(), key=lambda batch: batch[0]), strict=True)
    checksum = describe(np.concatenate(pixels), np.concatenate(labels))["checksum"]
    return cache.cache_dir() / f"{kind}-{str(checksum)[:16]}"


def refuse() -> Iterator[cache.Batch]:
    raise AssertionError("decoded again")


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_decodes_once() -> None:
    first = cache.load("some-1", batches, describe)
    again = cache.load("some-1", refuse, describe)
    for pixels in (first.pixels, again.pixels):
        assert type(pixels) is np.ndarray, "a map itself is slow to take rows from"
        assert isinstance(pixels.base, np.memmap)
        assert not pixels.flags.writeable
    assert first.notes == again.notes
    np.testing.assert_array_equal(first.labels, again.labels)
    assert cache.size(entry().name) > 600 * 3072


@pytest.mark.parametrize("name", ["pixels.npy", "labels.npy", "notes.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "short", "garbage"])
def test_a_damaged_entry_is_decoded_again(name: str, damage: str) -> None:
    cache.load("some-1", batches, describe)
    file = entry() / name
    whole = file.read_bytes() if name != "pixels.npy" else b"\x93NUMPY\x01\x00" + bytes(500)
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "short": whole[: len(whole) // 2], "garbage": b"?" * 100}[damage])
    assert cache.load("some-1", batches, describe).pixels[-1, 0] == 5
    assert cache.load("some-1", refuse, describe).pixels[-1, 0] == 5


def entry_file(name: str) -> Path:
    return entry() / name


def change(start: int, stop: int) -> None:
    """Write zeros over these bytes of the pixels, as a disk that lost them would have."""
    with entry_file("pixels.npy").open("r+b") as file:
        file.seek(128 + start)
        file.write(bytes(stop - start))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


@pytest.mark.parametrize("part", [(0, 0.5), (0.5, 1), (0.3, 0.4)])
def test_pixels_that_were_lost_are_noticed_told_once_and_decoded_again(
    part: tuple[float, float], caplog: pytest.LogCaptureFixture
) -> None:
    whole = cache.load("some-1", batches, describe)
    size = whole.pixels.size
    change(*(int(share * size) for share in part))
    again = cache.load("some-1", batches, describe)
    np.testing.assert_array_equal(again.pixels, np.repeat(np.arange(6), ROWS)[:, None].repeat(3072, axis=1))
    assert warnings_of(caplog) == [f"{entry()} was damaged: the images are decoded again"]
    cache.load("some-1", refuse, describe)
    assert warnings_of(caplog) == []


def test_other_labels_are_noticed() -> None:
    cache.load("some-1", batches, describe)
    np.save(entry_file("labels.npy"), np.zeros(600, np.uint8))
    assert cache.load("some-1", batches, describe).labels.max() == 9


def test_a_single_byte_is_noticed_within_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "PAGES", 20)  # of 450: as of a real cache, most bytes are in no page
    pixels = cache.load("some-1", batches, describe).pixels
    changed = 5000 + 300 * 3072
    change(changed, changed + 1)
    assert pixels.reshape(-1)[changed] == 0
    assert cache.load("some-1", refuse, describe).pixels.reshape(-1)[changed] == 0, "in no page of the sample"
    assert cache.is_whole(entry(), describe) is False
    a_day_ago = time.time() - cache.MOST_AGE - 1
    os.utime(entry_file("check.json"), (a_day_ago, a_day_ago))
    assert cache.load("some-1", batches, describe).pixels.reshape(-1)[changed] == 3
    assert cache.is_whole(entry(), describe) is True


@pytest.mark.parametrize("damage", ["missing", "{}", "[" * 10_000, "old", "of the future"])
def test_what_was_not_checked_of_late_is_checked_and_noted(damage: str) -> None:
    cache.load("some-1", batches, describe)
    check, checks = entry_file("check.json"), []
    if damage == "missing":
        check.unlink()
    elif damage[0] in "{[":
        check.write_text(damage)
    else:
        when = time.time() + (-2 if damage == "old" else 2) * cache.MOST_AGE
        os.utime(check, (when, when))

    def look(*arrays: NDArray[np.uint8]) -> dict[str, object]:
        checks.append(1)
        return describe(*arrays)

    for _ in range(3):
        assert cache.load("some-1", refuse, look).pixels[-1, 0] == 5
    assert len(checks) == 1


def test_an_entry_that_is_there_needs_neither_its_lock_nor_a_place_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache.load("some-1", batches, describe)
    os.utime(entry_file("check.json"), (0, 0))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "FileLock", refused)
    monkeypatch.setattr(cache.os, "utime", refused)
    monkeypatch.setattr("cifarmlp.files.writing.os.open", refused)
    assert cache.load("some-1", refuse, describe).pixels[-1, 0] == 5


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("mask", "folder", "file"), [(0o022, 0o755, 0o644), (0o002, 0o775, 0o664)])
def test_others_may_read_an_entry_as_the_umask_says(mask: int, folder: int, file: int) -> None:
    before = os.umask(mask)
    try:
        cache.load("some-1", batches, describe)
    finally:
        os.umask(before)
    assert entry().stat().st_mode & 0o777 == folder
    assert {path.stat().st_mode & 0o777 for path in entry().iterdir()} == {file}


def test_all_is_on_the_disk_before_the_entry_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def sync(handle: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)

    def rename(self: Path, target: Path) -> None:
        done.append("renamed")
        os.replace(self, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("names of open files are Linux's")
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "rename", rename)
    cache.load("some-1", batches, describe)
    before = done[: done.index("renamed")]
    assert {"pixels.npy", "labels.npy", "notes.json", "check.json", f"some-1.{os.getpid()}"} <= {*before}


def test_what_a_killed_process_left_is_cleared_away() -> None:
    left = cache.cache_dir() / "some-1.123"
    left.mkdir(parents=True)
    (left / "pixels.npy").touch()
    cache.load("some-1", batches, describe)
    assert not left.exists()


# The list of entries


def test_the_same_images_have_one_entry_whatever_files_they_are_in() -> None:
    for key, of in (("some-1", "/there"), ("some-2", "/here.zip"), ("some-3", "/there")):
        assert cache.load(key, batches, describe, of).entry == entry().name
    assert [path for path in cache.cache_dir().iterdir() if path.is_dir()] == [entry()]
    assert cache.places_of(entry()) == {"some-2": "/here.zip", "some-3": "/there"}, "a place's last state"
    for key in ("some-2", "some-3"):
        assert cache.load(key, refuse, describe).pixels[-1, 0] == 5
    assert cache.entry_of("some-1") is None


def test_other_images_have_another_entry() -> None:
    def others() -> Iterator[cache.Batch]:
        return ((slot, pixels + np.uint8(1), labels) for slot, pixels, labels in batches())

    cache.load("some-1", batches, describe)
    assert cache.load("some-2", others, describe).entry != entry().name
    assert cache.load("some-1", refuse, describe).pixels[-1, 0] == 5
    assert cache.load("some-2", refuse, describe).pixels[-1, 0] == 6


def test_an_entry_in_which_no_place_can_be_noted_serves_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.load("some-1", batches, describe)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("cifarmlp.files.writing.os.open", refused)
    assert cache.load("some-2", batches, describe).pixels[-1, 0] == 5


def test_what_a_killed_process_left_is_no_entry() -> None:
    cache.load("some-1", batches, describe)
    entry().rename(cache.cache_dir() / "some-1.77")
    assert cache.entry_of("some-1") is None


def test_entries_are_listed_the_last_used_first_and_removed() -> None:
    for key, of in (("cifar10-0a", "/there"), ("cifar10-0b", "/here"), ("synthetic-1", "synthetic images")):
        cache.load(key, batches, describe, of)
    cifar10, synthetic = entry("cifar10"), entry("synthetic")
    (cache.cache_dir() / "cifar10-0a.77").mkdir()
    (cache.cache_dir() / "mine").mkdir()
    (cache.cache_dir() / "cifar-10-python.tar.gz").touch()
    os.utime(synthetic / "notes.json", (1, 1))
    cache.load("cifar10-0a", refuse, describe)
    first, second, left = cache_entries.entries()
    assert (first.key, first.of) == (cifar10.name, ("/there", "/here"))
    assert (second.key, second.used) == (synthetic.name, 1)
    assert (left.key, left.bytes) == ("cifar10-0a.77", 0)
    assert first.bytes == cache.size(cifar10.name) > 600 * 3072
    for listed in (first, left):
        cache_entries.remove(listed.key)
    assert [listed.key for listed in cache_entries.entries()] == [synthetic.name]
    names = {path.name for path in cache.cache_dir().iterdir() if path.suffix != ".lock"}
    assert names == {synthetic.name, "mine", "cifar-10-python.tar.gz"}


@pytest.mark.parametrize("key", ["mine", "..", "../cache/synthetic-1", "", "/", "cifar10-0b"])
def test_nothing_else_is_removed(key: str) -> None:
    (cache.cache_dir() / "mine").mkdir(parents=True)
    with pytest.raises(ConfigError, match="has no entry"):
        cache_entries.remove(key)
    assert (cache.cache_dir() / "mine").exists()


def test_an_entry_with_odd_notes_is_listed() -> None:
    for number, notes in enumerate([b"", b"[1]", b'{"of": 5}', b'{"of": {"a": 5}}', b"[" * 100_000, b"\xff"]):
        folder = cache.cache_dir() / f"cifar10-{number}"
        folder.mkdir(parents=True)
        (folder / "notes.json").write_bytes(notes)
    assert len(cache_entries.entries()) == 6


def test_a_cache_that_is_not_there_has_no_entries() -> None:
    assert cache_entries.entries() == []


def test_a_shape_or_a_label_that_cannot_be_is_decoded_again() -> None:
    cache.load("some-1", batches, describe)
    file = entry() / "labels.npy"
    for wrong in (np.zeros(599, np.uint8), np.zeros(600, np.int16), np.full(600, 10, np.uint8)):
        np.save(file, wrong)
        assert cache.load("some-1", batches, describe).labels.max() == 9


def test_no_pickle_is_ever_opened() -> None:
    cache.load("some-1", batches, describe)
    np.save(entry() / "labels.npy", np.full(600, None), allow_pickle=True)
    assert cache.load("some-1", batches, describe).labels.max() == 9


def test_an_interrupted_decoding_leaves_nothing() -> None:
    def interrupted() -> Iterator[cache.Batch]:
        yield next(batches())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.load("some-1", interrupted, describe)
    assert [path.name for path in cache.cache_dir().iterdir() if path.suffix != ".lock"] == []


def test_an_entry_appears_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(*arrays: NDArray[np.uint8]) -> dict[str, object]:
        seen.append(entry().exists())
        return describe(*arrays)

    monkeypatch.setattr(Path, "rename", full)
    cache.load("some-1", batches, look)
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
        stored = cache.load("some-1", batches, describe)
    assert stored.pixels[-1, 0] == 5
    assert [record.name for record in caplog.records] == ["cifarmlp.data.cache"]
    assert "cannot be written" in caplog.text
    assert [path for path in cache.cache_dir().glob("*") if path.is_dir()] == []


def test_faults_of_the_data_are_not_taken_for_faults_of_the_cache() -> None:
    def damaged() -> Iterator[cache.Batch]:
        raise DataError("test_batch: damaged")
        yield

    with pytest.raises(DataError, match="test_batch: damaged"):
        cache.load("some-1", damaged, describe)


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

    assert cache.load("some-1", logged, describe).pixels[-1, 0] == 5


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


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no list of what is mapped")
def test_an_entry_gets_its_name_while_none_of_its_files_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    rename, named = Path.rename, []

    def rename_unmapped(path: Path, target: Path) -> Path:
        assert str(path) not in Path("/proc/self/maps").read_text(), "Windows refuses that"
        named.append(target.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_unmapped)
    assert cache.load("a-1", batches, describe).pixels[-1, 0] == 5
    assert named == [entry("a").name]
