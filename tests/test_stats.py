"""Two configs over the same seeds: Student's interval, and which trainings make a pair."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cifarmlp.runs.comparison import compare_pairs, paired_differences
from cifarmlp.stats import mean_interval
from cifarmlp.training.outcome import PARTS, Outcome


def outcome(seed: int, status: str = "finished", **accuracies: float) -> Outcome:
    """One with these accuracies, by part."""
    metrics = {part: {"cost": 2.0, "loss": 1.0, "accuracy": value} for part, value in accuracies.items()}
    return Outcome(status, 100, 1.0, 1.0, metrics, seed)


def measured(*accuracies: float, first_seed: int = 1) -> list[Outcome]:
    return [outcome(seed, test=value) for seed, value in enumerate(accuracies, first_seed)]


# The interval


def test_by_hand() -> None:
    # 1 to 5: mean 3, s = sqrt(2.5), standard error sqrt(0.5); t of 4 degrees of freedom is 2.776
    mean, low, high = mean_interval([1, 2, 3, 4, 5])
    assert mean == 3
    assert [low, high] == pytest.approx([3 - 2.776 * math.sqrt(0.5), 3 + 2.776 * math.sqrt(0.5)], abs=1e-3)


def test_of_two_by_hand() -> None:
    # s / sqrt(2) is half their distance, and t of one degree of freedom 12.706
    assert mean_interval([0.1, 0.3]) == pytest.approx((0.2, 0.2 - 1.2706, 0.2 + 1.2706), abs=1e-4)


def test_differences_that_are_all_the_same_leave_no_doubt() -> None:
    assert mean_interval([0.25, 0.25, 0.25]) == (0.25, 0.25, 0.25)


def test_fewer_than_two_have_no_interval() -> None:
    mean, low, high = mean_interval([0.3])
    assert mean == 0.3
    assert math.isnan(low)
    assert math.isnan(high)
    assert all(math.isnan(value) for value in mean_interval([]))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40).filter(lambda values: np.std(values) > 1e-6))
def test_it_is_that_of_scipys_test(values: list[float]) -> None:
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    mean, low, high = mean_interval(values)
    assert mean == pytest.approx(np.mean(values), abs=1e-12)
    assert [low, high] == pytest.approx([expected.low, expected.high], rel=1e-9, abs=1e-9)


def test_of_normal_differences_it_holds_the_truth_in_95_of_100() -> None:
    rng = np.random.default_rng(1)
    intervals = [mean_interval(rng.normal(0.3, 2, 5)) for _ in range(2000)]
    held = np.mean([low <= 0.3 <= high for _, low, high in intervals])
    assert held == pytest.approx(0.95, abs=0.02)  # the standard deviation of this share is 0.005


# Pairs


def test_seeds_are_paired_whatever_their_order() -> None:
    first, second = measured(0.50, 0.60, 0.40), measured(0.53, 0.61, 0.45)
    found = paired_differences(first[::-1], [second[1], second[0], second[2]])["test"]
    # 0.03, 0.01, 0.05: mean 0.03, s = 0.02; t of 2 degrees of freedom is 4.303
    half = 4.303 * 0.02 / math.sqrt(3)
    assert found == pytest.approx({"mean": 0.03, "low": 0.03 - half, "high": 0.03 + half, "n": 3}, abs=1e-4)


def test_it_is_the_second_minus_the_first() -> None:
    assert paired_differences(measured(0.2, 0.2), measured(0.3, 0.3))["test"]["mean"] == pytest.approx(0.1)
    assert paired_differences(measured(0.3, 0.3), measured(0.2, 0.2))["test"]["mean"] == pytest.approx(-0.1)


def test_a_seed_that_one_of_them_lacks_is_left_out() -> None:
    found = paired_differences(measured(0.1, 0.2, 0.3), measured(0.3, 0.5, 0.9, first_seed=2))["test"]
    assert found["n"] == 2
    assert found["mean"] == pytest.approx((0.1 + 0.2) / 2)


def test_what_diverged_or_was_interrupted_is_left_out() -> None:
    first = [*measured(0.1, 0.2), outcome(3, "diverged", test=math.nan), outcome(4, test=0.4)]
    second = [*measured(0.2, 0.4), outcome(3, test=0.9), outcome(4, "interrupted", train=0.5)]
    found = paired_differences(first, second)["test"]
    assert found["n"] == 2
    assert found["mean"] == pytest.approx(0.15)


def test_every_part_has_its_own() -> None:
    first = [outcome(seed, train=0.5, validation=0.4, test=0.3) for seed in (1, 2)]
    second = [outcome(seed, train=0.9, validation=0.6, test=0.4) for seed in (1, 2)]
    found = paired_differences(first, second)
    assert set(found) == set(PARTS)
    assert [found[part]["mean"] for part in PARTS] == pytest.approx([0.4, 0.2, 0.1])


def test_nothing_in_common_is_told_as_nothing() -> None:
    found = paired_differences(measured(0.1), measured(0.2, first_seed=5))["test"]
    assert found["n"] == 0
    assert math.isnan(found["mean"])


def test_a_comparison_lies_beside_the_second_ones_files(tmp_path: Path) -> None:
    found = compare_pairs(tmp_path / "a-001", measured(0.1, 0.2), tmp_path, measured(0.2, 0.4))
    written = json.loads((tmp_path / "difference.json").read_text())
    assert written["run"] == str(tmp_path)
    assert written["minus"] == str(tmp_path / "a-001")
    assert written["accuracy"]["test"] == pytest.approx(found["accuracy"]["test"])
    assert written["accuracy"]["train"] == {"mean": None, "low": None, "high": None, "n": 0}
