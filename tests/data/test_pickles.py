"""The reader of batch pickles: reads batches, and runs nothing whatever a pickle asks for."""

import os
import pickle
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import batch_pickles
from helpers.batch_pickles import HOSTILE, ROWS

from cifarmlp.data import pickles


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A batch of 20 images, where the reader expects 20."""
    monkeypatch.setattr(pickles, "ROWS", ROWS)
    return batch_pickles.small_batch()


def test_reads_what_it_writes(small: bytes) -> None:
    pixels, labels = pickles.loads(small)
    assert pixels.shape == (ROWS, 3072)
    assert pixels.dtype == labels.dtype == np.uint8
    assert labels.tolist() == [*range(10)] * 2


def test_python_reads_what_it_writes(small: bytes) -> None:
    batch = pickle.loads(small, encoding="bytes")
    assert list(batch) == [b"batch_label", b"labels", b"data", b"filenames"]
    assert batch[b"batch_label"] == b"training batch 1 of 5"
    assert batch[b"filenames"][3] == b"image_00003.png"
    assert batch[b"labels"] == [*range(10)] * 2
    np.testing.assert_array_equal(batch[b"data"], pickles.loads(small)[0])


@pytest.mark.parametrize("protocol", [3, 4])
def test_reads_a_batch_saved_again(small: bytes, protocol: int) -> None:
    again = pickle.dumps(pickle.loads(small, encoding="bytes"), protocol)
    for read, expected in zip(pickles.loads(again), pickles.loads(small), strict=True):
        np.testing.assert_array_equal(read, expected)


def test_python_reads_the_names_of_the_classes() -> None:
    meta = pickle.loads(pickles.dumps_meta(["disc", "ring"]), encoding="bytes")
    assert meta == {b"label_names": [b"disc", b"ring"], b"num_cases_per_batch": 10000, b"num_vis": 3072}


class _Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_run_nothing(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    raw = batch_pickles.aim(HOSTILE[name], marker)
    modules = set(sys.modules)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(pickles.BatchError):
        pickles.loads(raw)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not marker.exists()
    assert set(sys.modules) == modules
    assert seconds < 5
    assert peak < 128 * 2**20


def test_ends_early_with_too_many_parts() -> None:
    with pytest.raises(pickles.BatchError, match="far more parts"):
        pickles.loads(HOSTILE["too many parts"])


@pytest.mark.skipif(os.name != "posix", reason="runs touch")
@pytest.mark.parametrize("name", ["os.system", "posix.system", "subprocess", "eval", "open", "inst", "obj"])
def test_hostile_pickles_are_hostile(name: str, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    marker = tmp_path / "ran"
    try:
        opened = pickle.loads(batch_pickles.aim(HOSTILE[name], marker))
    finally:
        assert marker.exists()
    if hasattr(opened, "close"):
        opened.close()


@pytest.mark.parametrize("function", [os.system, eval, os.mkdir, __import__])
def test_a_call_inside_of_a_batch(small: bytes, function: Callable[..., Any], tmp_path: Path) -> None:
    batch = pickle.loads(small, encoding="bytes") | {b"batch_label": _Calls(function, str(tmp_path / "ran"))}
    with pytest.raises(pickles.BatchError, match="asks for a name"):
        pickles.loads(pickle.dumps(batch, 4))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        (b"labels", [0] * (ROWS - 1), "list of 20 labels"),
        (b"labels", tuple([0] * ROWS), "list of 20 labels"),
        (b"labels", [10] * ROWS, "other than 0 to 9"),
        (b"labels", [-1] * ROWS, "other than 0 to 9"),
        (b"labels", [True] * ROWS, "other than 0 to 9"),
        (b"labels", ["3"] * ROWS, "other than 0 to 9"),
        (b"data", b"pixels", "no array"),
        (b"data", None, "no array"),
        (b"data", np.zeros((ROWS, 3071), np.uint8), "20 x 3072 uint8"),
        (b"data", np.zeros(ROWS * 3072, np.uint8), "20 x 3072 uint8"),
        (b"data", np.zeros((ROWS, 3072), np.float32), "array of bytes"),
        (b"data", np.zeros((ROWS, 3072), np.int8), "array of bytes"),
        (b"data", np.full((ROWS, 3072), None), "array of bytes"),
        (b"data", np.asfortranarray(np.zeros((ROWS, 3072), np.uint8)), "20 x 3072 uint8"),
    ],
)
def test_wrong_contents(small: bytes, key: bytes, value: object, fault: str) -> None:
    batch = pickle.loads(small, encoding="bytes") | {key: value}
    with pytest.raises(pickles.BatchError, match=fault):
        pickles.loads(pickle.dumps(batch, 4))


@pytest.mark.parametrize("seed", range(8))
def test_mutated_pickles_are_read_or_refused(small: bytes, seed: int) -> None:
    rng = random.Random(seed)
    began, read = time.process_time(), 0
    for _ in range(2000):
        try:
            pixels, labels = pickles.loads(batch_pickles.mutate(small, rng))
        except pickles.BatchError:
            continue
        assert pixels.shape == (ROWS, 3072)
        assert labels.shape == (ROWS,)
        assert labels.max() <= 9
        read += 1
    assert 0 < read < 2000
    assert time.process_time() - began < 20
