"""Intervals over seeds, against numbers by hand and SciPy's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cifarmlp.stats import mean_interval


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
