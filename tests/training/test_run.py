"""One training in its run folder: what is written when, resumed to the same bits; how it may end."""

import csv
import dataclasses
import itertools
import json
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from helpers import tiny

from cifarmlp import files
from cifarmlp.config import Config, digest
from cifarmlp.errors import CifarmlpWarning, RunFolderError
from cifarmlp.files import sha256
from cifarmlp.training import checkpoint, environment, run
from cifarmlp.training.checkpoint import NAMES, NOW, PREVIOUS
from cifarmlp.training.loop import Training
from cifarmlp.training.outcome import Outcome, read_recorded
from cifarmlp.training.together import train_together

pytestmark = pytest.mark.usefixtures("quick_plots")

DATASET = tiny.dataset()
DIVERGING = (
    "network.batch_norm=false",
    "training.schedule={kind: constant, eta: 1.0e+6, epochs: 1}",
)
DEAD = ("network.init={sigma: 1.0e-30}", "network.batch_norm=false", "training.lambda=0.0")


def train(
    folder: Path, config: Config | None = None, stop: Callable[[Training], bool] = lambda training: False
) -> Outcome:
    """Train into a folder; the training ends early once `stop` is true of it at a record."""
    reasons: list[bool] = []
    folder.mkdir(exist_ok=True)
    return tiny.train_into(
        folder,
        config or tiny.config(),
        DATASET,
        threads=1,
        watch=lambda training, record: reasons.extend([True] if stop(training) else []),
        stop=lambda: bool(reasons),
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert train(folder).status == "finished"
    return folder


@pytest.fixture
def interrupted(tmp_path: Path, at_every_record: None) -> Path:
    """A folder with a checkpoint and the one before it, of a training that ended in its fourth epoch."""
    folder = tmp_path / "run"
    assert train(folder, stop=lambda training: training.step >= 3 * tiny.EPOCH).status == "interrupted"
    assert (folder / PREVIOUS).exists()
    return folder


# Files


def table_of_files() -> list[str]:
    """Names in the table of the module's docstring, in its order."""
    assert run.__doc__
    return re.findall(r"^    ([a-z_]*\.[a-z.]+) ", run.__doc__, re.MULTILINE)


def test_files_are_written_in_the_order_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    write = files.write

    def note(path: Path, fill: Callable[[BinaryIO], object]) -> None:
        names.append(path.name.replace(".next", ""))
        write(path, fill)

    monkeypatch.setattr(files, "write", note)
    for module in (files.writing, files.pictures):
        monkeypatch.setattr(module, "write", note)
    train(tmp_path)
    assert [".lock", *dict.fromkeys(names)] == table_of_files()
    assert names[-2:] == ["result.json", "curves.png"]
    assert {path.name for path in tmp_path.iterdir()} == {*table_of_files()} - {".owner.json"}


def test_metrics_are_there_to_follow_while_it_trains(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look(training: Training) -> bool:
        header, *rows = (tmp_path / "metrics.csv").read_text().splitlines()
        assert header.startswith("step,epoch,eta,train_cost")
        assert rows[-1].startswith(f"{training.step},")
        seen.append(rows)
        return False

    train(tmp_path, stop=look)
    assert [len(rows) for rows in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert all(later[: len(rows)] == rows for rows, later in itertools.pairwise(seen))


def test_eta_is_written_in_the_fewest_digits_that_are_the_float32_used(tmp_path: Path) -> None:
    rates: list[np.float32] = []
    config = tiny.config("training.schedule={kind: constant, eta: 0.1, decay: 0.3, epochs: 4}")
    train(tmp_path, config, stop=lambda training: rates.append(training.eta()[0]) is not None)
    with (tmp_path / "metrics.csv").open() as file:
        texts = [row["eta"] for row in csv.DictReader(file)]
    assert [np.float32(text) for text in texts] == rates
    assert texts[:3] == ["0.1", "0.03", "0.009"]


def test_a_folder_has_one_owner_at_a_time_who_is_told(tmp_path: Path) -> None:
    with files.lock(tmp_path):
        message = rf"process {os.getpid()} on .* is at work in it since \d{{4}}-"
        with pytest.raises(RunFolderError, match=message):
            train(tmp_path)
        (tmp_path / ".owner.json").write_text("{")
        with pytest.raises(RunFolderError, match="another process is at work in it"), files.lock(tmp_path):
            pass
    with files.lock(tmp_path):
        assert json.loads((tmp_path / ".owner.json").read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_the_environment_says_which_config_was_trained(uninterrupted: Path) -> None:
    there = environment.read_environment(uninterrupted)
    assert there is not None
    assert there.config == digest(tiny.config())
    assert (there.blas_threads, there.data.source, there.code) == (1, "synthetic", environment.code_digest())


# Outcomes


@pytest.mark.parametrize(
    ("settings", "status", "advice"),
    [
        ((), "finished", None),
        (DIVERGING, "diverged", "diverged at step "),
        (DEAD, "finished", "never left chance level"),
        (("training.steps=0",), "finished", None),
    ],
)
def test_an_outcome_says_how_it_went_and_is_that_of_a_population_of_one(
    settings: tuple[str, ...], status: str, advice: str | None, tmp_path: Path
) -> None:
    config = tiny.config(*settings)
    alone = train(tmp_path, config)
    (member,) = train_together([config], DATASET)
    assert alone.status == status
    assert (alone.diverged_at is not None) == (status == "diverged")
    assert alone.at_chance == bool(alone.layers) == (settings == DEAD)
    assert alone.advice[0].startswith(advice) if advice else alone.advice == []
    for name in ("status", "steps", "epochs", "seed", "diverged_at"):
        assert getattr(member, name) == getattr(alone, name)
    metrics = [
        {part: repr(each.metrics[part]) for part in ("train", "validation")} for each in (alone, member)
    ]
    assert metrics[0] == metrics[1]
    assert {*alone.metrics} - {*member.metrics} == {"test"}
    there, checksum = read_recorded(tmp_path)
    assert repr(there) == repr(alone)
    assert checksum == sha256((tmp_path / "model.npz").read_bytes())


@pytest.mark.parametrize("step", [0, 3 * tiny.EPOCH, tiny.STEPS])  # at the last one, within the test images
def test_an_interrupted_training_has_no_test_metrics_nor_curves(
    step: int, tmp_path: Path, uninterrupted: Path
) -> None:
    outcome = train(tmp_path, stop=lambda training: training.step >= step)
    assert outcome.status == "interrupted"
    assert step <= outcome.steps <= step + 1
    assert set(outcome.metrics) == {"train", "validation"}
    assert not (tmp_path / "curves.png").exists()
    assert train(tmp_path).status == "finished"
    assert tiny.results(tmp_path) == tiny.results(uninterrupted)


# Resumed


@pytest.mark.parametrize("damaged", [[], [NOW], [PREVIOUS], [NOW, PREVIOUS]])
def test_a_training_with_damaged_checkpoints_comes_to_the_same_bits(
    damaged: list[str], interrupted: Path, uninterrupted: Path
) -> None:
    for name in damaged:
        data = (interrupted / name).read_bytes()
        (interrupted / name).write_bytes(data[:-1])
    steps: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CifarmlpWarning)
        outcome = train(interrupted, stop=lambda training: bool(steps.append(training.step)))  # type: ignore[func-returns-value]
    assert outcome.status == "finished"
    assert steps[0] == (0 if len(damaged) == 2 else 4 * tiny.EPOCH)
    assert tiny.results(interrupted) == tiny.results(uninterrupted)


def test_later_or_torn_rows_and_stray_files_do_not_outlast_a_resume(
    interrupted: Path, uninterrupted: Path
) -> None:
    with (interrupted / "metrics.csv").open("a") as file:
        file.write("60,4.0,0.1,1.2")
    (interrupted / ".model.npz.abc.tmp").write_bytes(b"half")
    assert train(interrupted).status == "finished"
    assert tiny.results(interrupted) == tiny.results(uninterrupted)
    assert not list(interrupted.glob(".*.tmp"))


@pytest.mark.usefixtures("at_every_record")
def test_a_training_whose_last_record_was_saved_makes_its_files_whole(
    tmp_path: Path, uninterrupted: Path
) -> None:
    assert train(tmp_path).status == "finished"
    saved, _ = checkpoint.load(tmp_path)
    assert saved is not None
    assert int(saved.arrays["recorded"]) == tiny.STEPS
    for name in ("result.json", "model.npz", "curves.png"):
        (tmp_path / name).unlink()
    (tmp_path / "metrics.csv").write_text("step,epo")
    assert train(tmp_path).status == "finished"
    assert tiny.results(tmp_path) == tiny.results(uninterrupted)


def test_the_checkpoint_of_another_version_is_refused_in_one_line(interrupted: Path) -> None:
    saved, _ = checkpoint.load(interrupted)
    assert saved is not None
    more = {**saved.arrays, "V1": np.zeros(1)}
    checkpoint.save(interrupted, dataclasses.replace(saved, arrays=more))
    with pytest.raises(RunFolderError, match=r"cannot be used: .*does not fit"):
        train(interrupted)


def test_without_a_checkpoint_the_training_begins_anew_with_a_warning(
    interrupted: Path, uninterrupted: Path
) -> None:
    for name in NAMES:
        (interrupted / name).unlink(missing_ok=True)
    with pytest.warns(CifarmlpWarning, match="there is no checkpoint; the training begins anew"):
        train(interrupted)
    assert tiny.results(interrupted) == tiny.results(uninterrupted)
