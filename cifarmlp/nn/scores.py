"""Scores of predicted classes: confusion matrix; precision, recall and F1 by class; macro F1."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer[Any]] | NDArray[np.floating[Any]]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Precision, recall and F1 of each class, (C,) float64, and the macro F1."""

    precision: Shares
    recall: Shares
    f1: Shares
    macro_f1: float


def confusion(labels: NDArray[Any], predicted: NDArray[Any], classes: int = 10) -> NDArray[np.int64]:
    """Return the confusion matrix (C, C): row i, column j counts the images of class i predicted as j.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
    array([[1, 1],
           [0, 1]])
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def scores(counts: Counts) -> Scores:
    """Return the scores of a confusion matrix (C, C), rows true, columns predicted.

    With t the right ones of a class, p those predicted as it, n those of it:

        precision = t / p      recall = t / n      F1 = 2 t / (p + n)

    and 0 where that would divide by 0. The macro F1 is the mean of F1 over the classes that occur, as a label
    or as a prediction (van Rijsbergen 1979, chapter 7, and scikit-learn's `f1_score(average="macro")`).

    >>> ours = scores(np.array([[8, 2, 0], [4, 6, 0], [5, 5, 0]]))
    >>> print(ours.precision.round(4), ours.recall, ours.f1.round(4), round(ours.macro_f1, 4))
    [0.4706 0.4615 0.    ] [0.8 0.6 0. ] [0.5926 0.5217 0.    ] 0.3714
    """
    right, p, n = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
    f1 = _share(2 * right, p + n)
    occurring = p + n > 0
    macro_f1 = float(f1[occurring].mean()) if occurring.any() else float("nan")
    return Scores(_share(right, p), _share(right, n), f1, macro_f1)


def _share(part: Counts, whole: Counts) -> Shares:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
