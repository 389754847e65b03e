"""What the trials of a search are: reproducible, within their ranges, evenly spread."""

from __future__ import annotations

import itertools
from collections import Counter
from math import ulp
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifarmlp.config import Config, SearchConfig, override_with
from cifarmlp.search.sampling import Values, centre_of, coarse_values, fine_trials, fine_values

LAMBDA, ETA, SIZE, SEED = "training.lambda", "training.schedule.eta_max", "training.batch_size", "seed"


def search_of(coarse: dict[str, Any], fine: dict[str, Any] | None = None, **stages: Any) -> SearchConfig:
    """A search over spaces; `stages` are the other settings of coarse and fine."""
    values: dict[str, Any] = {"coarse": {"space": coarse, **stages.get("coarse_has", {})}}
    if fine is not None:
        values["fine"] = {"space": fine, **stages.get("fine_has", {})}
    return SearchConfig.model_validate(values)


def coarse_draws(key: str, draw: dict[str, Any], count: int = 2000) -> list[int | float]:
    """What the first trials have, where one field alone is searched."""
    coarse = search_of({key: draw}).coarse
    return [coarse_values(coarse, 1, number)[key] for number in range(1, count + 1)]


def fine_draws(search: SearchConfig, centres: list[Values], key: str) -> list[int | float]:
    assert search.fine is not None
    last = fine_trials(search.fine, len(centres))
    return [fine_values(search, 1, number, centres)[key] for number in range(1, last + 1)]


def is_even(draws: list[float], low: float, high: float) -> bool:
    """Whether draws may well be uniform in [low, high], by Kolmogorov's test at one in a million."""
    ranks = (np.sort(draws) - low) / (high - low)
    expected = (np.arange(len(ranks)) + 0.5) / len(ranks)
    return bool(np.abs(ranks - expected).max() < 2.7 / np.sqrt(len(ranks)))


# Reproducible


SPACE = {
    LAMBDA: {"log_uniform": [1e-5, 1e-1]},
    ETA: {"uniform": [0.01, 1]},
    SIZE: {"grid": [50, 100]},
    SEED: {"uniform": [0, 2**32 - 1]},
}


def test_a_trial_is_made_of_its_seed_and_number() -> None:
    coarse = search_of(SPACE).coarse
    trials = [coarse_values(coarse, seed, number) for seed in (1, 2) for number in range(1, 21)]
    assert trials == [coarse_values(coarse, seed, number) for seed in (1, 2) for number in range(1, 21)]
    assert len({trial[LAMBDA] for trial in trials}) == 40


def test_what_a_seed_draws_stays_what_it_is() -> None:
    # Written down once, so that published searches can be run again; pow may differ in its last digit.
    search = search_of(SPACE, {LAMBDA: {"between_best": True}})
    assert coarse_values(search.coarse, 1, 1) == {
        SEED: 930373732,
        SIZE: 50,
        LAMBDA: pytest.approx(0.05395764901887931, rel=1e-12),
        ETA: pytest.approx(0.71003709354772, rel=1e-12),
    }
    assert fine_values(search, 1, 1, [{LAMBDA: 0.0}, {LAMBDA: 1.0}]) == {LAMBDA: 0.8330884153502752}


def test_a_trial_knows_neither_the_number_of_trials_nor_the_order_in_the_file() -> None:
    turned = dict(reversed(SPACE.items()))
    few, many = search_of(SPACE, coarse_has={"trials": 3}), search_of(turned, coarse_has={"trials": 500})
    for number in (1, 2, 3):
        assert coarse_values(few.coarse, 7, number) == coarse_values(many.coarse, 7, number)


def test_a_fine_trial_knows_neither_the_number_of_centres_nor_the_order_in_the_file() -> None:
    fine = {LAMBDA: {"uniform_within": 0.01}, ETA: {"between_best": True}}
    turned = dict(reversed(fine.items()))
    centres = [{LAMBDA: 0.05, ETA: 0.1}, {LAMBDA: 0.07, ETA: 0.9}, {LAMBDA: 0.03, ETA: 0.5}]
    few, many = search_of(SPACE, fine), search_of(SPACE, turned, fine_has={"centres": 2})
    for number in (1, 50, 51, 100):
        assert fine_values(few, 7, number, centres) == fine_values(many, 7, number, centres[:2])
        assert fine_values(few, 7, number, centres) != fine_values(few, 8, number, centres)


def test_the_stages_draw_differently() -> None:
    search = search_of({LAMBDA: {"uniform": [0, 2]}}, {LAMBDA: {"uniform_within": 1}})
    coarse = [coarse_values(search.coarse, 1, number)[LAMBDA] for number in range(1, 51)]
    assert not set(coarse) & set(fine_draws(search, [{LAMBDA: 1.0}], LAMBDA))


# Ranges


def test_log_uniform_is_even_in_its_exponent() -> None:
    draws = coarse_draws(LAMBDA, {"log_uniform": [1e-5, 1e-1]})
    assert 1e-5 <= min(draws) < max(draws) <= 1e-1
    assert is_even(list(np.log10(draws)), -5, -1)


def test_rounding_does_not_leave_the_range() -> None:
    for low in (1e-5, 0.003, 0.3, 7.7):
        high = low + ulp(low)
        for way in ("uniform", "log_uniform"):
            assert set(coarse_draws(LAMBDA, {way: [low, high]}, 100)) <= {low, high}


def test_uniform_is_even() -> None:
    draws = coarse_draws(ETA, {"uniform": [0.25, 0.75]})
    assert 0.25 <= min(draws) < max(draws) <= 0.75
    assert is_even(draws, 0.25, 0.75)


def test_two_fields_are_drawn_independently() -> None:
    coarse = search_of({LAMBDA: {"uniform": [0, 1]}, ETA: {"uniform": [0, 1]}}).coarse
    trials = [coarse_values(coarse, 1, number) for number in range(1, 2001)]
    pairs = np.array([[trial[LAMBDA], trial[ETA]] for trial in trials])
    # The correlation of so many independent pairs has a standard deviation of 1 / sqrt(2000) = 0.022.
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.11


def test_whole_numbers_are_drawn_with_both_ends_and_evenly() -> None:
    counts = Counter(coarse_draws(SIZE, {"uniform": [10, 13]}))
    assert set(counts) == {10, 11, 12, 13}
    # 500 of each are expected, with a standard deviation of 19.
    assert all(400 < count < 600 for count in counts.values())


def test_log_uniform_whole_numbers_are_rounded() -> None:
    draws = coarse_draws(SIZE, {"log_uniform": [1, 100]})
    assert {type(value) for value in draws} == {int}
    assert set(range(1, 20)) < set(draws) <= set(range(1, 101))
    # 1 stands for 1 to 1.5, of which there are log10(1.5) / 2 = 9 %; the standard deviation is 0.6 %.
    assert 0.06 < draws.count(1) / len(draws) < 0.12


def test_values_are_drawn_evenly_and_as_often_as_they_are_given() -> None:
    counts = Counter(coarse_draws(LAMBDA, {"values": [0, 0.1, 0.1, 1]}))
    assert set(counts) == {0, 0.1, 1}
    # 500, 1000 and 500 are expected, with standard deviations of 19 and 22.
    assert 400 < counts[0] < 600
    assert 880 < counts[0.1] < 1120


# Grids


def test_grids_give_every_combination_once_the_first_field_slowest() -> None:
    sizes, lambdas, seeds = [100, 50], [1, 0, 0.5], [3, 1, 2, 9]
    coarse = search_of({LAMBDA: {"grid": lambdas}, SEED: {"grid": seeds}, SIZE: {"grid": sizes}}).coarse
    assert coarse.trials == 24
    trials = [coarse_values(coarse, 1, number) for number in range(1, 25)]
    found = [(trial[SEED], trial[SIZE], trial[LAMBDA]) for trial in trials]
    assert found == list(itertools.product(seeds, sizes, lambdas))
    assert trials == [coarse_values(coarse, 2, number) for number in range(1, 25)]


def test_a_grid_beside_a_random_field_is_gone_through_again_and_again() -> None:
    coarse = search_of({SIZE: {"grid": [10, 20, 30]}, LAMBDA: {"uniform": [0, 1]}}).coarse
    trials = [coarse_values(coarse, 1, number) for number in range(1, 8)]
    assert [trial[SIZE] for trial in trials] == [10, 20, 30, 10, 20, 30, 10]
    assert len({trial[LAMBDA] for trial in trials}) == 7


# Fine


def test_fine_trials_go_around_one_centre_after_the_other() -> None:
    fine = {LAMBDA: {"uniform_within": 0.01}}
    search = search_of({LAMBDA: {"uniform": [0, 1]}}, fine, fine_has={"trials": 500, "centres": 2})
    draws = fine_draws(search, [{LAMBDA: 0.3}, {LAMBDA: 0.7}, {LAMBDA: 0.9}], LAMBDA)
    assert len(draws) == 1000
    assert is_even(draws[:500], 0.29, 0.31)
    assert is_even(draws[500:], 0.69, 0.71)
    steps = [
        round(value - centre, 12) for centre, value in zip([0.3] * 500 + [0.7] * 500, draws, strict=True)
    ]
    assert len(set(steps)) == 1000


@pytest.mark.parametrize(
    ("coarse", "centre", "low", "high"),
    [
        ({"uniform": [0, 1]}, 0.1, 0, 0.6),
        ({"uniform": [0, 1]}, 0.8, 0.3, 1),
        ({"log_uniform": [1e-5, 0.3]}, 0.1, 1e-5, 0.3),
        ({"values": [0.2, 0, 0.7]}, 0.2, 0, 0.7),
        ({"grid": [0.9, 0.4]}, 0.4, 0.4, 0.9),
    ],
)
def test_a_fine_search_stays_within_the_coarse_one(
    coarse: dict[str, Any], centre: float, low: float, high: float
) -> None:
    search = search_of({LAMBDA: coarse}, {LAMBDA: {"uniform_within": 0.5}}, fine_has={"trials": 1000})
    draws = fine_draws(search, [{LAMBDA: centre}], LAMBDA)
    assert low <= min(draws) < max(draws) <= high
    assert is_even(draws, low, high)


def test_whole_numbers_around_a_centre_and_between_the_best() -> None:
    space = {SIZE: {"uniform": [1, 100]}, SEED: {"log_uniform": [1, 100]}}
    fine = {SIZE: {"uniform_within": 2}, SEED: {"between_best": True}}
    search = search_of(space, fine, fine_has={"trials": 200, "centres": 2})
    centres: list[Values] = [{SIZE: 50, SEED: 7}, {SIZE: 99, SEED: 4}]
    sizes, seeds = fine_draws(search, centres, SIZE), fine_draws(search, centres, SEED)
    assert (set(sizes[:200]), set(sizes[200:])) == ({48, 49, 50, 51, 52}, {97, 98, 99, 100})
    assert set(seeds[:200]) == set(seeds[200:]) == {4, 5, 6, 7}
    assert {type(value) for value in sizes + seeds} == {int}


def test_between_the_best_is_evenly_from_the_smallest_to_the_largest() -> None:
    fine = {LAMBDA: {"between_best": True}, ETA: {"between_best": True}}
    search = search_of(SPACE, fine, fine_has={"trials": 1000, "centres": 3})
    lambdas, etas = (0.03, 0.01, 0.04, 0.09), (0.2, 0.6, 0.4, 0.1)
    centres: list[Values] = [
        {LAMBDA: lam, ETA: eta, SIZE: 50} for lam, eta in zip(lambdas, etas, strict=True)
    ]
    draws = fine_draws(search, centres, LAMBDA)
    assert len(draws) == 1000
    assert 0.01 <= min(draws) < max(draws) <= 0.04
    assert is_even(draws, 0.01, 0.04)
    assert is_even(fine_draws(search, centres, ETA), 0.2, 0.6)


def test_what_a_fine_search_does_not_draw_is_as_in_the_centre() -> None:
    centres: list[Values] = [{LAMBDA: 0.01, ETA: 0.1, SIZE: 100}, {LAMBDA: 0.02, ETA: 0.2, SIZE: 50}]
    around = search_of(SPACE, {LAMBDA: {"uniform_within": 0.001}}, fine_has={"trials": 2})
    pairs = [(0.1, 100), (0.1, 100), (0.2, 50), (0.2, 50)]
    found = [fine_values(around, 1, number, centres) for number in (1, 2, 3, 4)]
    assert [(values[ETA], values[SIZE]) for values in found] == pairs
    between = search_of(SPACE, {LAMBDA: {"between_best": True}}, fine_has={"trials": 2})
    for number in (1, 2):
        values = fine_values(between, 1, number, centres)
        assert (values[ETA], values[SIZE]) == (0.1, 100)


def test_how_many_fine_trials_there_are_and_around_which_centre() -> None:
    def fine_of(**space: dict[str, Any]) -> Any:
        both = {LAMBDA: space["lam"], ETA: space["eta"]}
        return search_of(SPACE, both, fine_has={"trials": 20, "centres": 3}).fine

    around, between = {"uniform_within": 0.1}, {"between_best": True}
    mixed, all_between = fine_of(lam=around, eta=between), fine_of(lam=between, eta=between)
    assert [fine_trials(mixed), fine_trials(all_between)] == [60, 20]
    assert [centre_of(mixed, number) for number in (1, 20, 21, 60)] == [0, 0, 1, 2]
    assert [centre_of(all_between, number) for number in (1, 20)] == [None, None]
    assert [fine_trials(mixed, found) for found in (0, 1, 2, 3, 9)] == [0, 20, 40, 60, 60]
    assert [fine_trials(all_between, found) for found in (0, 1, 2, 3, 9)] == [0, 20, 20, 20, 20]


# Whatever the search


lengths = st.tuples(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12)).filter(lambda ends: ends[0] != ends[1])
ranges = lengths.map(sorted)
whole_ranges = st.tuples(st.integers(1, 100), st.integers(1, 100)).filter(lambda ends: ends[0] != ends[1])
numbers = st.lists(st.floats(0, 1e12), min_size=1, max_size=9, unique=True)
wholes = st.lists(st.integers(1, 100), min_size=1, max_size=9, unique=True)


def draws_of(two: st.SearchStrategy[Any], several: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ways = {"uniform": two, "log_uniform": two, "values": several, "grid": several}
    return st.one_of([st.fixed_dictionaries({way: ends}) for way, ends in ways.items()])


lambda_draws, size_draws = draws_of(ranges, numbers), draws_of(whole_ranges.map(sorted), wholes)
spaces = st.fixed_dictionaries({LAMBDA: lambda_draws, SIZE: size_draws})
around_lambda = st.just({"between_best": True}) | st.fixed_dictionaries(
    {"uniform_within": st.floats(1e-12, 1e13)}
)
around_size = st.just({"between_best": True}) | st.fixed_dictionaries({"uniform_within": st.integers(1, 200)})
fines = st.fixed_dictionaries({LAMBDA: around_lambda}, optional={SIZE: around_size})


@given(spaces, fines, st.integers(0, 2**32 - 1), st.integers(1, 10**9))
def test_every_trial_is_within_the_range_plain_and_accepted_by_the_config(
    space: dict[str, Any], fine: dict[str, Any], seed: int, number: int
) -> None:
    search = search_of(space, fine, coarse_has={"trials": 1}, fine_has={"trials": 10, "centres": 3})
    centres = [coarse_values(search.coarse, seed, number + more) for more in range(3)]
    fines = [fine_values(search, seed, 1 + number % 10, centres)]
    for values in centres + fines:
        assert {key: type(value) for key, value in values.items()} == {LAMBDA: float, SIZE: int}
        for key, draw in space.items():
            ((_, ends),) = draw.items()
            assert min(ends) <= values[key] <= max(ends)
        config = override_with(Config(), values)
        assert (config.training.lam, config.training.batch_size) == (values[LAMBDA], values[SIZE])
    for key, around in fine.items():
        if "uniform_within" in around:
            centre, width = centres[0][key], around["uniform_within"]
            assert abs(fines[0][key] - centre) <= width + ulp(centre + width)  # the ends are rounded
        else:
            best = [values[key] for values in centres]
            assert min(best) <= fines[0][key] <= max(best)
