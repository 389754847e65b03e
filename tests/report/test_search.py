"""The section of a search: its best trials, and what is said of one with nothing trained."""

import shutil
from pathlib import Path

import pytest
from helpers import tiny
from helpers.reports import pictures, table, words

from cifarmlp.report.build import build_page
from cifarmlp.search import folder as folder_
from cifarmlp.search import plan
from cifarmlp.search.ranking import Result

COARSE = "search={coarse: {trials: 3, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}}"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search")
    search = plan.prepare_search(tiny.config("name=wide", COARSE), ["coarse"], 1, 2, out)
    folder_.claim_search(search, out, tiny.dataset())
    search.results = {(i, 1): Result(i, 1, "finished", 0.5, 0.4 + 0.01 * i, 1.0, 2.0) for i in (1, 2, 3)}
    folder_.write_results(search)
    folder_.write_plan(search, "finished")
    return search.folder


def test_a_search_is_shown_with_its_best_trials(searched: Path) -> None:
    page = build_page([searched], searched)
    assert [row[0] for row in table(page, "coarse").rows] == ["3", "2", "1"]
    assert "number 3" in page.summary[0].words  # type: ignore[union-attr]
    assert "2 other trials are not significantly worse than the best one" in words(page, "note")
    assert "not ended" not in words(page, "note")
    assert len(pictures(page)) == 1
    assert dict(table(page, "settings").rows)["time of all trials, one after the other"] == "6.0 s"


def test_a_search_with_nothing_trained_is_shown_too(searched: Path, tmp_path: Path) -> None:
    shutil.copytree(searched, tmp_path / "wide-001")
    (tmp_path / "wide-001" / "seeds.csv").unlink()
    page = build_page([tmp_path / "wide-001"], tmp_path)
    assert "no trial has finished" in page.summary[0].words  # type: ignore[union-attr]


def test_trials_without_a_rank_are_counted(searched: Path, tmp_path: Path) -> None:
    search = folder_.read_search(shutil.copytree(searched, tmp_path / "wide-001"))
    search.results = {(i, 1): Result(i, 1, "diverged") for i in (1, 2, 3)}
    folder_.write_results(search)
    page = build_page([search.folder], tmp_path)
    assert "3 trials diverged: not ranked; see trials.csv." in words(page, "plain")
    assert page.summary[0].words.endswith("no trial has finished.")  # type: ignore[union-attr]


def test_what_makes_a_ranking_doubtful_is_noted(tmp_path: Path) -> None:
    config = tiny.config("name=wide", COARSE, "data.validation=20", "network.hidden=[8]")
    search = plan.prepare_search(config, ["coarse"], 1, 2, tmp_path)
    folder_.claim_search(search, tmp_path, tiny.dataset())
    path = search.folder / "seeds.csv"
    header = "trial,seed,status,train_accuracy,validation_accuracy,validation_loss,seconds,reason"
    path.write_text(f"{header}\n1,1,finished,0.5,0.5,1.0,1.0,\n2,1,finished,0.5,7,1.0,1.0,\n")
    notes = words(build_page([search.folder], tmp_path), "note")
    assert "Ranked by 20 validation images, which is mostly luck: an accuracy has " in notes
    assert "line 3: validation_accuracy is 7.0; that training is to be done again" in notes


def test_values_that_are_no_numbers_are_shown_as_yaml(tmp_path: Path) -> None:
    space = "search={coarse: {space: {network.hidden: {grid: [[8, 6], []]}}}}"
    search = plan.prepare_search(tiny.config("name=wide", space), ["coarse"], 1, 2, tmp_path)
    folder_.claim_search(search, tmp_path, tiny.dataset())
    search.results = {(i, 1): Result(i, 1, "finished", 0.5, 0.4 + 0.01 * i, 1.0, 2.0) for i in (1, 2)}
    folder_.write_results(search)
    page = build_page([search.folder], tmp_path)
    assert [row[1] for row in table(page, "coarse").rows] == ["[]", "[8, 6]"]
    assert "network.hidden []" in page.summary[0].words  # type: ignore[union-attr]
