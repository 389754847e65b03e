"""Means of curves over seeds: rows of metrics.csv in, arrays out.

    rows of metrics.csv, one a seed -> MeanCurve, mean_and_std_by_step

Two rules for a mean over seeds: `mean_and_std_by_step` has every step that any seed reached, over the seeds
that did; `MeanCurve.of` has only the steps that all seeds reached, so that its n holds along the curve.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = Mapping[str, float]
Curve = NDArray[np.floating[Any]]

PARTS = ("train", "validation", "test")
COMPARED = ("loss", "accuracy")
ALWAYS = tuple(f"train_{quantity}" for quantity in COMPARED)
MEAN_COLUMNS = tuple(f"{part}_{quantity}" for part in PARTS for quantity in COMPARED)


def parts_in(trainings: Iterable[Iterable[Iterable[str]]]) -> list[str]:
    """Return the parts of the data that rows of metrics.csv have, by their columns.

    >>> parts_in([[{"step": 0, "train_loss": 2.3, "test_loss": 2.3}]])
    ['train', 'test']
    """
    columns = {column for rows in trainings for row in rows for column in row}
    return [part for part in PARTS if part == "train" or f"{part}_loss" in columns]


def has_diverged(rows: Sequence[Row]) -> bool:
    """Return whether a loss of the training images is not finite.

    >>> has_diverged([{"step": 0, "train_loss": 2.3}, {"step": 8, "train_loss": math.nan}])
    True
    """
    return not all(math.isfinite(row.get("train_loss", 0.0)) for row in rows)


@dataclass(frozen=True)
class MeanCurve:
    """Mean and std over n seeds, by column as `train_loss`, each (len(steps),); std is empty for n = 1.

    A part of the data that a seed was not measured on has no columns. lost: of each seed that diverged and is
    not among the n, its own curve.
    """

    steps: tuple[float, ...]
    mean: Mapping[str, Curve]
    std: Mapping[str, Curve]
    n: int
    lost: tuple["MeanCurve", ...] = ()

    @classmethod
    def of(cls, trainings: Sequence[Sequence[Row]]) -> "MeanCurve":
        """Return mean and std (n - 1) at the steps that all seeds reached, of the rows of their metrics.csv.

        Rows without a step or without loss and accuracy of the training images are left out, and seeds
        without any other row. The mean is nan where a seed's value is not finite, as after it diverged.

        >>> rows = [{"step": step} | dict.fromkeys(MEAN_COLUMNS, 0.5 * step) for step in (0, 10, 20)]
        >>> MeanCurve.of([rows, rows[:2]]).steps
        (0, 10)
        """
        histories = [history for rows in trainings if (history := _rows_by_step(rows))]
        n = len(histories)
        if n == 0:
            return cls((), {}, {}, 0)
        steps = sorted(set.intersection(*map(set, histories)))
        columns = [c for c in MEAN_COLUMNS if all(c in row for h in histories for row in h.values())]
        values = {c: np.array([[h[step][c] for step in steps] for h in histories]) for c in columns}
        mean = {column: array.mean(axis=0) for column, array in values.items()}
        std = {column: array.std(axis=0, ddof=1) for column, array in values.items()} if n > 1 else {}
        return cls(tuple(steps), mean, std, n)

    @classmethod
    def of_finite(cls, trainings: Sequence[Sequence[Row]]) -> "MeanCurve":
        """Return `of` the seeds that did not diverge, and the curves of the others as `lost`."""
        lost = tuple(cls.of([rows]) for rows in trainings if has_diverged(rows))
        return replace(cls.of([rows for rows in trainings if not has_diverged(rows)]), lost=lost)


def _rows_by_step(rows: Sequence[Row]) -> dict[float, dict[str, float]]:
    whole = [row for row in rows if row.keys() >= {"step", *ALWAYS} and math.isfinite(row["step"])]
    return {row["step"]: {c: _finite(row[c]) for c in MEAN_COLUMNS if c in row} for row in whole}


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


@np.errstate(all="ignore")  # values of a diverging seed overflow, and one seed has no std
def mean_and_std_by_step(trainings: Sequence[Sequence[Row]], column: str) -> tuple[Curve, Curve, Curve]:
    """Return the steps that any seed reached, and the mean and std of a column over the seeds that did.

    std: with n - 1, nan for one seed.

    >>> rows = [{"step": 0, "train_loss": 2.0}, {"step": 10, "train_loss": 1.0}]
    >>> steps, mean, std = mean_and_std_by_step([rows, [{"step": 0, "train_loss": 3.0}]], "train_loss")
    >>> steps.tolist(), mean.tolist()
    ([0.0, 10.0], [2.5, 1.0])
    """
    pairs = [(row["step"], row.get(column, math.nan)) for rows in trainings for row in rows]
    reached, values = np.array(pairs, np.float64).reshape(-1, 2).T
    steps, place, n = np.unique(reached, return_inverse=True, return_counts=True)
    mean = np.bincount(place, values, len(steps)) / n
    variance = np.bincount(place, (values - mean[place]) ** 2, len(steps)) / (n - 1)
    return steps, mean, np.sqrt(variance)
