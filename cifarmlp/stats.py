"""Means, standard deviations and intervals over seeds."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

CONFIDENCE = 0.95
HUGE = 1e6
# The standard deviation over 20 seeds of report-2/best-model was 0.0109 on 1,000 validation images and 0.0030
# on 10,000 test images: 0.34 / sqrt(n) and 0.30 / sqrt(n).
NOISE = 0.32
FEW_IMAGES = 100  # below which a choice by their accuracy is mostly luck


def mean_interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean of n paired differences and its 95 % confidence interval, as (mean, low, high).

        mean ± t s / sqrt(n),   s² = sum (d - mean)² / (n - 1)

    with t of Student's distribution with n - 1 degrees of freedom. The interval is nan for fewer than two.
    Student 1908, 'The Probable Error of a Mean'.

    >>> [round(number, 2) for number in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    n = len(differences)
    mean = float(np.mean(differences)) if n else math.nan
    half = _student_t(n) * float(np.std(differences, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    return mean, mean - half, mean + half


def _student_t(n: int) -> float:
    """Two-sided 95 % quantile of Student's t with n - 1 degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))


def format_mean_std(statistics: Mapping[str, float]) -> str:
    """Return a `mean_and_std` as text, with the standard deviation where there is one.

    >>> format_mean_std({"mean": 0.5373, "std": 0.0038, "n": 3})
    '0.5373 ± 0.0038'
    """
    if not math.isfinite(statistics["mean"]) or statistics["n"] == 1:
        return format_number(statistics["mean"])
    return f"{format_number(statistics['mean'])} ± {format_number(statistics['std'])}"


def format_number(number: float | None) -> str:
    """Return a number with four decimals, or a power of ten where it is huge; a dash for None or nan.

    >>> format_number(0.53729), format_number(123456789.0), format_number(math.nan)
    ('0.5373', '1.2346e+08', '-')
    """
    if number is None or not math.isfinite(number):
        return "-"
    return f"{number:.4f}" if abs(number) < HUGE else f"{number:.4e}"


def mean_and_std(numbers: Sequence[float]) -> dict[str, float]:
    """Mean, standard deviation (divided by n - 1; nan for one number) and n.

    >>> mean_and_std([1.0, 2.0, 3.0])
    {'mean': 2.0, 'std': 1.0, 'n': 3}
    """
    std = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else float("nan")
    mean = float(np.mean(numbers)) if numbers else float("nan")
    return {"mean": mean, "std": std, "n": len(numbers)}


def prediction_half_width(values: Sequence[float]) -> float:
    """Half the width of the 95 % prediction interval for one more value; nan for fewer than two.

        t s sqrt(1 + 1 / n)

    with t of Student's distribution with n - 1 degrees of freedom.

    >>> round(prediction_half_width([1.0, 2.0, 3.0]), 2)
    4.97
    """
    n = len(values)
    return _student_t(n) * float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n) if n > 1 else math.nan


def standard_error(p: float, n: int) -> float:
    """Binomial standard error of an accuracy p on n images.

        sqrt(p (1 - p) / n)

    >>> round(standard_error(0.5, 10_000), 4)
    0.005
    """
    return math.sqrt(p * (1 - p) / n)


def accuracy_error(images: int) -> float:
    """Standard error of a trained network's accuracy on so many images, over seeds, as it was measured.

    >>> round(accuracy_error(1000), 4)
    0.0101
    """
    return NOISE / math.sqrt(images)


def doubt_of_few(choice: str, validation_images: int) -> str:
    """Return a sentence for a choice by so few validation images that it is mostly luck; else ''.

    >>> doubt_of_few("ranked", 1).partition("; ")[0]
    'ranked by 1 validation image, which is mostly luck: an accuracy has a standard error of about 0.32'
    """
    if validation_images >= FEW_IMAGES:
        return ""
    count = f"{validation_images} validation image{'s' * (validation_images > 1)}"
    error = accuracy_error(validation_images)
    doubt = f"mostly luck: an accuracy has a standard error of about {error:.2f}"
    return f"{choice} by {count}, which is {doubt}; take {FEW_IMAGES} or more, better 1000"


def chance_limit(p: float, n: int) -> float:
    """Accuracy on n images that guessing, right with probability p, stays below; p + 3 standard errors.

        p + 3 sqrt(p (1 - p) / n)

    >>> round(chance_limit(0.1, 10_000), 4)
    0.109
    """
    return p + 3 * standard_error(p, n)
