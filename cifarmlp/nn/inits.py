"""Initial weights: draws from a zero-mean normal, with a standard deviation for each layer."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from cifarmlp.nn.types import Float

Init = str | float | tuple[str | float, str | float]  # of all layers, or of the hidden ones and the last

SIGMAS = {
    "he": lambda fan_in, fan_out: math.sqrt(2.0 / fan_in),
    "lecun": lambda fan_in, fan_out: math.sqrt(1.0 / fan_in),
    "xavier": lambda fan_in, fan_out: math.sqrt(2.0 / (fan_in + fan_out)),
}


def sigma_of(init: str | float, fan_in: int, fan_out: int) -> float:
    """Return the standard deviation of the initial weights of a layer (fan_in, fan_out).

    `"he"`: sqrt(2 / fan_in), He et al. 2015, eq. 10. `"xavier"`: sqrt(2 / (fan_in + fan_out)),
    Glorot and Bengio 2010, eq. 12. `"lecun"`: sqrt(1 / fan_in), LeCun et al. 1998, 'Efficient BackProp',
    eq. 16. A number is the standard deviation itself.
    Raises KeyError if the name is unknown.

    >>> sigma_of("he", 50, 10), sigma_of("xavier", 30, 20), sigma_of(0.001, 50, 10)
    (0.2, 0.2, 0.001)
    """
    return SIGMAS[init](fan_in, fan_out) if isinstance(init, str) else init


def draw_weights(generator: np.random.Generator, sizes: Sequence[int], init: Init) -> list[Float]:
    """Return W ~ N(0, sigma²), one (in, out) float64 array a layer, for layer sizes [in, hidden..., out].

    float64 whatever the network's dtype, so that both precisions start from the same weights.
    """
    hidden, output = init if isinstance(init, tuple) else (init, init)
    shapes = list(itertools.pairwise(sizes))
    inits = [hidden] * (len(shapes) - 1) + [output]
    return [
        sigma_of(each, i, o) * generator.standard_normal((i, o))
        for each, (i, o) in zip(inits, shapes, strict=True)
    ]
