"""Learning-rate schedules: a factory validates once and returns step -> eta, a pure function.

Rates may be floats or (K,) arrays, one rate a member; eta then has the same shape.
"""

import math
from collections.abc import Callable

import numpy as np

from cifarmlp.nn.types import Float

Rate = float | Float
Schedule = Callable[[int], Rate]


def cyclic(eta_min: Rate, eta_max: Rate, n_s: int) -> Schedule:
    """Triangular cyclical learning rate: Smith 2017, 'Cyclical Learning Rates for Training Neural Networks'.

    With phase t = (step mod 2 n_s) / n_s in [0, 2):

        eta = eta_min + (1 - |t - 1|) (eta_max - eta_min)

    up from eta_min for n_s steps, down again for n_s steps. Raises ValueError if n_s < 1, a rate is
    negative or eta_min > eta_max.

    >>> schedule = cyclic(0.0, 1.0, n_s=4)
    >>> [schedule(step) for step in range(10)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0, 0.25]
    """
    if n_s < 1 or np.any(np.less(eta_min, 0)) or np.any(np.less(eta_max, eta_min)):
        raise ValueError("cyclic needs n_s >= 1 and 0 <= eta_min <= eta_max")
    span = eta_max - eta_min

    def eta(step: int) -> Rate:
        return eta_min + (1 - abs(step % (2 * n_s) / n_s - 1)) * span

    return eta


def constant(eta: Rate, decay: float = 1.0, steps_per_decay: int = 1) -> Schedule:
    """Constant, but times `decay` after so many steps: eta · decay^(step // steps_per_decay).

    Raises ValueError if a rate is not positive, decay is outside (0, 1] or steps_per_decay < 1.

    >>> schedule = constant(0.8, decay=0.5, steps_per_decay=2)
    >>> [schedule(step) for step in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """
    if np.any(np.less_equal(eta, 0)) or not 0 < decay <= 1 or steps_per_decay < 1:
        raise ValueError("constant needs eta > 0, 0 < decay <= 1 and steps_per_decay >= 1")
    return lambda step: eta * decay ** (step // steps_per_decay)


def cosine(eta: Rate, steps: int, eta_min: Rate = 0.0, warmup: int = 0) -> Schedule:
    """Half a cosine from eta down to eta_min; Loshchilov and Hutter 2017, 'SGDR', eq. 5, without restarts.

    With t = (step - warmup) / (steps - warmup), at most 1:

        eta_min + (1 + cos(pi t)) / 2 (eta - eta_min)

    Before that, in the first `warmup` steps, linear from near 0: eta (step + 1) / (warmup + 1), after Goyal
    et al. 2017, section 2.2. From `steps` on it stays at eta_min. Raises ValueError if not 0 <= warmup <
    steps, or not 0 <= eta_min <= eta.

    >>> schedule = cosine(1.0, steps=6, warmup=2)
    >>> [round(schedule(step), 3) for step in range(8)]
    [0.333, 0.667, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    if not 0 <= warmup < steps or np.any(np.less(eta_min, 0)) or np.any(np.less(eta, eta_min)):
        raise ValueError("cosine needs 0 <= warmup < steps and 0 <= eta_min <= eta")

    def rate(step: int) -> Rate:
        if step < warmup:
            return eta * ((step + 1) / (warmup + 1))
        return _half_cosine(eta, eta_min, (step - warmup) / (steps - warmup))

    return rate


def one_cycle(
    eta_max: Rate,
    steps: int,
    rise: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    shape: str = "cosine",
) -> Schedule:
    """One cycle: up to eta_max in the share `rise` of the steps, then down to far below the first rate.

    Smith and Topin 2018, 'Super-Convergence', with the numbers of PyTorch's OneCycleLR: the first rate is
    eta_max / div_factor, that of the last step is the first / final_div_factor, and the peak is at step
    rise · steps - 1, between two steps where that is no whole number. Either way as a line (`linear`, as in
    the paper) or half a cosine (`cosine`). From the last step on it stays. Raises ValueError for a negative
    rate, no steps, a rise outside (0, 1), a factor below 1 or an unknown shape.

    >>> schedule = one_cycle(1.0, steps=10, div_factor=10, final_div_factor=10, shape="linear")
    >>> [round(schedule(step), 3) for step in range(10)]
    [0.1, 0.55, 1.0, 0.859, 0.717, 0.576, 0.434, 0.293, 0.151, 0.01]
    """
    if np.any(np.less(eta_max, 0)) or steps < 1 or not 0 < rise < 1 or min(div_factor, final_div_factor) < 1:
        raise ValueError("one_cycle needs eta_max >= 0, steps >= 1, 0 < rise < 1 and factors of at least 1")
    if shape not in SHAPES:
        raise ValueError(f"one_cycle: {shape!r} is no shape; there are {', '.join(SHAPES)}")
    between, first = SHAPES[shape], eta_max / div_factor
    last, peak = first / final_div_factor, max(rise * steps - 1, 0.0)

    def rate(step: int) -> Rate:
        if step < peak:
            return between(first, eta_max, step / peak)
        return between(eta_max, last, (step - peak) / (steps - 1 - peak) if step < steps - 1 else 1.0)

    return rate


def _line(begin: Rate, end: Rate, share: float) -> Rate:
    return begin + share * (end - begin)


def _half_cosine(begin: Rate, end: Rate, share: float) -> Rate:
    return end + (1 + math.cos(math.pi * min(share, 1.0))) / 2 * (begin - end)


SHAPES = {"linear": _line, "cosine": _half_cosine}
