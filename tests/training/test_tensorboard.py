"""Event files for TensorBoard: the rows of metrics.csv, live, and after a resume those of it alone."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from helpers.command import cifarmlp

from cifarmlp.training.loop import Training
from cifarmlp.training.metrics import read_metrics

messages = pytest.importorskip("tensorboardX.proto.event_pb2")
record_writer = pytest.importorskip("tensorboardX.record_writer")
pytestmark = pytest.mark.usefixtures("quick_plots")

TRAIN = ["train", "quickstart", *(word for setting in tiny.SETTINGS for word in ("--set", setting))]


def events(folder: Path) -> Iterator[Any]:
    """The events of the only event file of a run, its checksums checked."""
    (path,) = folder.glob("events.out.tfevents.*")
    data = path.read_bytes()
    while data:
        length, length_sum = struct.unpack("<QI", data[:12])
        body, body_sum = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])[0]
        assert record_writer.masked_crc32c(data[:8]) == length_sum
        assert record_writer.masked_crc32c(body) == body_sum
        yield messages.Event.FromString(body)
        data = data[16 + length :]


def rows_of(folder: Path) -> list[dict[str, float]]:
    """The rows that the events hold."""
    found = [event for event in events(folder) if event.summary.value]
    return [{"step": e.step, **{value.tag: value.simple_value for value in e.summary.value}} for e in found]


def rows_in_float32(folder: Path) -> list[dict[str, float]]:
    """The rows of metrics.csv, in the digits that events have."""
    return [{name: float(np.float32(x)) for name, x in row.items()} for row in read_metrics(folder)[0]]


def train(folder: Path, *settings: str, stop_at: int = -1, tensorboard: bool = True) -> None:
    counts: list[int] = []

    def watch(training: Training, record: object) -> None:
        counts.append(training.step)
        if tensorboard:
            steps = [row["step"] for row in read_metrics(folder)[0]]
            assert [row["step"] for row in rows_of(folder)] == steps  # by now, not at the end

    tiny.train_into(
        folder, tiny.config(*settings), tiny.dataset(), 1, watch, lambda: stop_at in counts,
        tensorboard=tensorboard,
    )  # fmt: skip


def test_they_hold_each_row_of_the_metrics_at_once(tmp_path: Path) -> None:
    train(tmp_path, "training.evaluate_test=true")
    assert rows_of(tmp_path) == rows_in_float32(tmp_path)
    assert len(rows_of(tmp_path)) == 7
    assert {"eta", "epoch", "train_cost", "validation_loss", "test_accuracy"} <= set(rows_of(tmp_path)[0])


def test_numbers_that_are_not_finite_stay_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(tmp_path, "network.batch_norm=false", "training.schedule={kind: constant, eta: 1.0e+6, epochs: 1}")
    assert not np.isfinite(rows_of(tmp_path)[-1]["train_loss"])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("begun_with_events", [True, False])
def test_a_resumed_training_has_all_rows_once(begun_with_events: bool, tmp_path: Path) -> None:
    train(tmp_path, stop_at=45, tensorboard=begun_with_events)
    if begun_with_events:  # as of a process that was killed after a row that no checkpoint has
        (path,) = tmp_path.glob("events.out.tfevents.*")
        path.rename(tmp_path / "events.out.tfevents.1.elsewhere")
        with (tmp_path / "metrics.csv").open("a") as file:
            file.write("60,4.0,0.1,1,1,0.1,1,1,0.1\n")
    train(tmp_path)
    assert [row["step"] for row in rows_of(tmp_path)] == [0, 15, 30, 45, 60, 75, 80]
    assert rows_of(tmp_path) == rows_in_float32(tmp_path)
    first = next(event for event in events(tmp_path) if event.HasField("session_log"))
    assert (first.step, first.session_log.status) == (0, messages.SessionLog.START)


def test_the_option_writes_them_for_every_seed_and_changes_no_bit(tmp_path: Path) -> None:
    words = [*TRAIN, "--repeats", "2", "--quiet"]
    assert cifarmlp(*words, "--tensorboard", cwd=tmp_path, on_tiny_images=True).code == 0
    assert cifarmlp(*words, cwd=tmp_path, on_tiny_images=True).code == 0
    with_events, without = (tmp_path / "runs" / f"quickstart-00{n}" for n in (1, 2))
    for seed in ("seed-1", "seed-2"):
        assert rows_of(with_events / seed) == rows_in_float32(with_events / seed)
        assert tiny.results(with_events / seed) == tiny.results(without / seed)
        assert not list((without / seed).glob("events*"))


def test_without_the_writer_it_is_one_line_and_nothing_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    done = cifarmlp("train", "quickstart", "--tensorboard", cwd=tmp_path)
    message = "error: --tensorboard needs tensorboardX: pip install 'cifarmlp[tensorboard]'\n"
    assert (done.code, done.err) == (2, message)
    assert not (tmp_path / "runs").exists()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = record_writer.RecordWriter.flush

    def fail_once(self: object) -> None:
        monkeypatch.setattr(record_writer.RecordWriter, "flush", flush)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_writer.RecordWriter, "flush", fail_once)
    done = cifarmlp(*TRAIN, "--tensorboard", cwd=tmp_path, on_tiny_images=True)
    assert done.code == 4
    assert "cannot be written: No space left on device" in done.err.splitlines()[-1]
