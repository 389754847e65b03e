"""A search on a Dask cluster of real processes, one of which is killed while it works."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.dask import Dask
from helpers.searching import SEPARATE, ended, place_with, running, search, table, wait_for


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    (tmp_path / "dask").mkdir()
    started = Dask(tmp_path / "dask")
    started.add_workers(2)
    yield started
    started.end()


def test_a_cluster_one_of_whose_workers_is_killed_finds_the_same_as_one_process(
    dask: Dask, tmp_path: Path
) -> None:
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    there, here = (place_with(SEPARATE, tmp_path / name) for name in ("there", "here"))
    with running("c.yaml", "--dask", dask.address, cwd=there) as process:
        wait_for(lambda: ended(there) > 0, process)
        dask.kill_worker()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert search("c.yaml", "--quiet", cwd=here).code == 0
    assert table(there / "runs" / "tiny-001") == table(here / "runs" / "tiny-001")
    assert "best: trial" in out


def test_an_address_where_nobody_listens_is_one_line_and_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cifarmlp", "search", "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: tcp://127.0.0.1:1: no Dask scheduler answers; start one there: dask scheduler"
    ]
    assert list(tmp_path.iterdir()) == []
