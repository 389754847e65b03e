"""Published differences of gradients: which known mistakes are wrong in the same parameters."""

from collections.abc import Mapping, Sequence

import numpy as np

from cifarmlp.config import Config, override_with
from cifarmlp.nn.gradcheck import relative_difference
from cifarmlp.owncode.case import draw_case, small
from cifarmlp.owncode.mistakes import MISTAKES
from cifarmlp.owncode.reference import Case, Quantities, Steps, answers_of
from cifarmlp.owncode.variants import Mistake

SEED = 1


def mistakes_with_pattern(names: Sequence[str], reported: Mapping[str, float], limit: float) -> list[Mistake]:
    """Return the mistakes of the backward pass whose gradients are wrong in the same parameters as reported.

    names: the parameters of the network, W1, b1, gamma1, beta1, ... reported: the relative difference of each
    one's gradient; from `limit` on it is wrong, and names that the network does not have are left out. A
    gradient check compares a program's gradients with its own forward pass, whose mistakes do not count.
    """
    case = _case_with(names)
    right, _ = answers_of(case)
    known = [name for name in names if name in reported]
    wrong = {name for name in known if not reported[name] < limit}
    return [mistake for mistake in MISTAKES if wrong and _makes(mistake, case, right, known, wrong, limit)]


def _case_with(names: Sequence[str]) -> Case:
    """Return a case of a network with parameters of these names."""
    changes = {
        "network.hidden": [10] * (sum(name[0] == "W" for name in names) - 1),
        "network.batch_norm": "gamma1" in names,
        "training.lambda": 0.005,
    }
    config = override_with(Config(name="pattern"), changes)
    return draw_case(config, *small(config), images=20, rng=np.random.default_rng([SEED, 3]))


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
    return {name for name in names if relative_difference(theirs[f"d{name}"], right[f"d{name}"]) >= limit}
