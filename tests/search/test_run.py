"""A search run from Python: its files, its progress, and what is trained when it goes on."""

import itertools
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.searching import SEPARATE, few_images, place_with, rows

from cifarmlp import files
from cifarmlp.config import load_config
from cifarmlp.errors import CifarmlpWarning, ConfigError, DataError, RunFolderError
from cifarmlp.search import run, worker
from cifarmlp.search.folder import Search, is_begun, read_search
from cifarmlp.search.plan import populations_to_train, prepare_search, resume_search, with_trials
from cifarmlp.search.populations import Member
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.run import StageProgress, run_search
from cifarmlp.search.worker import train_population
from cifarmlp.training.estimate import Estimate


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load", few_images)
    monkeypatch.setattr(worker, "load", few_images)
    monkeypatch.setattr("cifarmlp.files.write_png", lambda *_: None)


def test_a_search_stops_when_asked_and_is_resumed(tmp_path: Path) -> None:
    config = load_config(place_with(SEPARATE, tmp_path) / "c.yaml")
    search = prepare_search(config, ["coarse"], cores=1)
    ended: list[int] = []

    def watch(progress: StageProgress, trials: list[Trial]) -> None:
        assert (progress.search, progress.stage) == (search, "coarse")
        ended.extend(trial.trial for trial in trials)

    summary = run_search(
        search, tmp_path, None, jobs=1, stop=lambda: 15 if len(ended) > 3 else 0, watch=watch
    )
    assert ended == [1, 5, 2, 6]  # two populations
    assert search.folder == tmp_path / "tiny-001"
    assert search.plan.status == "interrupted"
    assert summary["best"]["trial"] in ended

    again = resume_search(search.folder)
    assert again.results == search.results
    summary = run_search(
        again, tmp_path, None, jobs=1, top=1, watch=lambda _, trials: ended.extend(t.trial for t in trials)
    )
    assert ended == [1, 5, 2, 6, 3, 7, 4, 8]
    assert [len(table["top"]) for table in summary["tables"]] == [1]
    assert again.plan.status == "finished"
    assert len(rows(search.folder / "trials.csv")) == 8


# Progress


@pytest.fixture
def progress(tmp_path: Path) -> StageProgress:
    """Three populations of 2, 3 and 1 members, two side by side."""
    config = load_config(place_with(SEPARATE, tmp_path) / "c.yaml")
    member = Member(1, config)
    return StageProgress(prepare_search(config, cores=1), "coarse", [[member] * n for n in (2, 3, 1)], jobs=2)


def results(count: int, seconds: float) -> list[Result]:
    return [Result(1, seed, "finished", 0.5, 0.5, 1.0, seconds) for seed in range(count)]


def test_the_populations_that_run_are_the_next_ones(progress: StageProgress) -> None:
    running = [progress.running]
    for count in (2, 3, 1):
        progress.count(results(count, 1.0))
        running.append(progress.running)
    assert running == [5, 4, 1, 0]


def test_the_time_left_is_an_estimate_and_then_that_of_those_that_ended(
    progress: StageProgress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.search.plan.estimate", lambda _, jobs: Estimate(60.0 * jobs, 0.0))
    progress.started = time.monotonic() - 10
    assert progress.left == pytest.approx(110, abs=5)
    progress.count(results(2, 40.0))
    assert progress.left == pytest.approx(40 * 6 / 2 - 10, abs=5)
    progress.started -= 1000
    assert progress.left == 0


# What is done once, and what it is made of

SIZES = """\
name: tiny
data: {source: synthetic, validation: 400}
network: {hidden: [8]}
search: {coarse: {trials: 5, space: {training.batch_size: {values: [10, 20]}}}}  # 10, 20, 10, 20, 20
"""


def prepared(place: Path, *settings: str, text: str = SEPARATE) -> Search:
    config = load_config(place_with(text, place) / "c.yaml", ["training.steps=2", *settings])
    return prepare_search(config, ["coarse"], cores=1)


def test_a_repeated_config_is_trained_once_and_told(tmp_path: Path) -> None:
    ended: list[int] = []
    search = prepared(tmp_path, text=SIZES)
    with pytest.warns(CifarmlpWarning, match="3 of the coarse trainings .*, as trial 3 that of trial 1:"):
        run_search(search, tmp_path, None, jobs=1, watch=lambda _, new: ended.extend(t.trial for t in new))
    assert ended == [1, 3, 2, 4, 5]
    written = {row["trial"]: row for row in rows(search.folder / "trials.csv")}
    for copy, first in (("3", "1"), ("4", "2"), ("5", "2")):
        assert written[copy]["validation_loss"] == written[first]["validation_loss"]
        assert (float(written[copy]["seconds"]), float(written[first]["seconds"]) > 0) == (0.0, True)


def test_few_validation_images_are_told(tmp_path: Path) -> None:
    with pytest.warns(CifarmlpWarning, match=r"ranked by 99 validation images, .* 0\.03;"):
        run_search(prepared(tmp_path, "data.validation=99"), tmp_path, None, jobs=1)


def interrupted(place: Path) -> Path:
    """The folder of a search of which two of eight trials have ended."""
    search, ended = prepared(place), []
    run_search(search, place, None, jobs=1, stop=lambda: len(ended), watch=lambda _, new: ended.extend(new))
    assert len(search.results) == 2
    return search.folder


def change_origin(folder: Path, **changes: Any) -> None:
    path = folder / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


OTHER_IMAGES = {"data": {"source": "synthetic", "sha256": "0" * 64, "official": False}}


def test_a_search_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    change_origin(folder, **OTHER_IMAGES)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=f"{folder}: made of other images"):
        run_search(resume_search(folder), tmp_path, None, jobs=1)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_other_code_is_told_and_refused_where_strict(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    change_origin(folder, code="0" * 64)
    with pytest.raises(RunFolderError, match=f"{folder}: made with other code"):
        run_search(resume_search(folder), tmp_path, None, jobs=1, strict=True)
    with pytest.warns(CifarmlpWarning, match=f"{folder}: made with other code"):
        run_search(resume_search(folder), tmp_path, None, jobs=1)
    assert len(rows(folder / "trials.csv")) == 8


def test_a_search_is_not_refined_with_other_images(tmp_path: Path) -> None:
    search = prepared(tmp_path)
    run_search(search, tmp_path, None, jobs=1)
    fine = prepare_search(search.config, ["fine"], earlier_in=tmp_path)
    change_origin(search.folder, **OTHER_IMAGES)
    with pytest.raises(DataError, match=f"{search.folder}: made of other images"):
        run_search(fine, tmp_path, None, jobs=1)
    assert not (tmp_path / "tiny-002").exists()


def test_a_worker_with_other_images_is_found_out(tmp_path: Path) -> None:
    (member, *_), *_ = populations_to_train(prepared(tmp_path), "coarse")
    with pytest.raises(DataError, match="other images than those that the work was begun with"):
        train_population([member], None, images="0" * 64, halving=None)


def test_a_damaged_row_is_told_and_its_training_done_again(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    path = folder / "seeds.csv"
    path.write_text(re.sub(r"[^,]+,,40$", "inf,,40", path.read_text(), count=1, flags=re.MULTILINE))
    search = resume_search(folder)
    assert search.faults == [f"{folder}: seeds.csv is damaged: line 2: seconds is inf"]
    with pytest.warns(CifarmlpWarning, match="seconds is inf; that training is done again"):
        run_search(search, tmp_path, None, jobs=1)
    assert read_search(folder).faults == []


def test_a_folder_in_which_no_search_has_begun_is_taken_up(tmp_path: Path) -> None:
    search = prepared(tmp_path)
    search.folder = files.claim(tmp_path, "tiny")
    (search.folder / "config.yaml").write_text("name: ti")  # as a killed process may leave it
    run_search(search, tmp_path, None, jobs=1)
    assert read_search(tmp_path / "tiny-001").plan.status == "finished"


@pytest.mark.parametrize("call", range(5))
def test_a_search_killed_at_any_write_before_its_first_result_is_resumed_or_taken_up(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, replace = itertools.count(), os.replace

    def die(*paths: Any) -> None:
        if next(calls) == call:
            raise KeyboardInterrupt  # ends it there and then
        replace(*paths)

    search = prepared(tmp_path)
    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        run_search(search, tmp_path, None, jobs=1)
    half = tmp_path / "tiny-001"
    again = resume_search(half) if is_begun(half) else placed(prepared(tmp_path), half)
    run_search(again, tmp_path, None, jobs=1)
    assert (again.folder, read_search(half).plan.status) == (half, "finished")
    assert len(rows(half / "trials.csv")) == 8


def placed(search: Search, folder: Path) -> Search:
    search.folder = folder
    return search


# Successive halving

HALVING = """\
name: halving
data: {source: synthetic, validation: 400}
network: {hidden: [8]}
training: {schedule: {n_s: 10, cycles: 3}}
search:
  coarse:
    trials: 8
    halving: {at: [1, 2]}
    space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}
"""


def test_trials_that_fall_behind_end_at_their_cycle_and_are_not_ranked(tmp_path: Path) -> None:
    config = load_config(place_with(HALVING, tmp_path) / "c.yaml")
    search = prepare_search(config, ["coarse"], cores=1)
    summary = run_search(search, tmp_path, None, jobs=1, top=8)
    table = rows(search.folder / "trials.csv")
    ends = [(row["status"], int(row["steps"])) for row in table]
    assert sorted(ends) == [*2 * [("finished", 60)], *4 * [("stopped", 20)], *2 * [("stopped", 40)]]
    assert {row["train_accuracy"] for row in table if row["status"] == "stopped"} == {"nan"}
    assert all(0 < float(row["validation_accuracy"]) < 1 for row in table)
    finished = [int(row["trial"]) for row in table if row["status"] == "finished"]
    ranked = [entry["trial"] for entry in summary["tables"][0]["top"]]
    assert sorted(ranked) == finished
    again = resume_search(search.folder)
    assert repr(again.results) == repr(search.results)  # with nan
    assert not populations_to_train(again, "coarse")


def test_without_halving_the_table_has_no_steps(tmp_path: Path) -> None:
    text = HALVING.replace("    halving: {at: [1, 2]}\n", "")
    config = load_config(place_with(text, tmp_path) / "c.yaml")
    search = prepare_search(config, ["coarse"], cores=1)
    run_search(search, tmp_path, None, jobs=1)
    assert "steps" not in rows(search.folder / "trials.csv")[0]
    assert {row["steps"] for row in rows(search.folder / "seeds.csv")} == {"60"}


@pytest.mark.parametrize(
    ("drawn", "fault"),
    [
        (
            "training.schedule: {values: [{kind: constant, eta: 0.1, epochs: 1}]}",
            "schedule constant has none",
        ),
        ("training.schedule.cycles: {values: [2]}", "cycle 2 ends at step 40, the training at 40"),
        ("training.steps: {values: [30]}", "cycle 2 ends at step 40, the training at 30"),
    ],
)
def test_a_trial_that_ends_before_the_halving_is_refused(tmp_path: Path, drawn: str, fault: str) -> None:
    text = HALVING.replace("training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}", drawn)
    config = load_config(place_with(text, tmp_path) / "c.yaml")
    with pytest.raises(ConfigError, match=f"trial 1: .*: search.coarse.halving.*{fault}"):
        prepare_search(config, ["coarse"], cores=1)


def test_halving_of_populations_of_one_is_warned_of(tmp_path: Path) -> None:
    config = load_config(place_with(HALVING, tmp_path) / "c.yaml")
    search = prepare_search(with_trials(config, 2), ["coarse"], cores=2)
    with pytest.warns(CifarmlpWarning, match="halving stops no training: each is alone in its population"):
        run_search(search, tmp_path, None, jobs=1)
    assert {row["status"] for row in rows(search.folder / "trials.csv")} == {"finished"}


def test_a_search_whose_config_was_edited_is_not_resumed(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    path = folder / "config.yaml"
    text = path.read_text()
    path.write_text(text.replace("validation: 400", "validation: 300"))
    assert path.read_text() != text
    with pytest.raises(ConfigError, match=f"{folder}: its config.yaml has changed since it was begun"):
        resume_search(folder)
    path.write_text(text)
    assert resume_search(folder).plan.status == "interrupted"
