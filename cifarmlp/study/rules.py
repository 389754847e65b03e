"""Whether a published number holds: rules that compare it with the seeds of our own runs.

A number is inside the spread of seeds where one more run of ours would be expected to come as far from our
mean as it did, or a mean of theirs as far from a mean of ours, 95 times in 100.
"""

import math
from collections.abc import Sequence

import numpy as np

from cifarmlp.render.document import Verdict
from cifarmlp.stats import CONFIDENCE, mean_interval, prediction_half_width

RULES = (
    "A reported accuracy of one run is inside the spread of our seeds if it lies in the 95 % prediction "
    "interval for one more run, mean ± t s √(1 + 1/n), with t of Student's distribution with n − 1 degrees "
    "of freedom. With three seeds that is wide, five times their standard deviation to each side.",
    "A reported mean over several runs is inside if the 95 % interval of the difference of both means "
    "(Welch) holds zero; a reported standard deviation if that of the ratio of both (F) holds one.",
    "Where all our seeds stay at chance level (no better, by three standard errors, than always naming one "
    "class) and the report's run does not, the verdict says that instead; so it does where ours diverge.",
    "A trial of a search is judged by the five trials of ours nearest to its values, as one more run; the "
    "best setting by whether their mean is within two standard errors of our own best.",
    "A gradient is right where analytic and numeric ones differ by less than 1e-5, relative (ours: 1e-7), or "
    "by less than 1e-3 where only a distance was printed.",
    "A conclusion holds if the 95 % interval of the paired difference, seed by seed, lies on its side of "
    "zero.",
    "Of numbers that do hold, about one in twenty falls outside by chance.",
)


def of_one(reported: float, obtained: Sequence[float]) -> Verdict:
    """A published number of one run against our runs."""
    return _inside(reported - float(np.mean(obtained)), prediction_half_width(obtained))


def of_mean(reported: float, std: float, n: int, obtained: Sequence[float]) -> Verdict:
    """A published mean of n runs against our runs: Welch 1947, 'The generalization of Student's problem'."""
    from scipy.special import stdtrit

    m = len(obtained)
    if m < 2:
        return _inside(0.0, math.nan)
    a, b = std**2 / n, float(np.var(obtained, ddof=1)) / m
    if a + b == 0:
        return _inside(reported - float(np.mean(obtained)), 0.0)
    freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(a + b)
    return _inside(reported - float(np.mean(obtained)), half)


def of_std(reported: float, n: int, obtained: Sequence[float]) -> Verdict:
    """A published standard deviation of n runs against our runs: the F test of two variances."""
    from scipy.special import fdtri

    m = len(obtained)
    ours = float(np.std(obtained, ddof=1)) if m > 1 else math.nan
    if math.isnan(ours):
        return _inside(0.0, math.nan)
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(fdtri(n - 1, m - 1, p)) for p in (tail, 1 - tail))
    inside = low * ours**2 <= reported**2 <= high * ours**2
    return Verdict("inside the spread", "good") if inside else Verdict("outside the spread", "bad")


def _inside(difference: float, half: float) -> Verdict:
    if math.isnan(half):
        return Verdict("one seed can't tell", "open")
    if abs(difference) <= half + 1e-12:
        return Verdict("inside the spread", "good")
    return Verdict(f"outside the spread: {'above' if difference > 0 else 'below'} ours", "bad")


def of_status(reported: str, obtained: Sequence[str]) -> Verdict:
    """Whether the loss became NaN, as it was published, in all of our runs."""
    same = sum(status == reported for status in obtained)
    words = "diverged" if reported == "diverged" else "stayed finite"
    if same == len(obtained):
        return Verdict(f"holds: {words} with every seed", "good")
    return Verdict(f"{words} with {same} of {len(obtained)} seeds", "bad")


def of_difference(differences: Sequence[float], expected: str) -> Verdict:
    """A conclusion about first minus second, over the same seeds, by the 95 % interval of the mean."""
    mean, low, high = mean_interval(differences)
    if math.isnan(low):
        return Verdict("too few seeds to tell", "open")
    if expected == "not higher":
        return Verdict("does not hold", "bad") if low > 0 else Verdict(_not_higher(high), "good")
    towards, away = (low > 0, high < 0) if expected == "higher" else (high < 0, low > 0)
    if towards:
        return Verdict("holds", "good")
    if away:
        return Verdict("the contrary holds", "bad")
    if mean == 0:
        return Verdict("can't be told", "open")
    right = (mean > 0) == (expected == "higher")
    return Verdict(f"can't be told: {'in that direction' if right else 'in the other direction'}", "open")


def _not_higher(high: float) -> str:
    return "holds: it is lower" if high < 0 else "holds: no gain that could be told"


def of_training(first: Sequence[bool], second: Sequence[bool]) -> Verdict:
    """The conclusion that only the first trains; for each seed, whether it did: finite and above chance."""
    if all(first) and not any(second):
        return Verdict("holds with every seed", "good")
    counts = (f"{sum(trained)} of {len(trained)}" for trained in (first, second))
    return Verdict("the first trains with {} seeds, the second with {}".format(*counts), "bad")


def of_gradient(reported: float, obtained: float, right: float, limit: float) -> Verdict:
    """A published difference of gradients; right: what that of a correct one stays below; limit: ours."""
    if not obtained < limit:
        return Verdict("ours is wrong", "bad")
    if reported < right:
        return Verdict("holds: both are right", "good")
    return Verdict("theirs is wrong, ours is right", "bad")


def of_mistake(reported: float, obtained: float, right: float) -> Verdict:
    """Whether a mistake that was made on purpose is seen in the same parameter as the reported one."""
    wrong = "right" if obtained < right else "wrong"
    if (reported < right) == (obtained < right):
        return Verdict(f"the same: {wrong}", "good")
    return Verdict(f"not the same: {wrong} with this mistake", "bad")


def of_setting(best: float, nearby: Sequence[float], noise: float) -> Verdict:
    """A published best setting: the accuracies of our trials near it against our best trial's.

    noise: standard deviation of a trial's accuracy.
    """
    worse = best - float(np.mean(nearby))
    if worse <= 2 * noise * math.sqrt(1 + 1 / len(nearby)):
        return Verdict("can't be told from our best", "good")
    return Verdict(f"worse than our best by {worse:.4f}", "bad")


def of_chance(ours: Sequence[bool], theirs: bool) -> Verdict | None:
    """What there is to say where our seeds, or the report's run, are at chance level; None where none is."""
    if theirs:
        return Verdict("holds: at chance level", "good") if all(ours) else None
    if all(ours):
        return Verdict("ours stays at chance level", "bad")
    if any(ours):
        return Verdict(f"{sum(ours)} of {len(ours)} seeds of ours at chance level", "bad")
    return None
