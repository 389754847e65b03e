"""Which trials of a search are the best, and whether that can be told: by validation accuracy only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# The standard deviation over 20 seeds of report-2/best-model was 0.0109 on 1,000 validation images and 0.0030
# on 10,000 test images: 0.34 / sqrt(n) and 0.30 / sqrt(n).
NOISE = 0.32


@dataclass(frozen=True)
class Result:
    """What one training of a trial came to; status: finished, diverged or failed. nan where there is none."""

    trial: int
    seed: int
    status: str
    train_accuracy: float = math.nan
    validation_accuracy: float = math.nan
    validation_loss: float = math.nan
    seconds: float = math.nan
    reason: str = ""  # of a failure


@dataclass(frozen=True)
class Trial(Result):
    """The means over a trial's `seeds` seeds (`seed` is the first), and the std of its accuracy (n - 1)."""

    seeds: int = 1
    validation_std: float = math.nan


def trial_of(results: Sequence[Result]) -> Trial:
    """A trial from the results of all its seeds; finished only if all are."""
    first = min(results, key=lambda result: result.seed)
    worst = next((r.status for r in results if r.status == "failed"), None)
    worst = worst or next((r.status for r in results if r.status == "diverged"), "finished")
    accuracies = [result.validation_accuracy for result in results]
    return Trial(
        first.trial, first.seed, worst,
        train_accuracy=float(np.mean([r.train_accuracy for r in results])),
        validation_accuracy=float(np.mean(accuracies)),
        validation_loss=float(np.mean([r.validation_loss for r in results])),
        seconds=float(np.sum([r.seconds for r in results])),
        seeds=len(results),
        reason=next((r.reason for r in results if r.reason), ""),
        validation_std=float(np.std(accuracies, ddof=1)) if len(results) > 1 else math.nan,
    )  # fmt: skip


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """The finished ones, best first: by validation accuracy, then the lower validation loss.

    One whose last step made its accuracy nan is not among them.
    """
    finished = [t for t in trials if t.status == "finished" and math.isfinite(t.validation_accuracy)]
    return sorted(finished, key=lambda t: (-t.validation_accuracy, t.validation_loss, t.trial))


def noise(trials: Sequence[Trial], validation_images: int) -> float:
    """The standard deviation of a trial's mean accuracy over its seeds.

    From the trials themselves, pooled, where they have several seeds each; else NOISE / sqrt(images).
    """
    variances = [trial.validation_std**2 / trial.seeds for trial in trials if trial.seeds > 1]
    if variances:
        return float(np.sqrt(np.mean(variances)))
    return NOISE / math.sqrt(validation_images)


def count_indistinguishable(best_first: Sequence[Trial], of_a_trial: float) -> int:
    """How many trials, with the best, are within two standard errors of a difference from the best."""
    limit = 2 * math.sqrt(2) * of_a_trial
    best = best_first[0].validation_accuracy
    return sum(best - trial.validation_accuracy <= limit for trial in best_first)
