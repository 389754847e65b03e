"""A study carried out by a program: what it leaves, what it is called back with, what can't be trained."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cifarmlp.study import run
from cifarmlp.study.folder import load_study_folder, read_record
from cifarmlp.study.load import LoadedStudy
from cifarmlp.study.plan import StudyPlan, plan_study
from cifarmlp.study.run import Stopwatch, StudyEvents, run_study
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.workers import SeedTask

pytestmark = pytest.mark.usefixtures("_tiny_images")


def test_a_study_is_carried_out_and_then_there_is_nothing_left(loaded: LoadedStudy, tmp_path: Path) -> None:
    out, calls = tmp_path / "runs", list[str]()

    def start(plan: StudyPlan, tasks: Sequence[SeedTask]) -> None:
        calls.append(f"{len(tasks)} of {len(plan.trainings)}")

    def training(task: SeedTask, outcome: Outcome) -> None:
        calls.append(f"{task.config.name} {outcome.seed}")

    events = StudyEvents(start, training)
    assert run_study(plan_study(loaded, out), out, events=events) == (out / "small-001", {})
    assert calls == ["5 of 5", "small-a 1", "small-b 1", "small-b 2", "small-c 7", "small-c 8"]
    record = read_record(out / "small-001")
    assert record.status == "finished"
    assert list(load_study_folder(out / "small-001").experiments) == ["a", "b", "c"]
    calls.clear()
    assert run_study(plan_study(loaded, out), out, events=events) == (out / "small-001", {})
    assert calls == ["0 of 5"]
    assert read_record(out / "small-001") == record  # the time, too


def test_a_study_that_lost_trainings_is_interrupted_and_goes_on(
    loaded: LoadedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_in_worker = run.train_in_worker

    def train(tasks: Sequence[SeedTask]) -> list[Outcome]:
        if tasks[0].config.name == "small-b":
            raise MemoryError("9 GB")
        return train_in_worker(tasks)

    monkeypatch.setattr(run, "train_in_worker", train)
    folder, failures = run_study(plan_study(loaded, tmp_path), tmp_path)
    reason = "it ran out of memory: 9 GB"
    assert failures == {str(folder / "b" / f"seed-{seed}"): reason for seed in (1, 2)}
    assert read_record(folder).status == "interrupted"
    assert not load_study_folder(folder).experiments["b"].outcomes()
    monkeypatch.setattr(run, "train_in_worker", train_in_worker)
    assert run_study(plan_study(loaded, tmp_path), tmp_path) == (folder, {})
    assert read_record(folder).status == "finished"


def test_a_stopwatch_counts_earlier_calls_and_stands_still_when_idle() -> None:
    started = time.perf_counter() - 10
    assert 12 <= Stopwatch(2, is_idle=False, started=started).seconds < 20
    assert Stopwatch(2, is_idle=True, started=started).seconds == 2
