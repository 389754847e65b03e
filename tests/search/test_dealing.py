"""Few values are dealt out: each once before any comes again, and by seed and number alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cifarmlp.config import SearchConfig
from cifarmlp.search.sampling import coarse_values, fine_values

LAMBDA, SIZE, SEED, HIDDEN, NORM = (
    "training.lambda", "training.batch_size", "seed", "network.hidden", "network.batch_norm",
)  # fmt: skip
WIDTHS: dict[str, Any] = {"values": [[8], [9], [10]]}
NORMS: dict[str, Any] = {"values": [True, False]}
CONTINUOUS: dict[str, Any] = {"log_uniform": [1e-5, 1e-1]}


def search_of(coarse: dict[str, Any], **fine: Any) -> SearchConfig:
    return SearchConfig.model_validate({"coarse": {"trials": 5, "space": coarse}, "fine": fine or None})


def draws(space: dict[str, Any], count: int, seed: int = 1, distinct: bool = True) -> list[dict[str, Any]]:
    coarse = search_of(space).coarse
    return [coarse_values(coarse, seed, number, distinct) for number in range(1, count + 1)]


def rounds(values: list[Any], size: int) -> list[list[str]]:
    return [sorted(map(repr, values[start : start + size])) for start in range(0, len(values), size)]


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("other", [{}, {LAMBDA: CONTINUOUS}], ids=["alone", "beside a range"])
def test_each_value_comes_once_a_round(seed: int, other: dict[str, Any]) -> None:
    found = [values[HIDDEN] for values in draws({HIDDEN: WIDTHS, **other}, 12, seed)]
    assert rounds(found, 3) == [["[10]", "[8]", "[9]"]] * 4


def test_rounds_are_not_all_the_same() -> None:
    found = [values[SIZE] for values in draws({SIZE: {"values": [*range(1, 9)]}}, 40)]
    assert len({tuple(found[start : start + 8]) for start in range(0, 40, 8)}) == 5


def test_a_value_given_twice_comes_twice_a_round() -> None:
    found = [values[LAMBDA] for values in draws({LAMBDA: {"values": [0.1, 0.1, 0.2]}}, 6)]
    assert rounds(found, 3) == [["0.1", "0.1", "0.2"]] * 2


def test_whole_numbers_of_a_small_range_are_dealt_out() -> None:
    found = [values[SIZE] for values in draws({SIZE: {"uniform": [10, 19]}}, 30)]
    assert rounds(found, 10) == [[str(number) for number in range(10, 20)]] * 3


def test_where_all_values_are_few_each_combination_comes_once() -> None:
    space = {HIDDEN: WIDTHS, NORM: NORMS, SIZE: {"uniform": [10, 12]}}
    found = draws(space, 36)
    assert Counter(map(repr, found[:18])) == Counter(map(repr, found[18:]))
    assert len({*map(repr, found[:18])}) == 18


def test_beside_a_grid_each_combination_comes_once_and_the_grid_in_turn() -> None:
    found = draws({HIDDEN: WIDTHS, SIZE: {"grid": [50, 100]}}, 6)
    assert [values[SIZE] for values in found] == [50, 100] * 3
    assert len({*map(repr, found)}) == 6


def test_what_does_not_repeat_is_drawn_as_in_version_0_1() -> None:
    space = {LAMBDA: CONTINUOUS, SIZE: {"uniform": [1, 500]}, SEED: {"log_uniform": [1, 9]}}
    before, now = draws(space, 100, distinct=False), draws(space, 100)
    first = {values[SIZE]: number for number, values in reversed([*enumerate(before)])}
    assert len(first) < 100
    for number, (old, new) in enumerate(zip(before, now, strict=True)):
        assert {key: value for key, value in old.items() if key != SIZE} == {
            k: new[k] for k in (LAMBDA, SEED)
        }
        if first[old[SIZE]] != number:
            assert new[SIZE] != old[SIZE]
    assert sum(old == new for old, new in zip(before, now, strict=True)) > 80
    assert len({values[SIZE] for values in now}) == 100


def test_whole_numbers_around_each_centre_are_dealt_out() -> None:
    space = {SIZE: {"uniform": [1, 100]}, HIDDEN: WIDTHS}
    search = search_of(space, trials=5, centres=2, space={SIZE: {"uniform_within": 2}})
    centres = [{SIZE: 50, HIDDEN: [8]}, {SIZE: 70, HIDDEN: [9]}]
    found = [fine_values(search, 1, number, centres) for number in range(1, 11)]
    assert sorted(values[SIZE] for values in found[:5]) == [48, 49, 50, 51, 52]
    assert sorted(values[SIZE] for values in found[5:]) == [68, 69, 70, 71, 72]
    assert [values[HIDDEN] for values in found] == [[8]] * 5 + [[9]] * 5


def test_whole_numbers_between_the_best_are_dealt_out() -> None:
    fine = {"trials": 4, "centres": 2, "space": {SIZE: {"between_best": True}}}
    search = search_of({SIZE: {"uniform": [1, 100]}}, **fine)
    found = [fine_values(search, 1, number, [{SIZE: 20}, {SIZE: 23}])[SIZE] for number in range(1, 5)]
    assert sorted(found) == [20, 21, 22, 23]
