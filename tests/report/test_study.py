"""The page of a study made by hand: how many verdicts of each tone, its notes, where the time went."""

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny
from helpers.reports import pictures, table, words
from helpers.studies import LAMBDA, good_outcomes, run_of, search_of, state_of

from cifarmlp.report.study import study_page
from cifarmlp.runs.folder import load_run
from cifarmlp.study.folder import StudyFolder
from cifarmlp.training.environment import describe
from cifarmlp.training.outcome import PARTS

REPORTED = {"accuracy": [0.61, 0.9, None]}


@pytest.fixture
def state(tmp_path: Path) -> StudyFolder:
    """Of three experiments one was trained with three seeds, one with one; a search has two trials."""
    names = ("a", "b", "c")
    state = state_of(
        {
            "experiments": [{"name": name, "reported": REPORTED} for name in names],
            "comparisons": [{"claim": "it helps", "of": ["a", "b"]}],
            "search": {"config": "x", "reported": {"best": {LAMBDA: 1e-3}}},
        }
    )
    state.experiments = {"a": run_of(*good_outcomes()), "b": run_of(good_outcomes()[0], folder=tmp_path)}
    state.searches = {"s": search_of({(1e-3, 0.1): 0.5, (1e-2, 0.1): 0.49}, folder=tmp_path)}
    return state


def test_the_summary_counts_the_verdicts_of_each_tone(state: StudyFolder) -> None:
    summary = table(study_page([state], Path()), "summary")
    assert summary.header == ("study", "of", "hold", "do not hold", "not decided", "time")
    assert summary.rows == (
        ("S", "5 reported numbers", "2", "1", "2", "0.0 s"),
        ("S", "1 conclusion", "0", "0", "1", ""),
    )


def test_the_time_is_that_of_trainings_and_trials(state: StudyFolder) -> None:
    assert table(study_page([state], Path()), "s-time").rows == (("s", "6", "40", "14.0 s"),)
    state.experiments.clear()
    assert table(study_page([state], Path()), "s-time").rows == (("s", "2", "-", "6.0 s"),)
    state.searches.clear()
    assert table(study_page([state], Path()), "s-time").rows == ()


def test_a_study_that_has_not_ended_or_was_changed_says_so(state: StudyFolder) -> None:
    assert "A study has not ended" in words(study_page([state], Path()), "note")
    changes = {"overrides": ["seed=2"], "trials": 3}
    state.record.asked = state.record.asked.model_copy(update=changes)
    state.record.status = "finished"
    notes = words(study_page([state], Path()), "note")
    assert "A study has not ended" not in notes
    assert "Every config was changed, with --set seed=2, --trials 3: " in notes


@pytest.mark.parametrize(
    ("images", "is_noted"),
    [
        ({"source": "cifar10", "official": False, "sha256": ""}, True),
        ({"source": "cifar10", "official": True, "sha256": ""}, False),
        ({"source": "synthetic", "official": False, "sha256": ""}, False),
        ([], False),
    ],
)
def test_images_that_are_not_the_official_ones_are_noted(
    images: Any, is_noted: bool, state: StudyFolder, tmp_path: Path
) -> None:
    values = describe(tiny.dataset(), 1).model_dump()
    (tmp_path / "environment.json").write_text(json.dumps({**values, "data": images}))
    notes = words(study_page([state], Path()), "note")
    assert ("official CIFAR-10's checksum" in notes) == is_noted


def test_a_section_has_accuracies_and_losses_of_all_parts(state: StudyFolder) -> None:
    page = study_page([state], Path())
    runs, losses = table(page, "s-s-runs"), table(page, "s-s-losses")
    assert runs.header[:6] == ("experiment", "n", "state", *(f"{p} accuracy" for p in PARTS))
    assert runs.rows[0][1] == "3"
    assert runs.rows[0][3:6] == ("0.6000 ± 0.0100", "0.5000 ± 0.0100", "0.5100 ± 0.0200")
    assert runs.rows[2][:2] == ("c", "0")
    assert losses.rows[0] == ("a", "3", *["1.0000 ± 0.0000"] * 3)
    assert losses.rows[2] == ("c", "0", "-", "-", "-")


def test_the_experiments_of_a_section_are_one_figure(place: Path) -> None:
    state = state_of({"experiments": [{"name": name} for name in ("plain", "bare", "lost")]})
    state.experiments = {name: load_run(place / f"{name}-001") for name in ("plain", "bare", "lost")}
    (overlaid,) = [each for each in pictures(study_page([state], Path())) if each.name == "s-s-all-curves"]
    assert "What diverged leaves at the top" in overlaid.caption
    texts = [text.get_text() for text in overlaid.draw().legends[0].get_texts()]
    assert texts == ["plain, n = 2", "bare, n = 2", "lost, diverged (×)"]
    alone = state_of({"experiments": [{"name": "plain"}]})
    alone.experiments = {"plain": state.experiments["plain"]}
    assert [each.name for each in pictures(study_page([alone], Path()))] == ["s-s-plain-curves"]
