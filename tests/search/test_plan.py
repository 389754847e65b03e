"""The plan of a search: its stages and centres, and which populations are left to train."""

from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.errors import ConfigError
from cifarmlp.search.folder import Search
from cifarmlp.search.plan import (
    choose_centres,
    estimate_stage,
    expected_populations,
    members_of,
    populations_to_train,
    prepare_search,
    repeats,
    with_trials,
)
from cifarmlp.search.ranking import Result
from cifarmlp.training.estimate import Estimate

LAMBDA = "training.lambda"
COARSE = f"search.coarse={{trials: 4, space: {{{LAMBDA}: {{uniform: [0, 1]}}, seed: {{grid: [1, 2]}}}}}}"
FINE = f"search.fine={{trials: 3, centres: 2, space: {{{LAMBDA}: {{uniform_within: 0.1}}}}}}"


def search_of(*settings: str, seeds: int = 1) -> Search:
    return prepare_search(tiny.config(*settings), seeds=seeds, cores=1)


def finish(search: Search, accuracies: dict[int, float], status: str = "finished") -> None:
    """Let trials of one seed end."""
    for trial, accuracy in accuracies.items():
        (seed,) = search.seeds(trial)
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
        with pytest.raises(ConfigError, match=f"search.{stage}.trials is 10001; it must be at most 10000"):
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


SIZES = "search.coarse={trials: 5, space: {training.batch_size: {values: [10, 20]}}}"  # 10, 20, 10, 20, 20
NEARBY = "search.fine={trials: 3, centres: 3, space: {training.batch_size: {uniform_within: 1}}}"


def test_a_training_whose_config_an_earlier_one_has_is_not_trained_again() -> None:
    search = search_of(SIZES, NEARBY)
    assert repeats(search, "coarse") == {(3, 1): (1, 1), (4, 1): (2, 1), (5, 1): (2, 1)}
    assert numbers(populations_to_train(search, "coarse")) == [[1], [2]]
    finish(search, {number: number / 10 for number in range(1, 6)})
    choose_centres(search)
    sizes = {number: search.values(number)["training.batch_size"] for number in search.numbers("fine")}
    assert sorted(sizes.values()) == [10, 11, 11, 19, 20, 20]  # in the range from 10 to 20
    trained = [sizes[number] for part in numbers(populations_to_train(search, "fine")) for number in part]
    assert sorted(trained) == [11, 19]


def test_a_search_of_version_0_1_trains_each_config_again() -> None:
    search = search_of(SIZES)
    search.plan = search.plan.model_copy(update={"distinct": False})
    assert repeats(search, "coarse") == {}
    assert sum(map(len, populations_to_train(search, "coarse"))) == 5


def test_centres_are_different_configs() -> None:
    search = search_of(SIZES, NEARBY)
    finish(search, {number: number / 10 for number in range(1, 6)})
    assert choose_centres(search)
    assert search.plan.centres == [{"training.batch_size": 20}, {"training.batch_size": 10}]


def test_a_trial_that_makes_no_config_is_named_with_its_values() -> None:
    space = "{network.init.kind: {grid: [he, normal]}, training.lambda: {values: [0.25]}}"
    with pytest.raises(ConfigError) as caught:
        search_of(f"search.coarse={{trials: 2, space: {space}}}")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("trial 2: network.init.kind normal, training.lambda 0.25: ")
    assert "lacks its sigma" in line


def test_more_centres_than_anybody_wants_are_refused() -> None:
    fine = "search.fine={trials: 2, centres: 101, space: {training.lambda: {uniform_within: 9}}}"
    with pytest.raises(ConfigError, match=r"search\.fine\.centres is 101; it must be at most 100"):
        search_of(COARSE, fine)


@pytest.mark.parametrize("setting", ["training.keep=best", "training.patience=3"])
def test_what_goes_by_evaluations_on_the_way_is_refused(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=f"{key} goes by evaluations on the way, .*--set {key}="):
        search_of(COARSE, setting)


@pytest.mark.parametrize(
    ("halving", "share"),
    [("{at: [1]}", 0.75), ("{at: [1, 3]}", (4 + 4 + 1) / 16), ("{keep: 0.25, at: [2]}", (2 + 0.5) / 4)],
)
def test_an_estimate_counts_the_steps_that_halving_leaves(
    halving: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.search.plan.estimate", lambda *_: Estimate(80.0, 5.0))
    cycles = 2 if halving == "{at: [1]}" else 4
    space = "{training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}"
    config = tiny.config(
        "training.steps=null",
        f"training.schedule={{n_s: 5, cycles: {cycles}}}",
        f"search={{coarse: {{halving: {halving}, space: {space}}}, fine: null}}",
    )
    search = prepare_search(config, cores=2)
    found = estimate_stage(search, "coarse", populations_to_train(search, "coarse"), 2)
    assert (found.seconds, found.bytes) == (pytest.approx(80 * share), 5.0)
