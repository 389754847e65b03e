"""Learning-rate schedules: a factory validates once and returns step -> eta, a pure function.

Rates may be floats or (K,) arrays, one rate a member; eta then has the same shape.
"""

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


def constant(eta: Rate, decay: float = 1.0, steps_per_epoch: int = 1) -> Schedule:
    """Constant within an epoch, times `decay` after each: eta · decay^epoch, epoch = step // steps_per_epoch.

    Raises ValueError if a rate is not positive, decay is outside (0, 1] or steps_per_epoch < 1.

    >>> schedule = constant(0.8, decay=0.5, steps_per_epoch=2)
    >>> [schedule(step) for step in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """
    if np.any(np.less_equal(eta, 0)) or not 0 < decay <= 1 or steps_per_epoch < 1:
        raise ValueError("constant needs eta > 0, 0 < decay <= 1 and steps_per_epoch >= 1")
    return lambda step: eta * decay ** (step // steps_per_epoch)
