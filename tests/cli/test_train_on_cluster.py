"""`train` and `study` on a Dask cluster of real processes, some of which are killed."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import cifarmlp_process, until, with_helpers
from helpers.dask import Dask

SETTINGS = [word for setting in tiny.SETTINGS for word in ("--set", setting)]
COMMAND = ["train", "quickstart", *SETTINGS, "--set", "name=x", "--repeats", "2", "--quiet", "--dask"]

pytestmark = pytest.mark.slow


@pytest.fixture
def dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dask]:
    """A cluster whose workers have the tiny images, and wait before step 41 until there is a file `go`."""
    monkeypatch.setenv("HOLD", "step 41")
    (tmp_path / "dask").mkdir()
    started = Dask(tmp_path / "dask")
    started.add_workers(2, "--preload", "helpers.small")
    yield started
    started.end()


@contextmanager
def running(place: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command on the tiny images in a process of its own, which is killed in the end."""
    command, pipe = [sys.executable, "-m", "helpers.small", *words], subprocess.PIPE
    environment = {name: value for name, value in with_helpers().items() if name != "HOLD"}
    with subprocess.Popen(
        command, cwd=place, env=environment, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def waiting(dask: Dask) -> list[int]:
    """The processes that wait."""
    return [int(path.name.removeprefix("held-")) for path in dask.folder.glob("held-*")]


def finished_as_alone(folder: Path, place: Path) -> bool:
    alone = tiny.trained(place / "alone", "x", seeds=2)
    return all(tiny.results(folder / s) == tiny.results(alone / s) for s in ("seed-1", "seed-2"))


def test_trainings_of_a_killed_worker_are_done_by_another(dask: Dask, tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, dask.address) as process:
        until(lambda: len(waiting(dask)) == 2, process)
        os.kill(waiting(dask)[0], signal.SIGKILL)
        (dask.folder / "go").touch()
        _, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    assert finished_as_alone(tmp_path / "runs" / "x-001", tmp_path)


def test_a_dry_run_counts_the_workers(dask: Dask, tmp_path: Path) -> None:
    done = cifarmlp_process(*COMMAND, dask.address, "--dry-run", cwd=tmp_path)
    assert "2 trainings, 80 steps with 2 evaluations\n" in done.out
    assert ", 2 at a time, " in done.out
    assert "for the images" not in done.out
    assert not (tmp_path / "runs").exists()


def test_a_lost_scheduler_is_one_line_with_the_command_that_goes_on(dask: Dask, tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, dask.address) as process:
        until(lambda: len(waiting(dask)) == 2, process)
        dask.scheduler.kill()
        _, err = process.communicate(timeout=240)
    assert process.returncode == 1
    (line,) = err.splitlines()
    said, _, again = line.partition("; to go on: cifarmlp ")
    assert said == "error: the Dask scheduler was lost; see there whether it runs"
    assert again == f"train --resume runs/x-001 --dask {dask.address}"
    (tmp_path / "next").mkdir()
    other = Dask(tmp_path / "next")
    (other.folder / "go").touch()
    try:
        other.add_workers(1, "--preload", "helpers.small")
        words = shlex.split(again.replace(dask.address, other.address))
        with running(tmp_path, *words) as process:
            _, err = process.communicate(timeout=240)
    finally:
        other.end()
    assert process.returncode == 0, err
    assert finished_as_alone(tmp_path / "runs" / "x-001", tmp_path)


def test_workers_of_a_killed_client_are_free_for_the_next_one(dask: Dask, tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, dask.address) as process:
        until(lambda: len(waiting(dask)) == 2, process)
        process.kill()
        process.wait()
    (dask.folder / "go").touch()
    words = ["train", "--resume", "runs/x-001", "--quiet", "--dask", dask.address]
    with running(tmp_path, *words) as process:
        _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert finished_as_alone(tmp_path / "runs" / "x-001", tmp_path)


def test_a_worker_without_images_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    (tmp_path / "dask" / "bare.py").write_text(
        "import cifarmlp.data\n"
        "from cifarmlp.errors import DataError\n"
        "def load(*_, **__): raise DataError('CIFAR-10 was not found; get it: cifarmlp data fetch')\n"
        "cifarmlp.data.load = load\n"
    )
    dask = Dask(tmp_path / "dask")
    try:
        dask.add_workers(1, "--preload", "bare.py")
        with running(tmp_path, *COMMAND, dask.address) as process:
            _, err = process.communicate(timeout=240)
    finally:
        dask.end()
    assert process.returncode == 3
    (line,) = err.splitlines()
    assert line.startswith("error: the worker at tcp://127.0.0.1:")
    assert line.endswith(": CIFAR-10 was not found; get it: cifarmlp data fetch")


STUDY = """\
title: A small one
base: quickstart
repeats: 2
sections:
  - title: Norm
    experiments: [{name: a}, {name: b, set: {network.batch_norm: false}}]
"""


def test_a_study_on_a_cluster_is_that_of_one_machine(dask: Dask, tmp_path: Path) -> None:
    (dask.folder / "go").touch()
    (tmp_path / "s.yaml").write_text(STUDY)
    for out, more in {"there": ["--dask", dask.address], "here": ["--jobs", "1"]}.items():
        words = ["study", "s.yaml", *SETTINGS, "--out", out, *more]
        with running(tmp_path, *words) as process:
            _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert "s-b, seed 2: " in err
        assert "4 of 4 done" in err
    for place in ("a/seed-1", "a/seed-2", "b/seed-1", "b/seed-2"):
        there, here = (tiny.results(tmp_path / out / "s-001" / place) for out in ("there", "here"))
        assert there == here
    assert (tmp_path / "there" / "s-001" / "report.html").exists()


def test_no_cluster_leaves_no_folder(tmp_path: Path) -> None:
    started = time.monotonic()
    done = cifarmlp_process(
        "train", "quickstart", "--dask", "tcp://127.0.0.1:1", cwd=tmp_path, env=with_helpers()
    )
    assert done.code == 2
    assert (
        done.err == "error: tcp://127.0.0.1:1: no Dask scheduler answers; start one there: dask scheduler\n"
    )
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - started < 60
