"""Two configs compared over the same seeds: the paired difference with its confidence interval."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp import runs
from cifarmlp.outcome import PARTS, Outcome

CONFIDENCE = 0.95


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
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


def compare(
    first_folder: Path, first: Sequence[Outcome], folder: Path, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Write difference.json to the second one's folder; returns what it holds. Raises RunFolderError."""
    found = {"run": str(folder), "minus": str(first_folder), "accuracy": differences(first, outcomes)}
    runs.write_json(folder / "difference.json", found)
    return found


def differences(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, Any]:
    """Accuracy of the second minus that of the first, over the seeds that both have: by part of the data.

    Seeds that a training was interrupted in, or that diverged, have no accuracy and are left out.
    """
    before = {outcome.seed: outcome for outcome in first}
    pairs = [(before[outcome.seed], outcome) for outcome in second if outcome.seed in before]
    found: dict[str, Any] = {}
    for part in PARTS:
        values = [_accuracy(new, part) - _accuracy(old, part) for old, new in pairs]
        known = [value for value in values if math.isfinite(value)]
        mean, low, high = interval(known)
        found[part] = {"mean": mean, "low": low, "high": high, "n": len(known)}
    return found


def _accuracy(outcome: Outcome, part: str) -> float:
    return outcome.metrics.get(part, {}).get("accuracy", math.nan)
