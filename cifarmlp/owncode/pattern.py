"""Published differences of gradients: which known mistakes are wrong in the same parameters."""

from collections.abc import Mapping

import numpy as np

from cifarmlp.config import Config
from cifarmlp.owncode.case import draw_case, small
from cifarmlp.owncode.mistakes import MISTAKES, Mistake
from cifarmlp.owncode.reference import Array, Case, Quantities, Steps, answers_of

SEED = 1


def mistakes_with_pattern(config: Config, reported: Mapping[str, float], limit: float) -> list[Mistake]:
    """Return the mistakes of the backward pass whose gradients are wrong in the same parameters as reported.

    reported: the relative difference of each parameter's gradient, W1, b1, gamma1, ...; from `limit` on it is
    wrong. Parameters that the config's network does not have are left out. A gradient check compares a
    program's gradients with its own forward pass, so mistakes of that do not count.
    """
    pixels, hidden = small(config)
    case = draw_case(config, pixels, hidden, 20, np.random.default_rng([SEED, 3]))
    right, _ = answers_of(case)
    names = [name for name in reported if f"d{name}" in right]
    wrong = {name for name in names if not reported[name] < limit}
    return [mistake for mistake in MISTAKES if wrong and _makes(mistake, case, right, names, wrong, limit)]


def _makes(
    mistake: Mistake, case: Case, right: Quantities, names: list[str], wrong: set[str], limit: float
) -> bool:
    return any(
        _wrong_gradients(answers_of(case, variant(Steps()))[0], right, names, limit) == wrong
        for variant in mistake.variants
    )


def _wrong_gradients(
    theirs: Quantities, right: Quantities, names: list[str], limit: float
) -> set[str] | None:
    """Return the parameters with wrong gradients; None if the forward pass is another."""
    if not all(np.allclose(theirs[name], right[name]) for name in ("P", "loss", "cost")):
        return None
    return {name for name in names if _relative(theirs[f"d{name}"], right[f"d{name}"]) >= limit}


def _relative(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) + np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / size if size > 1e-9 else 0.0
