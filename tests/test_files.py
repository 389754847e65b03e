"""Run folders: claimed once, written whole or not at all."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

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
    with pytest.raises(RunFolderError, match=r"runs: cannot be written: File exists; .*choose another"):
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
