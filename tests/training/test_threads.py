"""The number of BLAS threads follows the machine, and never a result."""

import os
from itertools import chain, repeat

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cifarmlp.nn import second
from cifarmlp.training import threads as threads_

SIZES = [3072, 50, 50, 10]


@pytest.fixture(autouse=True)
def restored():
    with threadpool_limits(None):
        yield
    second.use_second_thread(False)


@pytest.fixture
def two_cores(monkeypatch):
    for name in threads_.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads_, "cores", lambda: 2)
    monkeypatch.setattr(threads_, "_are_alike", lambda results, others: True)
    return monkeypatch


def in_use():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def clocks(monkeypatch, cpu, wall, load):
    monkeypatch.setattr(threads_.time, "process_time", chain([0.0], repeat(cpu)).__next__)
    monkeypatch.setattr(threads_.time, "perf_counter", chain([0.0], repeat(wall)).__next__)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))


def test_a_fixed_number_stays(two_cores):
    clocks(two_cores, cpu=1.0, wall=10.0, load=9.0)
    threads = threads_.BlasThreads(2, SIZES, 100, 500)
    threads.adapt()
    assert threads.count == 2


def test_shared_cores_mean_one_thread(two_cores):
    clocks(two_cores, cpu=1.2, wall=1.0, load=3.0)
    threads = threads_.BlasThreads(None, SIZES, 100, 500)
    assert threads.count == 2
    threads.adapt()
    assert threads.count == 1
    assert in_use() == {1}


def test_idle_cores_mean_two_again(two_cores):
    clocks(two_cores, cpu=1.2, wall=1.0, load=1.0)
    threads = threads_.BlasThreads(None, SIZES, 100, 500)
    threads.adapt()
    assert threads.count == 1
    threads.adapt()
    assert threads.count == 2


def test_cores_of_our_own_keep_two(two_cores):
    clocks(two_cores, cpu=1.95, wall=1.0, load=2.0)
    threads = threads_.BlasThreads(None, SIZES, 100, 500)
    threads.adapt()
    assert threads.count == 2


def test_where_bits_would_differ_it_is_one_thread_for_good(two_cores):
    two_cores.setattr(threads_, "_are_alike", lambda results, others: False)
    clocks(two_cores, cpu=1.0, wall=1.0, load=0.0)
    threads = threads_.BlasThreads(None, SIZES, 100, 500)
    threads.adapt()
    assert threads.count == 1
    assert second._second is None


@pytest.mark.parametrize("are_alike", [[False, True], [False, False], [True]])
def test_where_bits_would_differ_a_thread_of_our_own_helps_if_it_gives_the_same(two_cores, are_alike):
    answers = iter(are_alike)
    two_cores.setattr(threads_, "_are_alike", lambda results, others: next(answers, True))
    clocks(two_cores, cpu=1.0, wall=1.0, load=0.0)
    threads = threads_.BlasThreads(None, SIZES, 100, 500)
    assert threads.count == (2 if are_alike == [True] else 1)
    assert (second._second is not None) == (are_alike == [False, True])
    threads_.BlasThreads(1, SIZES, 100, 500)
    assert second._second is None


def test_bits_are_compared_in_earnest():
    one, other = np.ones((4, 3), np.float32), np.full((4, 3), 1 + 2**-23, np.float32)
    assert threads_._are_alike([one, other], [lambda: one, lambda: other])
    assert not threads_._are_alike([one, other], [lambda: one, lambda: one])


@pytest.mark.parametrize(
    ("variable", "value", "most"),
    [("OPENBLAS_NUM_THREADS", "1", 1), ("OMP_NUM_THREADS", "1", 1), ("OMP_NUM_THREADS", "64", 2),
     ("OMP_NUM_THREADS", "2,2", 2), ("MKL_NUM_THREADS", "0", 2), ("OPENBLAS_NUM_THREADS", "", 2)],
)  # fmt: skip
def test_the_environment_may_allow_fewer_threads(two_cores, variable, value, most):
    two_cores.setenv(variable, value)
    assert threads_.BlasThreads(None, SIZES, 100, 500).count == most
    assert threads_.BlasThreads(2, SIZES, 100, 500).count == 2
