"""Run folders: claimed once, written whole or not at all."""

import errno
import json
import math
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from cifarmlp import files
from cifarmlp.errors import RunFolderError


def test_names_count_up_from_what_is_there(tmp_path):
    assert files.claim(tmp_path / "runs", "a").name == "a-001"
    assert files.claim(tmp_path / "runs", "a").name == "a-002"
    (tmp_path / "runs" / "a-041").mkdir()
    (tmp_path / "runs" / "ab-900").mkdir()
    assert files.claim(tmp_path / "runs", "a").name == "a-042"


def test_a_hundred_claims_at_once_get_a_hundred_folders(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: files.claim(tmp_path, "run"), range(100)))
    assert len(set(folders)) == 100


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(
        RunFolderError,
        match=r"runs: cannot be written: there is something that is no folder; ",
    ):
        files.claim(tmp_path / "runs", "a")


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "old")

    def fail(file):
        file.write(b"new, but")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunFolderError, match="No space left on device"):
        files.write(path, fail)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_nan_becomes_null_at_any_depth(tmp_path):
    files.write_json(tmp_path / "a.json", {"x": [math.nan, {"y": math.inf}], "z": 1.5})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [None, {"y": None}], "z": 1.5}


def test_floats_in_rows_read_back_the_same(tmp_path):
    values = [0.1, 1 / 3, math.pi * 1e-20]
    files.write_rows(tmp_path / "m.csv", [{"step": n, "loss": x} for n, x in enumerate(values)])
    lines = (tmp_path / "m.csv").read_text().splitlines()
    assert lines[0] == "step,loss"
    assert [float(line.split(",")[1]) for line in lines[1:]] == values


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        files.write_arrays(tmp_path / f"{name}.npz", {"W1": np.arange(6.0).reshape(2, 3)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


# Shared disks


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_as_the_umask_says(umask: int, mode: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "a", "text")
        folder = files.make_folder(tmp_path / "b")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.skipif(os.name != "posix", reason="folders can be synced on POSIX only")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_disk_that_cannot_sync_folders_or_change_modes_is_good_enough(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "fsync", only_files)
    files.write_text(tmp_path / "a", "text")
    files.sync_folder(tmp_path)
    assert (tmp_path / "a").read_text() == "text"


def test_a_folder_that_fails_to_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        files.sync_folder(tmp_path)


# Reading


class Note(BaseModel):
    """A file of ours."""

    seed: int
    words: list[str] = []


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "Is a directory"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a link to itself": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "a terabyte of nothing": (sparse, "larger than"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_file_or_has_no_end_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    make, reason = STRANGE[kind]
    make(tmp_path / "a.json")
    started = time.monotonic()
    with pytest.raises(OSError, match=reason):
        files.read_bytes(tmp_path / "a.json", files.MOST_ARRAYS)
    with pytest.raises(RunFolderError, match=rf"^{tmp_path}/a\.json cannot be read: {reason}[^\n]*$"):
        files.read_json(tmp_path / "a.json", Note)
    rows, (fault,) = files.read_rows(tmp_path / "a.json", dict)
    assert (rows, fault.startswith(f"a.json cannot be read: {reason}")) == ([], True)
    assert time.monotonic() - started < 1


def test_json_is_a_model_or_damaged_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert files.read_json(path, Note) is None
    path.write_text('{"seed": 1, "words": ["a"]}')
    assert files.read_json(path, Note) == Note(seed=1, words=["a"])
    path.write_text('{"seed": 1, "words": ["a", 2]}')
    with pytest.raises(
        RunFolderError, match=r"/a\.json is damaged: words\.1: Input should be a valid string$"
    ):
        files.read_json(path, Note)


def test_a_row_that_does_not_fit_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    assert files.read_rows(path, dict) == ([], [])
    path.write_bytes(b"step,loss\n1,2.5\n2\n3,x\n4,5,6\n\xff\x00,7\n8,9.5")
    rows, faults = files.read_rows(path, lambda row: (int(row["step"]), float(row["loss"])))
    assert rows == [(1, 2.5), (8, 9.5)]
    assert [fault.split(":")[:2] for fault in faults] == [
        ["m.csv is damaged", f" line {line}"] for line in (3, 4, 5, 6)
    ]
    assert faults[0].endswith("line 3: not as many values as columns")
    assert all(fault.isprintable() for fault in faults)
    _, missing = files.read_rows(path, lambda row: row["epoch"])
    assert missing[0] == "m.csv is damaged: line 2: there is no column 'epoch'"


def test_a_file_with_nothing_but_damage_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"step,loss\n" + b"x\n" * 2**22)
    started = time.monotonic()
    rows, faults = files.read_rows(tmp_path / "m.csv", dict)
    assert (len(rows), len(faults), time.monotonic() - started < 1) == (0, 100, True)
