"""The plan of a search: its stages and centres, and which populations are left to train."""

from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.errors import ConfigError
from cifarmlp.search.folder import Search
from cifarmlp.search.plan import (
    choose_centres,
    expected_populations,
    members_of,
    populations_to_train,
    prepare_search,
    with_trials,
)
from cifarmlp.search.ranking import Result

LAMBDA = "training.lambda"
COARSE = f"search.coarse={{trials: 4, space: {{{LAMBDA}: {{uniform: [0, 1]}}, seed: {{grid: [1, 2]}}}}}}"
FINE = f"search.fine={{trials: 3, centres: 2, space: {{{LAMBDA}: {{uniform_within: 0.1}}}}}}"


def search_of(*settings: str, seeds: int = 1) -> Search:
    return prepare_search(tiny.config(*settings), seeds=seeds, cores=1)


def finish(search: Search, accuracies: dict[int, float], status: str = "finished") -> None:
    """Let trials of one seed end."""
    for trial, accuracy in accuracies.items():
        seed = int(search.values(trial)["seed"])
        search.results[trial, seed] = Result(trial, seed, status, 0.5, accuracy, 1.0, 1.0)


def numbers(populations: object) -> list[list[int]]:
    return [[member.trial for member in population] for population in populations]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("fine", "stages"), [([], ["coarse"]), ([FINE], ["coarse", "fine"])])
def test_a_search_has_the_stages_of_its_config(fine: list[str], stages: list[str]) -> None:
    assert search_of(COARSE, *fine).plan.stages == stages


def test_the_number_of_trials_is_changed_in_the_given_stages_or_in_all() -> None:
    config = tiny.config(COARSE, FINE)
    changed = [with_trials(config, 9, stages).search for stages in ((), ["coarse"], ["fine"])]
    assert [(each.coarse.trials, each.fine.trials) for each in changed] == [(9, 9), (9, 3), (4, 9)]
    assert with_trials(tiny.config(COARSE), 9).search.fine is None


def test_ten_thousand_trials_are_the_most_in_a_stage() -> None:
    for stage in ("coarse", "fine"):
        with pytest.raises(ConfigError, match="more than 10000 trials"):
            prepare_search(with_trials(tiny.config(COARSE, FINE), 10_001, [stage]), cores=1)


def test_members_are_every_seed_of_every_trial() -> None:
    members = members_of(search_of(COARSE, seeds=2), "coarse")
    assert [(member.trial, member.config.seed) for member in members] == [
        *((1, 1), (2, 2), (3, 1), (4, 2)),
        *((1, 2), (2, 3), (3, 2), (4, 3)),
    ]
    assert all(member.config.search is None for member in members)


def test_centres_are_the_best_coarse_trials_for_good() -> None:
    search = search_of(COARSE, FINE)
    assert not choose_centres(search)
    assert search.plan.centres is None
    finish(search, {1: 0.3, 2: 0.5, 4: 0.4})
    assert choose_centres(search)
    assert search.plan.centres == [search.values(2), search.values(4)]
    finish(search, {3: 0.9})
    assert choose_centres(search)
    assert search.plan.centres == [search.values(2), search.values(4)]


def test_a_population_is_left_until_all_its_members_have_ended_and_none_has_failed() -> None:
    search = search_of(COARSE)
    assert numbers(populations_to_train(search, "coarse")) == [[1, 3], [2, 4]]
    finish(search, {1: 0.3, 2: 0.5, 4: 0.4})
    assert numbers(populations_to_train(search, "coarse")) == [[1, 3]]
    finish(search, {3: 0.3}, "diverged")
    finish(search, {4: 0.3}, "failed")
    assert numbers(populations_to_train(search, "coarse")) == [[2, 4]]


def test_coarse_trials_stand_in_for_fine_ones_until_the_centres_are_known() -> None:
    search = search_of(COARSE, FINE)
    expected = expected_populations(search, "fine")
    assert sorted(number for part in numbers(expected) for number in part) == [1, 1, 2, 2, 3, 4]
    finish(search, {1: 0.3, 3: 0.5})
    choose_centres(search)
    assert numbers(expected_populations(search, "fine")) == [[5, 6, 7, 8, 9, 10]]
    assert expected_populations(search, "coarse") == populations_to_train(search, "coarse")


def test_a_config_without_a_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no section `search`"):
        prepare_search(tiny.config(), earlier_in=tmp_path)


@pytest.mark.parametrize("setting", ["training.keep=best", "training.patience=3"])
def test_what_goes_by_evaluations_on_the_way_is_refused(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=f"{key} goes by evaluations on the way, .*--set {key}="):
        search_of(COARSE, setting)
