"""Searches as the tests of the command `search` run and read them, on a few of the synthetic images."""

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

from cifarmlp.data import Dataset, Images, synthetic
from helpers.command import Done, cifarmlp, with_helpers

SEPARATE = """\
name: tiny
data: {source: synthetic, validation: 400}
network: {hidden: [8]}
training: {schedule: {kind: constant, eta: 0.01}}
search:
  coarse:  # in four populations, as trainings of different lengths do not go together
    trials: 8
    space:
      training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}
      training.steps: {grid: [40, 45, 50, 60]}
  fine:
    trials: 4
    centres: 2
    space:
      training.lambda: {uniform_within: 0.001}
"""
LATE = "step 55"  # of its fourth population only
PROCESS = Path(__file__).with_name("search_process.py")
Table = dict[int, tuple[str, ...]]


@cache
def _few_images() -> Dataset:
    with mock.patch.multiple(synthetic, N_TRAIN=1400, N_TEST=100):
        pixels, labels = synthetic.make()
    train, test = (Images(pixels[part], labels[part]) for part in (slice(1400), slice(1400, None)))
    return Dataset(train, test, synthetic.NAMES, "synthetic", "of 1,400", False, "", "none")


def few_images(*_: object, **__: object) -> Dataset:
    """1,400 training and 100 test images, on which rounding stays rounding; can stand in for `data.load`."""
    return _few_images()


def on_few_images(*words: object, cwd: Path, err: io.StringIO | None = None) -> Done:
    """Run a command in this process."""
    with ExitStack() as patches:
        for module in ("search.run", "search.worker", "data"):
            patches.enter_context(mock.patch(f"cifarmlp.{module}.load", few_images))
        return cifarmlp(*words, cwd=cwd, err=err)


def search(*args: object, cwd: Path, code: int = 0, err: io.StringIO | None = None) -> Done:
    """Run the command `search` in this process, in one job. code: the exit code that it must have."""
    done = on_few_images("search", *args, "--jobs", 1, cwd=cwd, err=err)
    assert done.code == code, done.err
    return done


@contextmanager
def running(
    *args: str, cwd: Path, module: str = "helpers.search_process", **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the command `search` in a process group of its own, which is killed in the end."""
    command, environment = [sys.executable, "-m", module, "search", *args], with_helpers(**variables)
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def trials(folder: Path) -> dict[int, dict[str, str]]:
    """The rows of trials.csv by number."""
    return {int(row["trial"]): row for row in rows(folder / "trials.csv")}


def seeds(folder: Path) -> dict[tuple[int, int], dict[str, str]]:
    """The rows of seeds.csv by trial and seed."""
    return {(int(row["trial"]), int(row["seed"])): row for row in rows(folder / "seeds.csv")}


def table(folder: Path) -> Table:
    """trials.csv by number, but for the seconds."""
    return {n: tuple(v for key, v in row.items() if key != "seconds") for n, row in trials(folder).items()}


def accuracies(folder: Path) -> list[float]:
    """The validation accuracy of each trial."""
    return [float(row["validation_accuracy"]) for row in trials(folder).values()]


def place_with(config: str, path: Path) -> Path:
    """The folder, with the config as c.yaml."""
    path.mkdir(exist_ok=True)
    (path / "c.yaml").write_text(config)
    return path


def count_ended(place: Path) -> int:
    """How many trainings have ended so far."""
    return len(rows(place / "runs" / "tiny-001" / "seeds.csv"))
