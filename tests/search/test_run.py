"""A search run from Python: its files, its progress, and what is trained when it goes on."""

import time
from pathlib import Path

import pytest
from helpers.searching import SEPARATE, few_images, place_with, rows

from cifarmlp.config import load_config
from cifarmlp.search import run
from cifarmlp.search.plan import prepare_search, resume_search
from cifarmlp.search.populations import Member
from cifarmlp.search.ranking import Result, Trial
from cifarmlp.search.run import StageProgress, run_search
from cifarmlp.training.cost import Estimate


@pytest.fixture(autouse=True)
def _few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load", few_images)
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
    monkeypatch.setattr(run, "estimate", lambda _, jobs: Estimate(60.0 * jobs, 0.0))
    progress.started = time.monotonic() - 10
    assert progress.left == pytest.approx(110, abs=5)
    progress.count(results(2, 40.0))
    assert progress.left == pytest.approx(40 * 6 / 2 - 10, abs=5)
    progress.started -= 1000
    assert progress.left == 0
