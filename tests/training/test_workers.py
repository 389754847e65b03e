"""Trainings on a Dask cluster of two real workers with folders of their own."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny
from helpers.dask import Dask

from cifarmlp.errors import DataError
from cifarmlp.parallel import connect
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.seeds import Repeats, begin_repeats, claim_repeats, repeats_to_resume, train_seeds

CONFIG = tiny.config("name=x")


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A cluster whose workers have the tiny images, and wait where a test says so."""
    folder = tmp_path_factory.mktemp("dask")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLD", "step 41")
        started = Dask(folder)
        started.add_workers(2, "--preload", "helpers.small", "--local-directory", str(folder))
    yield started
    started.end()


@pytest.fixture
def cluster(dask: Dask) -> Iterator[Any]:
    """A client of it; no worker waits."""
    for path in dask.folder.glob("held-*"):
        path.unlink()
    (dask.folder / "go").touch()
    with connect(dask.address) as client:
        yield client


def train(cluster: Any, *todo: Repeats, **options: Any) -> Any:
    return train_seeds([(each, tiny.dataset()) for each in todo], None, jobs=2, cluster=cluster, **options)


def test_folders_come_back_whole_with_the_bits_of_one_machine(
    cluster: Any, dask: Dask, tmp_path: Path
) -> None:
    here = tiny.trained(tmp_path / "here", "x", seeds=2)
    repeats, seen = claim_repeats(CONFIG, 2, tmp_path / "runs"), list[int]()
    (outcomes,) = train(cluster, repeats, ended=lambda task, outcome: seen.append(outcome.seed))
    assert [outcome.seed for outcome in outcomes] == sorted(seen) == [1, 2]
    for place in repeats.places():
        assert tiny.results(place) == tiny.results(here / place.name)
        assert {p.name for p in place.iterdir()} | {".lock"} == {
            p.name for p in (here / place.name).iterdir()
        }
        assert read_ended(place) in outcomes
    assert json.loads((repeats.folder / "summary.json").read_text())["n"] == 2
    assert not list(dask.folder.rglob("model.npz"))  # workers leave nothing behind


def test_the_environment_names_the_workers_machine_and_our_command(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cifarmlp", "train", "x"])
    repeats = claim_repeats(CONFIG, 1, tmp_path)
    train(cluster, repeats)
    there = json.loads((repeats.folder / "environment.json").read_text())
    assert (there["host"], there["command"]) == (socket.gethostname(), ["cifarmlp", "train", "x"])
    assert there["blas_threads"] == 1


def test_several_configs_are_trained_at_the_same_time(cluster: Any, dask: Dask, tmp_path: Path) -> None:
    (dask.folder / "go").unlink()
    todo = [claim_repeats(tiny.config(f"name={name}"), 1, tmp_path) for name in "ab"]
    threading.Thread(target=go_when_held, args=(dask, 2)).start()
    results = train(cluster, *todo)
    assert [[outcome.status for outcome in outcomes] for outcomes in results] == [["finished"]] * 2


def go_when_held(dask: Dask, count: int, then: Callable[[], None] = lambda: None) -> None:
    """Let the workers go on once so many of them wait."""
    while len(list(dask.folder.glob("held-*"))) < count:
        time.sleep(0.01)
    then()
    (dask.folder / "go").touch()


def test_an_interrupted_training_comes_back_and_goes_on_to_the_same_bits(
    cluster: Any, dask: Dask, tmp_path: Path
) -> None:
    (dask.folder / "go").unlink()
    repeats, stopped = claim_repeats(CONFIG, 3, tmp_path / "runs"), list[int]()
    told = "cifarmlp.parallel.cluster"
    signalled = f"__import__({told!r}, fromlist=['x'])._signalled"

    def stop() -> int:
        if not stopped and len(list(dask.folder.glob("held-*"))) == 2:
            stopped.append(signal.SIGINT)
            threading.Thread(target=go_when_told).start()
        return stopped[0] if stopped else 0

    def go_when_told() -> None:
        while not all(cluster.run(eval, signalled).values()):
            time.sleep(0.05)
        (dask.folder / "go").touch()

    (outcomes,) = train(cluster, repeats, stop=stop)
    assert [(outcome.seed, outcome.status) for outcome in outcomes][:2] == [
        (1, "interrupted"),
        (2, "interrupted"),
    ]
    assert all(40 <= outcome.steps < 80 for outcome in outcomes[:2])
    assert (repeats.folder / "seed-1" / "checkpoint.npz").exists()
    (outcomes,) = train(cluster, repeats_to_resume(repeats.folder))
    assert [outcome.status for outcome in outcomes] == ["finished"] * 3
    here = tiny.trained(tmp_path / "here", "x", seeds=2)
    for seed in ("seed-1", "seed-2"):
        assert tiny.results(repeats.folder / seed) == tiny.results(here / seed)


def test_a_worker_with_other_images_is_named_and_nothing_is_kept(cluster: Any, tmp_path: Path) -> None:
    repeats = claim_repeats(CONFIG, 1, tmp_path)
    other = replace(tiny.dataset(), checksum="another")
    words = r"^the worker at tcp://127\.0\.0\.1:\d+: synthetic: other images than those that"
    with pytest.raises(DataError, match=words):
        train_seeds([(repeats, other)], None, jobs=2, cluster=cluster)
    assert not (repeats.folder / "model.npz").exists()


def test_what_a_training_left_behind_is_none_of_the_workers(cluster: Any, tmp_path: Path) -> None:
    repeats = Repeats(tmp_path / "x", CONFIG, 1)
    repeats.folder.mkdir()
    begin_repeats(repeats)
    (repeats.folder / "notes.txt").write_text("mine")
    train(cluster, repeats)
    assert (repeats.folder / "notes.txt").read_text() == "mine"
    assert os.listdir(tmp_path) == ["x"]
