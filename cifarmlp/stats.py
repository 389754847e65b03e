"""Means, standard deviations and intervals over seeds."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

CONFIDENCE = 0.95


def mean_interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean of n paired differences and its 95 % interval by Student's t with n - 1 degrees of freedom.

        mean ± t s / sqrt(n),   s² = sum (d - mean)² / (n - 1)

    The interval is nan for fewer than two. Student 1908, 'The Probable Error of a Mean'.
    """
    from scipy.special import stdtrit

    n = len(differences)
    mean = float(np.mean(differences)) if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * np.std(differences, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def format_mean_std(statistics: Mapping[str, float]) -> str:
    """A metric of `summarise` as people read it: `0.5373 ± 0.0038`, of one seed `0.5373`, of none `-`."""
    if not math.isfinite(statistics["mean"]):
        return "-"
    if statistics["n"] == 1:
        return f"{statistics['mean']:.4f}"
    return f"{statistics['mean']:.4f} ± {statistics['std']:.4f}"


def mean_and_std(numbers: Sequence[float]) -> dict[str, float]:
    """Mean, standard deviation (n - 1; nan for one number) and n."""
    std = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else float("nan")
    mean = float(np.mean(numbers)) if numbers else float("nan")
    return {"mean": mean, "std": std, "n": len(numbers)}


def prediction_half_width(values: Sequence[float]) -> float:
    """Of the 95 % prediction interval for one more value: t s sqrt(1 + 1/n), t with n - 1 degrees of freedom.

    nan for fewer than two values.
    """
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return math.nan
    t = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    return t * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n)


def chance_limit(p: float, n: int) -> float:
    """Return the accuracy on n images that guessing, right with probability p, stays below.

    Three standard errors above p:

        p + 3 sqrt(p (1 - p) / n)

    >>> round(chance_limit(0.1, 10_000), 4)
    0.109
    """
    return p + 3 * math.sqrt(p * (1 - p) / n)
