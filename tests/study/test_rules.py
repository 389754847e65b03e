"""The rules by which published numbers and conclusions are judged, against numbers worked out elsewhere."""

import math

import numpy as np
import pytest
from scipy import stats

from cifarmlp import stats as stats_
from cifarmlp.render.document import Verdict
from cifarmlp.study import rules

OURS = [0.531, 0.528, 0.536, 0.530]
SAME = [0.5, 0.5, 0.5]
INSIDE = Verdict("inside the spread", "good")
ABOVE = Verdict("outside the spread: above ours", "bad")
BELOW = Verdict("outside the spread: below ours", "bad")
OPEN = Verdict("too few seeds for an interval", "open")


def moved(to: float, values: list[float]) -> list[float]:
    return [to + value - float(np.mean(values)) for value in values]


# Published accuracies of one run: prediction interval


def test_the_interval_for_one_more_run() -> None:
    t = stats.t.ppf(0.975, 3)
    assert stats_.prediction_half_width(OURS) == pytest.approx(
        t * np.std(OURS, ddof=1) * math.sqrt(1.25), rel=1e-9
    )
    # by hand, from a table: t of 2 degrees of freedom 4.303, s of 1, 2, 3 is 1
    assert stats_.prediction_half_width([1, 2, 3]) == pytest.approx(4.303 * math.sqrt(4 / 3), rel=1e-3)


@pytest.mark.parametrize(("at", "verdict"), [(0.99, INSIDE), (-0.99, INSIDE), (1.01, ABOVE), (-1.01, BELOW)])
def test_one_run_is_inside_up_to_the_ends_of_the_interval(at: float, verdict: Verdict) -> None:
    half = stats.t.ppf(0.975, 3) * np.std(OURS, ddof=1) * math.sqrt(1.25)
    assert rules.of_one(float(np.mean(OURS)) + at * half, OURS) == verdict


def test_one_more_run_falls_inside_95_times_in_100() -> None:
    runs = np.random.default_rng(1).normal(0.5, 0.01, (4000, 4))
    inside = [rules.of_one(one, ours).tone == "good" for one, *ours in runs.tolist()]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.011)  # three standard errors


def test_seeds_that_agree_to_the_bit() -> None:
    assert rules.of_one(0.5, SAME) == INSIDE
    assert rules.of_one(0.5001, SAME) == ABOVE
    assert rules.of_one(0.4999, SAME) == BELOW


@pytest.mark.parametrize("ours", [[0.5], [0.5, math.nan], [math.nan, math.nan]])
def test_one_seed_or_none_tells_nothing(ours: list[float]) -> None:
    assert rules.of_one(0.9, ours) == OPEN
    assert rules.of_mean(0.9, 0.01, 20, ours) == OPEN
    assert rules.of_std(0.9, 20, ours) == OPEN


@pytest.mark.parametrize(("at", "tone"), [(0.99, "good"), (1.01, "bad")])
def test_an_interval_is_never_narrower_than_its_floor(at: float, tone: str) -> None:
    one = at * stats.norm.ppf(0.975) * 0.005 * math.sqrt(4 / 3)
    assert rules.of_one(0.5 + one, SAME, floor=0.005).tone == tone
    mean = at * stats.norm.ppf(0.975) * 0.005 * math.sqrt(1 / 20 + 1 / 3)
    assert rules.of_mean(0.5 - mean, 0.0, 20, SAME, floor=0.005).tone == tone


def test_a_floor_below_the_spread_changes_nothing_and_one_seed_still_tells_nothing() -> None:
    for reported in (0.50, 0.52, 0.54, 0.56):
        assert rules.of_one(reported, OURS, floor=0.003) == rules.of_one(reported, OURS)
        assert rules.of_mean(reported, 0.0, 3, OURS, floor=0.001) == rules.of_mean(reported, 0.0, 3, OURS)
    assert rules.of_one(0.5, [0.5], floor=0.005) == OPEN


# Published means: Welch


@pytest.mark.parametrize(("std", "n"), [(0.0029, 20), (0.01, 2), (0.0001, 5), (0.0, 3)])
def test_a_mean_is_inside_where_welchs_test_does_not_reject_it(std: float, n: int) -> None:
    mean, s = float(np.mean(OURS)), float(np.std(OURS, ddof=1))
    tones = set()
    for shift in np.linspace(-0.12, 0.12, 121):
        reported = mean + shift
        p = stats.ttest_ind_from_stats(reported, std, n, mean, s, 4, equal_var=False).pvalue
        found = rules.of_mean(reported, std, n, OURS)
        assert found == (INSIDE if p >= 0.05 else ABOVE if shift > 0 else BELOW), (shift, p)
        tones.add(found.tone)
    assert tones == {"good", "bad"}


def test_means_without_any_spread() -> None:
    assert rules.of_mean(0.5, 0.0, 4, SAME) == INSIDE
    assert rules.of_mean(0.51, 0.0, 4, SAME) == ABOVE
    assert rules.of_mean(0.51, 0.1, 4, SAME) == INSIDE  # theirs alone: t of 3 degrees of freedom, 3.18 x 0.05


# Published standard deviations: F


@pytest.mark.parametrize("n", [2, 5, 20])
def test_a_deviation_is_inside_between_the_quantiles_of_f(n: int) -> None:
    ours = float(np.std(OURS, ddof=1))
    low, high = (math.sqrt(stats.f.ppf(p, n - 1, 3)) for p in (0.025, 0.975))
    for ratio in (low * 1.01, 1.0, high * 0.99):
        assert rules.of_std(ratio * ours, n, OURS) == INSIDE
    for ratio in (low * 0.99, high * 1.01):
        assert rules.of_std(ratio * ours, n, OURS) == Verdict("outside the spread", "bad")


def test_deviations_of_zero() -> None:
    assert rules.of_std(0.0, 4, SAME) == INSIDE
    assert rules.of_std(0.01, 4, SAME).tone == "bad"
    assert rules.of_std(0.0, 4, OURS).tone == "bad"


# Conclusions

NOT_SIGNIFICANT = "not significant (95 % interval contains 0)"
UP, DOWN = [0.010, 0.012, 0.011], [-0.010, -0.012, -0.011]
RATHER_UP, RATHER_DOWN = [0.010, -0.004, 0.002], [-0.010, 0.004, -0.002]


@pytest.mark.parametrize(
    ("expected", "differences", "words", "tone"),
    [
        ("higher", UP, "holds", "good"),
        ("higher", DOWN, "the contrary holds", "bad"),
        ("higher", RATHER_UP, NOT_SIGNIFICANT, "open"),
        ("higher", RATHER_DOWN, NOT_SIGNIFICANT, "open"),
        ("lower", DOWN, "holds", "good"),
        ("lower", UP, "the contrary holds", "bad"),
        ("lower", RATHER_DOWN, NOT_SIGNIFICANT, "open"),
        ("lower", RATHER_UP, NOT_SIGNIFICANT, "open"),
        ("not higher", UP, "does not hold", "bad"),
        ("not higher", DOWN, "holds: lower", "good"),
        ("not higher", RATHER_UP, "holds: no significant gain", "good"),
        ("not higher", RATHER_DOWN, "holds: no significant gain", "good"),
        ("higher", [0.1], "too few seeds for an interval", "open"),
        ("not higher", [], "too few seeds for an interval", "open"),
        ("lower", [-0.1, -0.1, -0.1], "holds", "good"),
        ("higher", [0.0, 0.0, 0.0], NOT_SIGNIFICANT, "open"),
    ],
)
def test_a_conclusion_in_each_direction(
    expected: str, differences: list[float], words: str, tone: str
) -> None:
    assert rules.of_difference(differences, expected) == Verdict(words, tone)  # type: ignore[arg-type]


def test_a_conclusion_holds_where_a_t_test_rejects_the_contrary() -> None:
    spread = np.array([-0.004, 0.001, 0.003])
    tones = set()
    for shift in np.linspace(-0.02, 0.02, 41):
        p = stats.ttest_1samp(spread + shift, 0).pvalue
        wanted = "open" if p > 0.05 else "good" if shift > 0 else "bad"
        assert rules.of_difference([*(spread + shift)], "higher").tone == wanted
        tones.add(wanted)
    assert tones == {"open", "good", "bad"}


def test_only_the_first_trains() -> None:
    assert rules.of_training([True, True], [False, False]) == Verdict("holds with every seed", "good")
    mixed = rules.of_training([True, False, True], [False, False, True])
    assert mixed == Verdict("the first trains with 2 of 3 seeds, the second with 1 of 3", "bad")
    assert rules.of_training([False], [False]).tone == "bad"
    assert rules.of_training([True], [True]).tone == "bad"


# Whether the loss stayed finite, chance level


def test_whether_the_loss_stayed_finite() -> None:
    lost, kept = "diverged", "finished"
    assert rules.of_status(lost, [lost, lost]) == Verdict("holds: diverged with every seed", "good")
    assert rules.of_status(kept, [kept]) == Verdict("holds: stayed finite with every seed", "good")
    assert rules.of_status(lost, [lost, kept, kept]) == Verdict("diverged with 1 of 3 seeds", "bad")
    assert rules.of_status(kept, [lost, lost]) == Verdict("stayed finite with 0 of 2 seeds", "bad")


def test_chance_level() -> None:
    assert rules.of_chance([True, True], True) == Verdict("holds: at chance level", "good")
    assert rules.of_chance([False, False], True) is None  # the intervals tell
    assert rules.of_chance([True, False], True) is None
    assert rules.of_chance([True, True], False) == Verdict("ours stays at chance level", "bad")
    some = rules.of_chance([True, False, True], False)
    assert some == Verdict("2 of our 3 seeds at chance level", "bad")
    assert rules.of_chance([False, False], False) is None


# Gradients


@pytest.mark.parametrize(
    ("reported", "obtained", "words", "tone"),
    [
        (1e-6, 1e-9, "holds: both are right", "good"),
        (0.4, 1e-9, "theirs is wrong, ours is right", "bad"),
        (1e-5, 1e-9, "theirs is wrong, ours is right", "bad"),
        (1e-6, 1e-7, "ours is wrong", "bad"),
        (0.4, math.nan, "ours is wrong", "bad"),
    ],
)
def test_gradients(reported: float, obtained: float, words: str, tone: str) -> None:
    assert rules.of_gradient(reported, obtained, 1e-5, 1e-7) == Verdict(words, tone)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reported", "obtained", "words", "tone"),
    [
        (0.4, 0.2, "both are wrong", "good"),
        (1e-6, 1e-9, "both are right", "good"),
        (0.4, 1e-9, "reported wrong, right with this mistake", "bad"),
        (1e-6, 0.2, "reported right, wrong with this mistake", "bad"),
        (0.4, math.nan, "both are wrong", "good"),
        (1e-6, math.nan, "reported right, wrong with this mistake", "bad"),
    ],
)
def test_mistakes(reported: float, obtained: float, words: str, tone: str) -> None:
    assert rules.of_mistake(reported, obtained, 1e-5) == Verdict(words, tone)  # type: ignore[arg-type]


# The best setting of a search


def test_the_best_setting_is_told_from_our_best_by_two_standard_errors() -> None:
    nearby, noise = [0.50, 0.51, 0.52, 0.49, 0.48], 0.01  # mean 0.50, standard error of a difference 0.01095
    as_good = Verdict("within two standard errors of our best", "good")
    assert rules.of_setting(0.50 + 2 * 0.01095, nearby, noise) == as_good
    assert rules.of_setting(0.49, nearby, noise) == as_good
    assert rules.of_setting(0.5225, nearby, noise) == Verdict("worse than our best by 0.0225", "bad")
    assert rules.of_setting(0.5 + 2 * 0.0141, [0.5], noise) == as_good
    assert rules.of_setting(0.5 + 2 * 0.0143, [0.5], noise).tone == "bad"


def test_each_rule_is_told() -> None:
    text = " ".join(rules.RULES)
    words = ("prediction interval", "Welch", "(F)", "chance level", "five trials", "1e-5", "1e-3", "paired")
    assert [word for word in words if word not in text] == []
