"""A run folder as bytes: what is sent comes out the same, and what no training leaves is refused."""

from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp import files
from cifarmlp.errors import RunFolderError
from cifarmlp.training import parts
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.parts import read_parts, write_parts


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_all_files_of_a_training_come_out_the_same_and_no_others(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "x", "training.snapshots=true")
    own = contents(folder)
    (folder / "notes.txt").write_text("mine")
    write_parts(tmp_path / "there" / "x", read_parts(folder))
    assert contents(tmp_path / "there" / "x") == {n: data for n, data in own.items() if n != ".lock"}
    assert len(own) >= 8
    assert read_ended(tmp_path / "there" / "x") == read_ended(folder)


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert read_parts(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    "name",
    ["../model.npz", "/tmp/model.npz", "a/model.npz", "snapshot-/../x.npz", ".lock", "model.npz\n", ""],
)
def test_a_name_that_no_training_has_is_refused_with_all_the_rest(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "runs" / "x"
    with pytest.raises(RunFolderError, match="which is no file of a training") as caught:
        write_parts(folder, {"config.yaml": b"seed: 1", name: b""})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.rglob("*")) == []


def test_a_file_that_is_too_large_is_refused_here_and_there(tmp_path: Path) -> None:
    data = b" " * (files.MOST_JSON + 1)
    with pytest.raises(RunFolderError, match=r"a result\.json of 1048577 bytes, too many for one"):
        write_parts(tmp_path, {"result.json": data})
    (tmp_path / "result.json").write_bytes(data)
    with pytest.raises(RunFolderError, match=r"result\.json cannot be read: larger than 1 MB"):
        read_parts(tmp_path)


def test_a_disk_that_fails_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.npz").write_bytes(b"old")

    def fail(path: Path, fill: object) -> None:
        if path.name == "result.json":
            raise RunFolderError("no space left")
        path.write_bytes(b"new")

    monkeypatch.setattr(parts.files, "write", fail)
    with pytest.raises(RunFolderError, match="no space left"):
        write_parts(tmp_path, {"model.npz": b"new", "result.json": b"new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"model.npz": b"old"}


def test_with_the_last_file_in_place_the_training_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace = parts.os.replace
    monkeypatch.setattr(parts.os, "replace", lambda a, b: (moved.append(Path(b).name), replace(a, b)))
    write_parts(tmp_path, dict.fromkeys(["result.json", "model.npz", "config.yaml", "checkpoint.npz"], b""))
    names = [name for name in moved if not name.startswith(".")]
    assert names[-4:] == ["checkpoint.npz", "config.yaml", "model.npz", "result.json"]


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "result.json").symlink_to(tmp_path / "mine")
    write_parts(tmp_path / "x", {"result.json": b"{}"})
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "x" / "result.json").read_bytes() == b"{}"
