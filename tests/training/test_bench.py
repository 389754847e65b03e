"""Rows of the benchmark and what they say of each other; nothing about how fast this machine is."""

import dataclasses

import pytest

from cifarmlp import parallel
from cifarmlp.training import bench


@pytest.fixture(scope="module")
def rows():
    arrangements = bench.single(1) + bench.populations(parallel.cores(), [2])
    return bench.measure(arrangements, rounds=2, seconds=0.01)


@pytest.mark.slow
def test_a_row_for_each_arrangement_in_order(rows):
    asked = bench.single(1) + bench.populations(parallel.cores(), [2])
    assert [(r.members, r.processes, r.threads) for r in rows] == [dataclasses.astuple(a) for a in asked]


@pytest.mark.slow
def test_everything_measured_is_positive(rows):
    assert all(value > 0 for row in rows for value in dataclasses.astuple(row))


@pytest.mark.slow
def test_ratios_follow_from_what_was_measured(rows):
    for row in rows:
        rate = row.processes * row.members / row.step_us * 1e6
        assert row.trial_steps_per_second == pytest.approx(rate)
        assert row.step_us_min <= row.step_us
        assert row.of_products == pytest.approx(row.products_us / row.step_us)
        assert row.of_peak == pytest.approx(rate * bench.flops(1) / (row.peak_gflops * 1e9))


@pytest.mark.parametrize("n_cores", [1, 2, 3, 8])
def test_no_arrangement_asks_for_more_than_the_cores(n_cores):
    arrangements = bench.single(n_cores) + bench.populations(n_cores)
    assert max(each.processes * each.threads for each in arrangements) <= n_cores
    assert len(set(bench.populations(n_cores))) == len(bench.populations(n_cores))


def test_populations_fill_the_cores():
    assert {each.processes * each.threads for each in bench.populations(6)} == {6}


def test_one_network_on_at_most_four_threads():
    assert [each.threads for each in bench.single(8)] == [1, 2, 3, 4]


def test_too_many_threads_are_refused():
    with pytest.raises(ValueError, match="processes x"):
        bench.measure([bench.Arrangement(1, 2, parallel.cores())], rounds=1, seconds=0)


def test_operations_counted_by_hand():
    first, second, third = 3072 * 50, 50 * 50, 50 * 10
    assert bench.flops(1) == 200 * (2 * first + 3 * second + 3 * third)
    assert bench.flops(7) == 7 * bench.flops(1)


def test_a_block_runs_at_least_once():
    calls = []
    assert bench.repeated(lambda: calls.append(1), steps_per_call=10)(0) > 0
    assert len(calls) == 1
