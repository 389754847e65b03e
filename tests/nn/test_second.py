"""Halves of products, one of them in a second thread: the bits are those of the whole."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from cifarmlp.nn import Network, second, softmax_cross_entropy
from cifarmlp.nn.optimisers import SGD, Adam


@pytest.fixture(autouse=True)
def threads():
    with threadpool_limits(1):
        yield
    second.use_second_thread(False)


def note_halves(rows, multiplications=second.LEAST, is_patient=False):
    """The slices, and the thread of each. is_patient: the first half takes until the second has begun."""
    calls, has_begun = [], threading.Event()

    def note(part):
        calls.append((part, threading.current_thread().name))
        if part.start:
            has_begun.set()
        elif is_patient:
            has_begun.wait(60)

    second.in_halves(note, rows, multiplications)
    return sorted(calls, key=lambda call: call[0].start)


def test_halves_begin_at_a_multiple_of_48_rows():
    second.use_second_thread(True)
    for rows, middle in ((100, 48), (500, 240), (256, 144), (73, 48), (3072, 1536)):
        (first, here), (other, there) = note_halves(rows, is_patient=True)
        assert (first, other) == (slice(0, middle), slice(middle, rows))
        assert here == threading.current_thread().name
        assert there.startswith("cifarmlp")


@pytest.mark.parametrize("rows", [1, 20, 48])
def test_few_rows_are_not_divided(rows):
    second.use_second_thread(True)
    assert [part for part, _ in note_halves(rows)] == [slice(0, rows)]


def test_small_products_are_not_divided():
    second.use_second_thread(True)
    assert len(note_halves(500, second.LEAST - 1)) == 1


def test_without_a_second_thread_nothing_is_divided():
    assert len(note_halves(500)) == 1
    second.use_second_thread(True)
    second.use_second_thread(False)
    assert len(note_halves(500)) == 1


def test_a_half_that_the_second_thread_has_not_begun_is_done_by_the_first():
    second.use_second_thread(True)
    is_over = threading.Event()
    second._second.submit(is_over.wait)
    try:
        names = {name for _, name in note_halves(500)}
    finally:
        is_over.set()
    assert names == {threading.current_thread().name}


@pytest.mark.parametrize("start", [0, 240])
def test_an_error_in_either_half_is_raised(start):
    def fail(part):
        if part.start == start:
            raise FloatingPointError("no")

    second.use_second_thread(True)
    with pytest.raises(FloatingPointError, match="no"):
        second.in_halves(fail, 500, second.LEAST)


def test_the_second_thread_ignores_the_same_overflows():
    second.use_second_thread(True)
    x = np.full(500, 1e38, np.float32)
    with np.errstate(all="ignore"):
        second.in_halves(lambda part: x[part] * 1e38, 500, second.LEAST)
    with pytest.warns(RuntimeWarning, match="overflow"):
        second.in_halves(lambda part: part.start and x[part] * 1e38, 500, second.LEAST)


@pytest.mark.parametrize("optimiser", [SGD, lambda net: SGD(net, 0.9, nesterov=True), Adam])
def test_a_training_in_halves_has_the_bits_of_one_in_one_thread(optimiser, monkeypatch):
    """Of a network wide enough that all kinds of products are divided."""

    def train(use):
        rng = np.random.default_rng(1)
        second.use_second_thread(use)
        net = Network([600, 400, 300, 10], [rng], ["he"], (1e-5, 0.9))
        update = optimiser(net)
        for _ in range(5):
            x, y = rng.standard_normal((230, 600), np.float32), rng.integers(0, 10, 230)
            _, d = softmax_cross_entropy(net.forward(x), y, update.loss_scale(np.full(1, 0.01, np.float32)))
            net.backward(d)
            update.step(np.full(1, 0.01, np.float32), np.full(1, 0.001, np.float32))
        return {name: array.copy() for name, array in net.parameters().items()}

    monkeypatch.setattr(second, "LEAST", 100)
    whole, halves = train(False), train(True)
    for name, array in whole.items():
        assert np.array_equal(array, halves[name]), name
