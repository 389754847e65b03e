"""Values of the trials of a search, each from the seed and the trial's number alone.

Trial i of a stage draws from its own generator, default_rng([seed, stage, i]): one number u, uniform in
[0, 1), for each field of the stage's space, the fields in alphabetical order. So a trial is the same
whatever the order in the YAML, the number of trials, or the process that asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor, log10

import numpy as np

from cifarmlp.config import Coarse, Draw, Fine, SearchConfig

Values = dict[str, int | float]  # dotted key -> value

# With the same seed, 0 draws the weights, 1 the order of the mini-batches, 2 what gradients are checked on.
COARSE, FINE = 3, 4


def coarse_values(coarse: Coarse, seed: int, number: int) -> Values:
    """Return the values of coarse trial `number`, from 1.

        uniform [a, b]       a + u (b - a);      of whole numbers  a + floor(u (b - a + 1))
        log_uniform [a, b]   10 ** (log10 a + u (log10 b - log10 a));  whole numbers are rounded
        values               each of the n with probability 1/n

    Grids are taken in turn, in all combinations: in alphabetical order the last field changes with every
    trial and the first one slowest. After the last combination comes the first.

    >>> space = {"seed": {"grid": [1, 2]}, "training.lambda": {"log_uniform": [1e-5, 1e-1]}}
    >>> for number in (1, 2, 3):
    ...     values = coarse_values(Coarse(trials=3, space=space), seed=1, number=number)
    ...     print(values["seed"], f"{values['training.lambda']:.2g}")
    1 0.093
    2 0.0074
    1 0.011
    """
    chances = _chances(coarse.space, seed, COARSE, number)
    drawn = {key: _draw(coarse.space[key], u) for key, u in chances.items()}
    return drawn | _take_in_turn(coarse.space, number)


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


def fine_values(search: SearchConfig, seed: int, number: int, centres: Sequence[Values]) -> Values:
    """Return the values of fine trial `number`, from 1, given those of the best coarse trials, best first.

    The centres are the first `fine.centres`, or as many as there are: at least one. With c a centre's value:

        uniform_within w    uniform in [c - w, c + w]; trials 1 to `fine.trials` are around the best centre,
                            as many again around the second, and so on
        between_best        uniform in [min c, max c], over the centres

    Neither leaves the range that the coarse search draws from, so lambda is never negative. A field that is
    not drawn is as in the centre or, if every field is between_best, as in the best one.
    """
    fine = search.fine
    assert fine is not None
    best = centres[: fine.centres]
    centre = best[centre_of(fine, number) or 0]
    drawn = {}
    for key, u in _chances(fine.space, seed, FINE, number).items():
        if width := fine.space[key].uniform_within:
            low, high = _around(search.coarse.space[key], centre[key], width)
        else:
            low, high = _hull([values[key] for values in best])
        drawn[key] = _uniform(low, high, u)
    return centre | drawn


def _is_per_centre(fine: Fine) -> bool:
    return any(around.uniform_within for around in fine.space.values())


def _chances(space: Iterable[str], seed: int, stage: int, number: int) -> dict[str, float]:
    """Return the u of each field."""
    keys = sorted(space)
    chances = np.random.default_rng([seed, stage, number]).random(len(keys))
    return dict(zip(keys, chances.tolist(), strict=True))


def _draw(draw: Draw, u: float) -> int | float:
    if numbers := draw.values or draw.grid:
        return numbers[floor(u * len(numbers))]
    return (_log_uniform if draw.log_uniform else _uniform)(*draw.bounds, u)


def _uniform(low: int | float, high: int | float, u: float) -> int | float:
    if isinstance(low, int):  # where the field takes whole numbers only: Coarse sees to that
        return low + floor(u * (high - low + 1))
    return low + u * (high - low)


def _log_uniform(low: int | float, high: int | float, u: float) -> int | float:
    drawn = 10 ** (log10(low) + u * (log10(high) - log10(low)))
    inside = min(max(drawn, low), high)  # rounding may leave the range
    return round(inside) if isinstance(low, int) else inside


def _around(draw: Draw, centre: int | float, width: float) -> tuple[int | float, int | float]:
    low, high = draw.bounds
    step = int(width) if isinstance(low, int) else width
    return max(centre - step, low), min(centre + step, high)


def _hull(numbers: Sequence[int | float]) -> tuple[int | float, int | float]:
    return min(numbers), max(numbers)


def _take_in_turn(space: Mapping[str, Draw], number: int) -> Values:
    """Return the grids' part of a trial: its number, from 0, in digits, each field a place."""
    index, values = number - 1, {}
    for key in sorted(space, reverse=True):
        if grid := space[key].grid:
            index, digit = divmod(index, len(grid))
            values[key] = grid[digit]
    return values
