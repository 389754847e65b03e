"""The folder of a search: what is written there reads back the same, and what does not fit is refused."""

import csv
import json
import re
import time
from pathlib import Path

import pytest
import yaml
from helpers import tiny

from cifarmlp.errors import RunFolderError
from cifarmlp.search.folder import Search, claim_search, read_search, write_plan, write_results
from cifarmlp.search.plan import choose_centres, prepare_search
from cifarmlp.search.ranking import Result
from cifarmlp.search.sampling import coarse_values, fine_values

LAMBDA, ETA = "training.lambda", "training.schedule.eta_max"
SEARCH = (
    f"search={{coarse: {{trials: 3, space: {{{LAMBDA}: {{uniform: [0, 1]}}, {ETA}: {{grid: [0.1, 0.2]}}}}}}, "
    f"fine: {{trials: 4, centres: 2, space: {{{LAMBDA}: {{uniform_within: 0.1}}}}}}}}"
)
RESULTS = [
    Result(1, 1, "finished", 0.1 + 0.2, 0.4, 1.5, 1 / 3),
    Result(2, 1, "diverged", seconds=2.0),
    Result(3, 1, "failed", reason="no, memory"),
    Result(4, 1, "finished", 0.6, 0.5, 1.25, 2.5),
]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """A search on disk, of which the coarse stage and a fine trial have ended."""
    search = prepare_search(tiny.config("name=wide", SEARCH), cores=2)
    claim_search(search, tmp_path, tiny.dataset())
    search.results = {(result.trial, result.seed): result for result in RESULTS}
    choose_centres(search)
    write_results(search)
    write_plan(search, "finished")
    return search


def test_a_search_reads_back_as_it_was(search: Search) -> None:
    found = read_search(search.folder)
    assert (found.folder, found.config, found.plan) == (search.folder, search.config, search.plan)
    assert found.plan.status == "finished"
    assert str(found.results) == str(search.results)  # as text, for nan is not equal to itself


def test_trials_are_numbered_through_both_stages(search: Search) -> None:
    assert search.fields == [LAMBDA, ETA]
    assert [*search.numbers("coarse")] == [1, 2, 3]
    assert [*search.numbers("fine")] == [4, 5, 6, 7]  # around the one trial that finished
    assert [search.stage(trial) for trial in (1, 3, 4, 7)] == ["coarse", "coarse", "fine", "fine"]
    assert search.values(2) == coarse_values(search.section.coarse, 1, 2)
    assert search.values(6) == fine_values(search.section, 1, 3, [search.values(1)])


def test_a_fine_stage_has_all_its_trials_until_the_centres_are_known() -> None:
    search = prepare_search(tiny.config(SEARCH), cores=2)
    assert [*search.numbers("fine")] == [*range(4, 12)]


def test_a_trial_has_ended_once_all_its_seeds_have() -> None:
    search = prepare_search(tiny.config(SEARCH), seeds=2, cores=2)
    search.results = {(1, 1): RESULTS[0], (2, 1): RESULTS[1], (2, 2): RESULTS[1]}
    assert [trial.trial for trial in search.trials()] == [2]


def test_a_row_has_the_trial_its_values_and_what_was_measured(search: Search) -> None:
    first, *_ = search.trials()
    assert list(search.row(first)) == [
        *("trial", "status", LAMBDA, ETA),
        *("train_accuracy", "validation_accuracy", "validation_loss", "seconds"),
    ]
    assert search.row(first)["validation_accuracy"] == 0.4


@pytest.mark.parametrize(
    "row",
    [
        "2,1,lost,0.5,0.5,1.0,1.0,,40",  # no such status
        "2,1,finished,0.5,0.5,1.0,1.0,",  # cut off
        "2,one,finished,0.5,0.5,1.0,1.0,,40",
        "0,1,finished,0.5,0.5,1.0,1.0,,40",  # no such trials
        "8,1,finished,0.5,0.5,1.0,1.0,,40",
    ],
)
def test_a_row_that_is_none_is_passed_over_and_no_other_is(row: str, search: Search) -> None:
    path = search.folder / "seeds.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], row, *lines[3:]]) + "\n")
    assert [*read_search(search.folder).results] == [(1, 1), (3, 1), (4, 1)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"centres": [{LAMBDA: 0.5}]}, "the centres in search.json have other fields than config.yaml"),
        ({"centres": []}, "search.json.* damaged"),
        ({"stages": ["coarse", "coarser"]}, "search.json.* damaged"),
        ({"memory": -1.0}, "search.json.* damaged"),
        ({"pickle": "x"}, "search.json.* damaged"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(changes: dict[str, object], words: str, search: Search) -> None:
    path = search.folder / "search.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(RunFolderError, match=f"{search.folder}.*{words}"):
        read_search(search.folder)


def test_a_fine_stage_that_the_config_has_not_is_refused(search: Search) -> None:
    path = search.folder / "config.yaml"
    path.write_text(path.read_text().partition("  fine:")[0])
    with pytest.raises(RunFolderError, match=r"damaged \(search.json has a fine stage, config.yaml has none"):
        read_search(search.folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"not the folder of a search: it has no search.json"):
        read_search(tmp_path)


CENTRE = {LAMBDA: 0.5, ETA: 0.1}


@pytest.mark.parametrize("value", [float("nan"), -0.5, 1.5, "x", None, True, [0.5], 1])
def test_a_centre_that_the_coarse_search_does_not_draw_is_damage(value: object, search: Search) -> None:
    path = search.folder / "search.json"
    changed = {**json.loads(path.read_text()), "centres": [{**CENTRE, LAMBDA: value}]}
    path.write_text(json.dumps(changed))
    with pytest.raises(RunFolderError, match=f"{search.folder}: damaged .* a centre whose {LAMBDA} "):
        read_search(search.folder)
    path.write_text(json.dumps({**changed, "centres": [CENTRE]}))
    assert read_search(search.folder).plan.centres == [CENTRE]


@pytest.mark.parametrize("count", ["trials: 100000000", "centres: 100000000"])
def test_more_trials_than_can_be_read_are_damage(count: str, search: Search) -> None:
    path = search.folder / "config.yaml"
    path.write_text(re.sub(rf"{count.split(':')[0]}: \d+", count, path.read_text()))
    with pytest.raises(RunFolderError, match=rf"{search.folder}: damaged \(search\..* is 100000000; "):
        read_search(search.folder)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("1,1,finished,0.5,0.5,1.0,inf,,40", "seconds is inf"),
        ("1,1,finished,0.5,1.5,1.0,1.0,,40", "validation_accuracy is 1.5"),
        ("1,1,finished,0.5,0.5,1.0,1.0,,-40", "steps is -40"),
        ("1,2,finished,0.5,0.5,1.0,1.0,,40", "there is no trial 1 with seed 2"),
        ("99,1,finished,0.5,0.5,1.0,1.0,,40", "there is no trial 99 with seed 1"),
    ],
)
def test_a_row_that_is_none_is_told(row: str, fault: str, search: Search) -> None:
    path = search.folder / "seeds.csv"
    header, _, *others = path.read_text().splitlines()
    path.write_text("\n".join([header, row, *others]) + "\n")
    found = read_search(search.folder)
    assert found.faults == [f"{search.folder}: seeds.csv is damaged: line 2: {fault}"]
    assert (1, 1) not in found.results


def test_rows_without_end_are_read_in_a_moment(search: Search) -> None:
    path = search.folder / "seeds.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(lines * 25_000)]) + "\n")
    begun = time.process_time()
    assert len(read_search(search.folder).results) == 4
    assert time.process_time() - begun < 5


def test_values_that_are_no_numbers_read_back_as_yaml(tmp_path: Path) -> None:
    space = "{network.hidden: {grid: [[20, 20], []]}, network.init: {grid: [he, {sigma: 0.001}]}}"
    search = prepare_search(tiny.config("search=null", f"search.coarse.space={space}"), cores=2)
    search.results = {(trial, 1): Result(trial, 1, "finished", 0.5, 0.5, 1.5, 1.0) for trial in range(1, 5)}
    claim_search(search, tmp_path, tiny.dataset())
    with (search.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["network.hidden"] for row in rows] == ["[20, 20]", "[20, 20]", "[]", "[]"]
    assert [row["network.init"] for row in rows] == ["he", "{sigma: 0.001}"] * 2
    for trial, row in enumerate(rows, start=1):
        assert {key: yaml.safe_load(row[key]) for key in search.fields} == search.values(trial)
