"""Numeric derivatives at 0 of a function of one number, and how far they can be trusted.

The function returns its value and, for each place where it may have a kink, the side that it is on.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Function = Callable[[float], tuple[float, NDArray[np.bool_]]]

LARGEST, HALVINGS = 2.0**13, 19  # of the careful difference: its first step in steps of the quick one
SAFETY = 10.0  # the estimate of the error has its size and is no bound


def quick_difference(f: Function, h: float) -> float:
    """Return (f(h) - f(-h)) / 2h for the largest of h, h/4 and h/16 that crosses no kink, or nan."""
    for size in (h, h / 4, h / 16):
        (up, sides_up), (down, sides_down) = f(size), f(-size)
        if np.array_equal(sides_up, sides_down):
            return (up - down) / (2 * size)
    return np.nan


def careful_difference(f: Function, h: float) -> tuple[float, float]:
    """Return the derivative and about ten times its error; nan and nan where every step crosses a kink.

    Centred differences over steps from 8192 h down, halved again and again, and extrapolated to a step of
    zero: Ridders 1982, 'Accurate computation of F'(x) and F'(x) F''(x)'; Press et al., Numerical Recipes,
    section 5.7. Long steps make the value's rounding small, and the extrapolation takes out its curvature.

    >>> derivative, error = careful_difference(lambda t: (float(np.exp(t)), np.empty(0, bool)), 1e-5)
    >>> bool(abs(derivative - 1) < error < 1e-10)
    True
    """
    best, least, (_, sides) = np.nan, np.inf, f(0.0)
    row: list[float] = []
    for n in range(HALVINGS):
        size = h * LARGEST / 2**n
        (up, sides_up), (down, sides_down) = f(size), f(-size)
        if not (np.array_equal(sides_up, sides) and np.array_equal(sides_down, sides)):
            continue
        above, row = row, _extrapolate(row, (up - down) / (2 * size))
        rounding = np.finfo(float).eps * (abs(up) + abs(down)) / size
        for k in range(1, len(row)):
            error = max(abs(row[k] - row[k - 1]), abs(row[k] - above[k - 1])) + rounding
            if error < least:
                best, least = row[k], error
        if least < abs(best) * 1e-10 or (len(row) > 1 and abs(row[-1] - above[-1]) > 1e3 * least):
            break  # exact enough, or rounding grows from here on
    return best, SAFETY * least if np.isfinite(best) else np.nan


def _extrapolate(above: Sequence[float], value: float) -> list[float]:
    """Return the next row of the tableau: a derivative, then extrapolations with those of longer steps."""
    row = [value]
    for k, old in enumerate(above, start=1):
        row.append(row[-1] + (row[-1] - old) / (4**k - 1))
    return row
