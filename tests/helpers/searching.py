"""Searches as the tests of the command `search` run and read them."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.command import Done, cifarmlp

SEPARATE = """\
name: tiny
data: {source: synthetic, train_batches: [1], validation_batches: [2]}
network: {hidden: [8]}
training: {steps: 60, schedule: {kind: constant, eta: 0.01}}
search:
  coarse:  # in four populations, as different seeds do not go together
    trials: 8
    space:
      training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}
      seed: {grid: [1, 2, 3, 4]}
  fine:
    trials: 4
    centres: 2
    space:
      training.lambda: {uniform_within: 0.001}
"""
Table = dict[int, tuple[str, ...]]


def search(*args: str, cwd: Path, jobs: int = 1) -> Done:
    return cifarmlp("search", *args, "--jobs", str(jobs), cwd=cwd)


@contextmanager
def running(*args: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A search in a process group of its own, which is killed in the end."""
    command = [sys.executable, "-m", "cifarmlp", "search", *args]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=cwd, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(what: Any, process: subprocess.Popen[str]) -> None:
    """Until `what()` is true; fails where the process ends before, or after two minutes."""
    deadline = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials(folder: Path) -> dict[int, dict[str, str]]:
    """The rows of trials.csv by number."""
    return {int(row["trial"]): row for row in rows(folder / "trials.csv")}


def table(folder: Path) -> Table:
    """trials.csv by number, but for the seconds."""
    return {n: tuple(v for key, v in row.items() if key != "seconds") for n, row in trials(folder).items()}


def accuracies(folder: Path) -> list[float]:
    return [float(row["validation_accuracy"]) for row in trials(folder).values()]


def place_with(config: str, path: Path) -> Path:
    (path / "c.yaml").write_text(config)
    return path


def ended(place: Path) -> int:
    """How many trainings have ended so far."""
    return len(rows(place / "runs" / "tiny-001" / "seeds.csv"))
