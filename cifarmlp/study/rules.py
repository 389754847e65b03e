"""Rules of the verdicts: compare published numbers and conclusions with the seeds of our own runs.

A number is inside the spread of seeds if it is no farther from our mean than 95 of 100 further runs of ours
would be; a mean of several runs, if it is no farther than 95 of 100 such means would be.
"""

import math
from collections.abc import Sequence

import numpy as np

from cifarmlp.render.document import Verdict
from cifarmlp.stats import CONFIDENCE, mean_interval, prediction_half_width

RULES = (
    "A reported accuracy of one run is inside the spread of our seeds if it lies in the 95 % prediction "
    "interval for one more run, mean ± t s √(1 + 1/n), with t of Student's distribution with n − 1 degrees "
    "of freedom. With three seeds that is wide, five times their standard deviation to each side. A loss is "
    "judged likewise.",
    "The spread of an accuracy p, or of a macro F1, counts as at least that of chance on its N images, the "
    "binomial standard error √(p (1 − p) / N): no interval is narrower than mean ± 1.96 times that, times "
    "√(1 + 1/n). On 10,000 test images, with three seeds, that is 0.011 to each side, so that seeds which "
    "happen to agree refute no number that is nearer.",
    "A reported mean over several runs is inside if the 95 % interval of the difference of both means "
    "(Welch) contains zero; a reported standard deviation if that of the ratio of both (F) contains one.",
    "Where all our seeds stay at chance level (no better, by three standard errors, than always naming one "
    "class) and the report's run does not, the verdict says that instead; so it does where ours diverge.",
    "A trial of a search is judged by the five trials of ours nearest to its values, as one more run; the "
    "best setting by whether their mean is within two standard errors of our own best.",
    "A gradient is right where analytic and numeric ones differ by less than 1e-5, relative (ours: 1e-7), or "
    "by less than 1e-3 where only a distance was printed.",
    "A conclusion holds if the 95 % interval of the paired difference, seed by seed, lies on its side of "
    "zero. If the interval contains zero, the difference is not significant and the conclusion not decided.",
    "Even of correct numbers, about one in twenty falls outside by chance.",
)
INSIDE = Verdict("inside the spread", "good")
TOO_FEW = Verdict("too few seeds for an interval", "open")


def of_one(reported: float, obtained: Sequence[float], floor: float = 0.0) -> Verdict:
    """Judge a published number of one run: is it in the prediction interval of ours?

    floor: standard deviation of one run that is there whatever ours have, that of an accuracy on n images.

    >>> of_one(0.61, [0.59, 0.60, 0.61]).words
    'inside the spread'
    >>> of_one(0.70, [0.59, 0.60, 0.61]).words
    'outside the spread: above ours'
    >>> of_one(0.70, [0.60]).words
    'too few seeds for an interval'
    >>> of_one(0.5140, [0.5161, 0.5166, 0.5171], floor=0.005).words
    'inside the spread'
    """
    half = _at_least(prediction_half_width(obtained), floor * math.sqrt(1 + 1 / len(obtained)))
    return _inside(reported - float(np.mean(obtained)), half)


def _at_least(half: float, deviation: float) -> float:
    """Return half of an interval, widened to 95 % of a normal distribution with this deviation."""
    from scipy.special import ndtri

    widened = float(ndtri((1 + CONFIDENCE) / 2)) * deviation
    return half if math.isnan(half) else max(half, widened)


def of_mean(reported: float, std: float, n: int, obtained: Sequence[float], floor: float = 0.0) -> Verdict:
    """Judge a published mean of n runs by Welch's t test; floor as in `of_one`.

    Welch 1947, 'The generalization of Student's problem when several different population variances are
    involved'.

    >>> of_mean(0.61, 0.01, 20, [0.59, 0.60, 0.61]).words
    'inside the spread'
    """
    from scipy.special import stdtrit

    m = len(obtained)
    if m < 2:
        return TOO_FEW
    a, b = std**2 / n, float(np.var(obtained, ddof=1)) / m
    half = 0.0
    if a + b != 0:
        freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
        half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(a + b)
    return _inside(reported - float(np.mean(obtained)), _at_least(half, floor * math.sqrt(1 / n + 1 / m)))


def of_std(reported: float, n: int, obtained: Sequence[float]) -> Verdict:
    """Judge a published standard deviation of n runs by the F test of two variances.

    >>> of_std(0.02, 20, [0.59, 0.60, 0.61]).words
    'inside the spread'
    """
    from scipy.special import fdtri

    m = len(obtained)
    ours = float(np.std(obtained, ddof=1)) if m > 1 else math.nan
    if math.isnan(ours):
        return TOO_FEW
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(fdtri(n - 1, m - 1, p)) for p in (tail, 1 - tail))
    is_inside = low * ours**2 <= reported**2 <= high * ours**2
    return INSIDE if is_inside else Verdict("outside the spread", "bad")


def _inside(difference: float, half: float) -> Verdict:
    if math.isnan(half):
        return TOO_FEW
    if abs(difference) <= half + 1e-12:
        return INSIDE
    return Verdict(f"outside the spread: {'above' if difference > 0 else 'below'} ours", "bad")


def of_status(reported: str, obtained: Sequence[str]) -> Verdict:
    """Judge whether all our runs diverged, or stayed finite, as published.

    >>> of_status("diverged", ["diverged", "finished"]).words
    'diverged with 1 of 2 seeds'
    """
    same = sum(status == reported for status in obtained)
    words = "diverged" if reported == "diverged" else "stayed finite"
    if same == len(obtained):
        return Verdict(f"holds: {words} with every seed", "good")
    return Verdict(f"{words} with {same} of {len(obtained)} seeds", "bad")


def of_difference(differences: Sequence[float], expected: str) -> Verdict:
    """Judge a conclusion about first minus second, seed by seed, by the 95 % interval of the mean.

    expected: `higher`, `lower` or `not higher`.

    >>> of_difference([0.010, 0.012, 0.011], "higher").words
    'holds'
    >>> of_difference([0.010, -0.004, 0.002], "higher").words
    'not significant (95 % interval contains 0)'
    >>> of_difference([0.010, -0.004, 0.002], "not higher").words
    'holds: no significant gain'
    """
    _, low, high = mean_interval(differences)
    if math.isnan(low):
        return TOO_FEW
    if expected == "not higher":
        gain = "holds: lower" if high < 0 else "holds: no significant gain"
        return Verdict("does not hold", "bad") if low > 0 else Verdict(gain, "good")
    if expected == "lower":
        low, high = -high, -low
    if low > 0:
        return Verdict("holds", "good")
    if high < 0:
        return Verdict("the contrary holds", "bad")
    return Verdict("not significant (95 % interval contains 0)", "open")


def of_training(first: Sequence[bool], second: Sequence[bool]) -> Verdict:
    """Judge the conclusion that only the first trains.

    first, second: for each seed, whether it ended finite and above chance level.

    >>> of_training([True, True], [False, True]).words
    'the first trains with 2 of 2 seeds, the second with 1 of 2'
    """
    if all(first) and not any(second):
        return Verdict("holds with every seed", "good")
    counts = f"{sum(first)} of {len(first)} seeds, the second with {sum(second)} of {len(second)}"
    return Verdict(f"the first trains with {counts}", "bad")


def of_gradient(reported: float, obtained: float, right: float, limit: float) -> Verdict:
    """Judge a published difference between analytic and numeric gradient.

    A published one is right below `right`, ours below `limit`.

    >>> of_gradient(0.4, 1e-9, 1e-5, 1e-7).words
    'theirs is wrong, ours is right'
    """
    if not obtained < limit:
        return Verdict("ours is wrong", "bad")
    if reported < right:
        return Verdict("holds: both are right", "good")
    return Verdict("theirs is wrong, ours is right", "bad")


def of_mistake(reported: float, obtained: float, right: float) -> Verdict:
    """Judge whether a mistake made on purpose shows in a parameter as the reported one does.

    >>> of_mistake(0.4, 1e-9, 1e-5).words
    'reported wrong, right with this mistake'
    """
    theirs, ours = ("right" if number < right else "wrong" for number in (reported, obtained))
    if theirs == ours:
        return Verdict(f"both are {ours}", "good")
    return Verdict(f"reported {theirs}, {ours} with this mistake", "bad")


def of_setting(best: float, nearby: Sequence[float], noise: float) -> Verdict:
    """Judge a published best setting: our trials near it against our best trial, by accuracy.

    noise: standard deviation of the accuracy of a trial.

    >>> of_setting(0.52, [0.50, 0.51], noise=0.01).words
    'within two standard errors of our best'
    """
    worse = best - float(np.mean(nearby))
    if worse <= 2 * noise * math.sqrt(1 + 1 / len(nearby)):
        return Verdict("within two standard errors of our best", "good")
    return Verdict(f"worse than our best by {worse:.4f}", "bad")


def of_chance(ours: Sequence[bool], theirs: bool) -> Verdict | None:
    """Judge which of our seeds, and whether the report's run, are at chance level; None if no seed is.

    >>> of_chance([True, False, True], theirs=False).words
    '2 of our 3 seeds at chance level'
    """
    if theirs:
        return Verdict("holds: at chance level", "good") if all(ours) else None
    if all(ours):
        return Verdict("ours stays at chance level", "bad")
    if any(ours):
        return Verdict(f"{sum(ours)} of our {len(ours)} seeds at chance level", "bad")
    return None
