"""Rank trials by validation accuracy, and say which differences are noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cifarmlp.stats import accuracy_error

STOPPED = "stopped"  # behind others at the end of a cycle, see HalvingConfig
STATUS = ("finished", STOPPED, "diverged", "failed")  # the worst last


@dataclass(frozen=True)
class Result:
    """Result of one training of a trial; nan where there is no number.

    status: of STATUS. steps: at which it ended; 0 if that is unknown, as in searches of version 0.1.
    """

    trial: int
    seed: int
    status: str
    train_accuracy: float = math.nan
    validation_accuracy: float = math.nan
    validation_loss: float = math.nan
    seconds: float = math.nan
    reason: str = ""  # of a failure
    steps: int = 0


@dataclass(frozen=True)
class Trial(Result):
    """Means over a trial's `seeds` seeds, `seed` being the first; seconds: their sum.

    validation_std: standard deviation (n - 1) of the validation accuracy.
    """

    seeds: int = 1
    validation_std: float = math.nan


def trial_of(results: Sequence[Result]) -> Trial:
    """Return the trial of these seeds' results, with the worst status among them.

    >>> trial = trial_of([Result(7, 1, "finished", 0.60, 0.50), Result(7, 2, "finished", 0.62, 0.52)])
    >>> round(trial.validation_accuracy, 4), round(trial.validation_std, 4)
    (0.51, 0.0141)
    """
    first = min(results, key=lambda result: result.seed)
    accuracies = [result.validation_accuracy for result in results]
    return Trial(
        first.trial,
        first.seed,
        status=max((result.status for result in results), key=STATUS.index),
        train_accuracy=float(np.mean([result.train_accuracy for result in results])),
        validation_accuracy=float(np.mean(accuracies)),
        validation_loss=float(np.mean([result.validation_loss for result in results])),
        seconds=float(np.sum([result.seconds for result in results])),
        seeds=len(results),
        reason=next((result.reason for result in results if result.reason), ""),
        validation_std=float(np.std(accuracies, ddof=1)) if len(results) > 1 else math.nan,
        steps=min(result.steps for result in results),
    )


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Return the finished trials, best first.

    By validation accuracy, then the lower validation loss, then the lower number. Trials whose accuracy is
    nan are left out, too.

    >>> trials = [Trial(1, 1, "finished", 0.6, 0.50), Trial(2, 1, "finished", 0.6, 0.54)]
    >>> [trial.trial for trial in rank([*trials, Trial(3, 1, "diverged")])]
    [2, 1]
    """
    finished = [t for t in trials if t.status == "finished" and math.isfinite(t.validation_accuracy)]
    return sorted(finished, key=lambda t: (-t.validation_accuracy, t.validation_loss, t.trial))


def noise(trials: Sequence[Trial], validation_images: int) -> float:
    """Return the standard error of a trial's validation accuracy.

    With several seeds, pooled from the trials: the square root of the mean of std² / seeds; with one seed
    NOISE / sqrt(validation_images).

    >>> round(noise([Trial(1, 1, "finished", 0.6, 0.5)], 1000), 4)
    0.0101
    """
    variances = [trial.validation_std**2 / trial.seeds for trial in trials if trial.seeds > 1]
    if variances:
        return float(np.sqrt(np.mean(variances)))
    return accuracy_error(validation_images)


def count_indistinguishable(best_first: Sequence[Trial], standard_error: float) -> int:
    """Return how many trials, the best included, are not significantly worse than the best.

    They are within twice the standard error of a difference, which is sqrt(2) times that of an accuracy.

    >>> trials = [Trial(1, 1, "finished", 0.6, 0.54), Trial(2, 1, "finished", 0.6, 0.52)]
    >>> count_indistinguishable(trials, 0.01), count_indistinguishable(trials, 0.005)
    (2, 1)
    """
    limit = 2 * math.sqrt(2) * standard_error
    best = best_first[0].validation_accuracy
    return sum(best - trial.validation_accuracy <= limit for trial in best_first)
