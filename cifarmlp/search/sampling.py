"""Values of the trials of a search, each from the seed and the trial's number alone.

Trial i of a stage draws from its own generator, default_rng([seed, stage, i]): one number u, uniform in
[0, 1), for each field of the stage's space, the fields in alphabetical order. So a trial is the same
whatever the order in the YAML, the number of trials, or the process that asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, log10, prod
from typing import Any

from cifarmlp.config import Coarse, Draw, Fine, SearchConfig
from cifarmlp.search.dealing import FEW, Chances, deal
from cifarmlp.text import short_value

Number = int | float
Values = dict[str, Any]  # dotted key -> value

# With the same seed, 0 draws the weights, 1 the order of the mini-batches, 2 what gradients are checked on.
COARSE, FINE = 3, 4


def coarse_values(coarse: Coarse, seed: int, number: int, distinct: bool = True) -> Values:
    """Return the values of coarse trial `number`, from 1.

        uniform [a, b]       a + u (b - a);      of whole numbers  a + floor(u (b - a + 1))
        log_uniform [a, b]   10 ** (log10 a + u (log10 b - log10 a));  whole numbers are rounded
        values               the floor(u n)-th of the n, from 0

    Values and few whole numbers are dealt, see `dealing`, unless not `distinct`, as in searches of version
    0.1. Grids are taken in turn, in all combinations: in alphabetical order the last field changes with every
    trial and the first one slowest. After the last combination comes the first.

    >>> space = {"seed": {"grid": [1, 2]}, "training.lambda": {"log_uniform": [1e-5, 1e-1]}}
    >>> for number in (1, 2, 3):
    ...     values = coarse_values(Coarse(trials=3, space=space), seed=1, number=number)
    ...     print(values["seed"], f"{values['training.lambda']:.2g}")
    1 0.093
    2 0.0074
    1 0.011
    """
    space, chances = coarse.space, Chances(seed, COARSE, tuple(sorted(coarse.space)))
    drawn = {key: _draw(space[key], u) for key, u in zip(chances.fields, chances.of(number), strict=True)}
    if distinct:
        cards = {key: few for key in chances.fields if (few := _cards(space[key]))}
        grids = [len(draw.grid) for draw in space.values() if draw.grid]
        is_finite = len(cards) + len(grids) == len(space)
        drawn |= deal(chances, cards, number, 1, prod(grids) if is_finite else None)
    return drawn | _take_in_turn(space, number)


def fine_trials(fine: Fine, centres: int | None = None) -> int:
    """Return the number of fine trials around all centres.

    centres: how many there are, which may be fewer than the config asks for.

    >>> fine = Fine(trials=20, centres=3, space={"training.lambda": {"uniform_within": 0.001}})
    >>> fine_trials(fine), fine_trials(fine, centres=2)
    (60, 40)
    """
    count = fine.centres if centres is None else min(fine.centres, centres)
    return fine.trials * (count if _is_per_centre(fine) else min(count, 1))


def centre_of(fine: Fine, number: int) -> int | None:
    """Return which centre, from 0, fine trial `number` is around; None if every field is between_best.

    >>> fine = Fine(trials=20, centres=3, space={"training.lambda": {"uniform_within": 0.001}})
    >>> [centre_of(fine, number) for number in (1, 20, 21)]
    [0, 0, 1]
    """
    return (number - 1) // fine.trials if _is_per_centre(fine) else None


def fine_values(
    search: SearchConfig, seed: int, number: int, centres: Sequence[Values], distinct: bool = True
) -> Values:
    """Return the values of fine trial `number`, from 1, given those of the best coarse trials, best first.

    The centres are the first `fine.centres`, or as many as there are: at least one. With c a centre's value:

        uniform_within w    uniform in [c - w, c + w]; trials 1 to `fine.trials` are around the best centre,
                            as many again around the second, and so on
        between_best        uniform in [min c, max c], over the centres

    Few whole numbers are dealt around each centre, unless not `distinct`. Neither leaves the range that the
    coarse search draws from, so lambda is never negative. A field that is not drawn is as in the centre or,
    if every field is between_best, as in the best one.
    """
    fine = search.fine
    assert fine is not None
    best, around = centres[: fine.centres], centre_of(fine, number) or 0
    ranges = {key: _fine_range(search, key, best[around], best) for key in sorted(fine.space)}
    chances = Chances(seed, FINE, tuple(ranges))
    drawn = {key: _uniform(*ranges[key], u) for key, u in zip(ranges, chances.of(number), strict=True)}
    if distinct:
        cards = {key: few for key, (low, high) in ranges.items() if (few := _few(low, high))}
        first = 1 + around * fine.trials
        drawn |= deal(chances, cards, number, first, 1 if len(cards) == len(ranges) else None)
    return best[around] | drawn


def _fine_range(
    search: SearchConfig, key: str, centre: Values, best: Sequence[Values]
) -> tuple[Number, Number]:
    assert search.fine is not None
    if width := search.fine.space[key].uniform_within:
        return _around(search.coarse.space[key], centre[key], width)
    return _hull([values[key] for values in best])


def _is_per_centre(fine: Fine) -> bool:
    return any(around.uniform_within for around in fine.space.values())


def _draw(draw: Draw, u: float) -> Any:
    if values := draw.values or draw.grid:
        return values[floor(u * len(values))]
    return (_log_uniform if draw.log_uniform else _uniform)(*draw.bounds, u)


def describe_values(values: Values) -> str:
    """Return the values of a trial in words.

    >>> describe_values({"network.hidden": [20, 20], "training.lambda": 0.0045081234})
    'network.hidden [20, 20], training.lambda 0.0045081'
    """
    return ", ".join(f"{key} {short_value(value)}" for key, value in values.items())


def may_be_drawn(draw: Draw, value: Any) -> bool:
    """Return whether a value is one that the draw can give."""
    if draw.uniform or draw.log_uniform:
        low, high = draw.bounds
        return type(value) is type(low) and low <= value <= high
    return any(type(value) is type(each) and value == each for each in draw.given)


def _cards(draw: Draw) -> Sequence[Any]:
    """Return what is dealt out; nothing if it is drawn from a range of many numbers, or a grid."""
    return draw.values or (_few(*draw.bounds) if draw.uniform else ())


def _few(low: Number, high: Number) -> Sequence[int]:
    """Return the whole numbers of a range, if it is one of few."""
    return range(low, high + 1) if isinstance(low, int) and isinstance(high, int) and high - low < FEW else ()


def _uniform(low: Number, high: Number, u: float) -> Number:
    if isinstance(low, int):  # where the field takes whole numbers only: Coarse sees to that
        return low + floor(u * (high - low + 1))
    return low + u * (high - low)


def _log_uniform(low: Number, high: Number, u: float) -> Number:
    drawn = 10 ** (log10(low) + u * (log10(high) - log10(low)))
    inside = min(max(drawn, low), high)  # rounding may leave the range
    return round(inside) if isinstance(low, int) else inside


def _around(draw: Draw, centre: Number, width: float) -> tuple[Number, Number]:
    low, high = draw.bounds
    step = int(width) if isinstance(low, int) else width
    return max(centre - step, low), min(centre + step, high)


def _hull(numbers: Sequence[Number]) -> tuple[Number, Number]:
    return min(numbers), max(numbers)


def _take_in_turn(space: Mapping[str, Draw], number: int) -> Values:
    """Return the grids' part of a trial: its number, from 0, in digits, each field a place."""
    index, values = number - 1, {}
    for key in sorted(space, reverse=True):
        if grid := space[key].grid:
            index, digit = divmod(index, len(grid))
            values[key] = grid[digit]
    return values
