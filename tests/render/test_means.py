"""Means of curves over seeds: which steps, which columns, which seeds."""

import math

import numpy as np
import pytest
from helpers.rows import ROWS, STEPS, row

from cifarmlp.render.means import MeanCurve, mean_and_std_by_step


def test_a_mean_curve_has_the_steps_that_all_seeds_reached() -> None:
    curve = MeanCurve.of([ROWS, [row(10, 5.0), row(20, 7.0), row(30, 9.0)], []])
    assert (curve.steps, curve.n) == ((10, 20), 2)
    for column in curve.mean:
        assert curve.mean[column].tolist() == [8.0, 14.0]
        assert curve.std[column] == pytest.approx(np.std([[11, 21], [5, 7]], axis=0, ddof=1))
    alone = MeanCurve.of([ROWS])
    assert (alone.steps, alone.std, alone.n) == (STEPS, {}, 1)
    assert MeanCurve.of([[], []]).n == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mean_curve_has_a_gap_where_a_seed_has_no_number(value: float) -> None:
    curve = MeanCurve.of([ROWS, [*ROWS[:2], row(20, value)]])
    assert np.isnan(curve.mean["train_loss"]).tolist() == [False, False, True]


def test_a_mean_curve_leaves_out_rows_that_are_not_whole() -> None:
    short = {"step": 10.0, "train_loss": 1.0}
    assert MeanCurve.of([[ROWS[0], short, row(math.nan, 1.0), ROWS[2]]]).steps == (0, 20)


def test_the_band_is_the_standard_deviation_over_the_seeds_that_got_there() -> None:
    one = [{"step": 0.0, "x": 1.0}, {"step": 10.0, "x": 2.0}]
    two = [{"step": 0.0, "x": 3.0}]
    steps, mean, std = mean_and_std_by_step([one, two], "x")
    assert [*steps] == [0, 10]
    assert [*mean] == [2, 2]
    assert std[0] == pytest.approx(2**0.5)
    assert std[1] != std[1]


def test_a_mean_over_seeds_has_only_what_all_were_measured_on() -> None:
    curve = MeanCurve.of([ROWS, [row(step, 1.0, ("train",)) for step in STEPS]])
    assert set(curve.mean) == {"train_loss", "train_accuracy"}


def test_a_mean_has_the_parts_of_the_data_that_were_measured() -> None:
    for parts in (("train",), ("train", "test"), ("train", "validation", "test")):
        rows = [row(step, step + 1.0, parts) for step in STEPS]
        assert set(MeanCurve.of([rows]).mean) == {
            f"{part}_{q}" for part in parts for q in ("loss", "accuracy")
        }


def test_seeds_that_diverged_are_no_part_of_the_mean_of_the_finite_ones() -> None:
    curve = MeanCurve.of_finite([ROWS, [*ROWS[:2], row(15, math.nan)], ROWS])
    assert (curve.n, curve.steps, len(curve.lost)) == (2, STEPS, 1)
    assert curve.mean["train_loss"].tolist() == [1, 11, 21]
    assert curve.lost[0].steps == (0, 10, 15)
    assert MeanCurve.of_finite([[row(0, math.inf)]]).n == 0
