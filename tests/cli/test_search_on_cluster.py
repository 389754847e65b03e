"""A search on a Dask cluster of real processes, one of which is killed while it works."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.command import cifarmlp_process, until
from helpers.dask import Dask
from helpers.searching import LATE, SEPARATE, place_with, running, search, table


@pytest.fixture
def dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dask]:
    """A cluster whose workers wait in the fourth population for a file `go`."""
    monkeypatch.setenv("HOLD", LATE)
    (tmp_path / "dask").mkdir()
    started = Dask(tmp_path / "dask")
    started.add_workers(2, "--preload", "helpers.search_process")
    yield started
    started.end()


@pytest.mark.slow
def test_a_cluster_one_of_whose_workers_is_killed_finds_the_same_as_one_process(
    dask: Dask, tmp_path: Path
) -> None:
    there, here = (place_with(SEPARATE, tmp_path / name) for name in ("there", "here"))
    with running("c.yaml", "--dask", dask.address, cwd=there) as process:
        until(lambda: any(dask.folder.glob("held-*")), process)
        (worker,) = dask.folder.glob("held-*")
        os.kill(int(worker.name.removeprefix("held-")), signal.SIGKILL)
        (dask.folder / "go").touch()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert search("c.yaml", "--quiet", cwd=here).code == 0
    assert table(there / "runs" / "tiny-001") == table(here / "runs" / "tiny-001")
    assert "best: trial" in out


@pytest.mark.slow
def test_a_worker_with_other_images_ends_the_search_with_its_address(tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    dask = Dask(tmp_path / "dask")
    try:
        dask.add_workers(1)  # which has all of the synthetic images
        with running("c.yaml", "--dask", dask.address, cwd=place_with(SEPARATE, tmp_path)) as process:
            _, err = process.communicate(timeout=240)
    finally:
        dask.end()
    assert process.returncode == 3
    (line,) = err.splitlines()
    assert re.match(
        r"error: the worker at tcp://127\.0\.0\.1:\d+: synthetic: other images than those that", line
    )
    assert (tmp_path / "runs" / "tiny-001" / "search.json").exists()


@pytest.mark.slow
def test_an_address_where_nobody_listens_is_one_line_and_no_folder(tmp_path: Path) -> None:
    done = cifarmlp_process("search", "--dask", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: tcp://127.0.0.1:1: no Dask scheduler answers; start one there: dask scheduler"
    ]
    assert list(tmp_path.iterdir()) == []
