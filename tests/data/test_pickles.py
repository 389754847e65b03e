"""The reader of batch pickles: reads batches, and runs nothing whatever a pickle asks for."""

import os
import pickle
import random
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cifarmlp.data import pickles

ROWS = 20
HEAD = b"M\x10\x27M\x00\x0c\x86"
SMALL_HEAD = b"M" + struct.pack("<H", ROWS) + b"M\x00\x0c\x86"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A batch of 20 images in the official layout, with the reader told to expect 20."""
    monkeypatch.setattr(pickles, "ROWS", ROWS)
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 3072), dtype=np.uint8)
    return pickles.dumps("training batch 1 of 5", pixels, np.arange(ROWS, dtype=np.uint8) % 10).replace(
        HEAD, SMALL_HEAD
    )


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
    for found, expected in zip(pickles.loads(again), pickles.loads(small), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_python_reads_the_names_of_the_classes() -> None:
    meta = pickle.loads(pickles.dumps_meta(["disc", "ring"]), encoding="bytes")
    assert meta == {b"label_names": [b"disc", b"ring"], b"num_cases_per_batch": 10000, b"num_vis": 3072}


class _Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.call


def _text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def _call(module: str, name: str, *arguments: str) -> bytes:
    """Protocol 2: module.name(*arguments)."""
    return (
        b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(map(_text, arguments)) + b"tR" + b"."
    )


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
TOUCH = "touch {marker}"
WRITE = "open('{marker}', 'w').close()"

# Unpickled or followed, each would leave a file at {marker}, allocate without end, never return, or crash.
HOSTILE: dict[str, bytes] = {
    "os.system": _call("os", "system", TOUCH),
    "posix.system": _call("posix", "system", TOUCH),
    "nt.system": _call("nt", "system", TOUCH),
    "os.popen": _call("os", "popen", TOUCH),
    "subprocess": b"\x80\x02csubprocess\ncall\n(](" + _text("touch") + _text("{marker}") + b"etR.",
    "eval": _call("builtins", "eval", WRITE),
    "exec": _call("builtins", "exec", WRITE),
    "python 2's eval": _call("__builtin__", "eval", WRITE),
    "open": _call("builtins", "open", "{marker}", "w"),
    "import": _call("builtins", "__import__", "antigravity"),
    "getattr chain": b"\x80\x02cbuiltins\ngetattr\n(cos\npath\nU\x03os\x00tR.",
    "getattr of a name": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x02os\x8c\x06system\x93\x86R.",
    "nested reduce": b"\x80\x02cbuiltins\nmap\n(cos\nsystem\n](" + _text(TOUCH) + b"etR.",
    "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0e{marker}\x85R.",
    "dotted stack global": b"\x80\x04\x8c\x05numpy\x8c\x11core.os.system\x00\x00\x00\x93.",
    "stack global of a number": b"\x80\x04K\x01K\x02\x93.",
    "numpy's own runner": _call("numpy.testing._private.utils", "runstring", WRITE, ""),
    "numpy.load": _call("numpy", "load", "{marker}"),
    "inst": b"(S'touch {marker}'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'touch {marker}'\no.",
    "newobj": b"\x80\x02cos\nsystem\n" + _text(TOUCH) + b"\x85\x81.",
    "newobj_ex": b"\x80\x04cos\nsystem\n" + _text(TOUCH) + b"\x85}\x92.",
    "persistent id": b"\x80\x02" + _text(TOUCH) + b"Q.",
    "textual persistent id": b"Ptouch {marker}\n.",
    "extension registry": b"\x80\x02\x82\x01.",
    "extension registry, 4 bytes": b"\x80\x02\x84\xff\xff\xff\x7f.",
    "array of another class": b"\x80\x02" + ARRAY.replace(b"numpy\nndarray", b"os\nsystem") + b".",
    "reduce of a string": b"\x80\x02" + _text("os.system") + _text(TOUCH) + b"\x85R.",
    "reduce of ndarray": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86tR.",
    "dtype of objects": b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.",
    "dtype of records": b"\x80\x02cnumpy\ndtype\n](U\x01aU\x01O\x86e\x85R.",
    "setstate of a dictionary": b"\x80\x02}}(" + _text("__class__") + b"cos\nsystem\nub.",
    "setstate of a list": b"\x80\x02]}b.",
    "setstate of a name": b"\x80\x02cnumpy\nndarray\n}(" + _text("__array_finalize__") + b"Nub.",
    "state too short": b"\x80\x02" + ARRAY + b"K\x01\x85b.",
    "state with a huge shape": b"\x80\x02"
    + ARRAY
    + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86cnumpy\ndtype\nU\x02u1\x89\x88\x87R\x89U\x00tb.",
    "huge memo": b"\x80\x02Nr\xff\xff\xff\xff0.",
    "huge memo, then read": b"\x80\x02]r\xff\xff\xff\x7fj\xff\xff\xff\x7f.",
    "unknown memo": b"\x80\x02h\x07.",
    "huge long": b"\x80\x02\x8b\xff\xff\xff\x7f" + b"\xff" * 1000 + b".",
    "negative long": b"\x80\x02\x8b\xff\xff\xff\xff.",
    "long of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "huge bytes": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "huge bytearray": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
    "huge string": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "negative string": b"\x80\x02T\xff\xff\xff\xffabc.",
    "huge frame": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
    "out-of-band buffer": b"\x80\x05\x97.",
    "list in itself": b"\x80\x02]q\x00h\x00a.",
    "dictionary in itself": b"\x80\x02}q\x00" + _text("data") + b"h\x00s.",
    "key whose hash never ends": b"\x80\x02}N" + b"q\x00h\x00\x86" * 200 + b"Ns.",
    "call of what has no end of a hash": b"\x80\x02N" + b"q\x00h\x00\x86" * 200 + b")R.",
    "keys of megabytes": b"\x80\x04}B\x40\x4b\x4c\x00"
    + b"k" * 5_000_000
    + b"q\x00Ns"
    + b"h\x00Ns" * 40_000
    + b".",
    "array built over and over": b"\x80\x02"
    + ARRAY
    + b"q\x01(K\x01M\x10\x27M\x00\x0c\x86cnumpy\ndtype\nU\x02u1\x89\x88\x87R\x89T\x00\xc0\xd4\x01"
    + bytes(10_000 * 3072)
    + b"tq\x02b"
    + b"h\x01h\x02b" * 30_000
    + b"N.",
    "deep nesting": b"\x80\x02" + b"(" * 150_000 + b"t" * 150_000 + b".",
    "too many parts": b"\x80\x02" + b"N" * 1_000_000 + b".",
    "too many marks": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "no mark": b"\x80\x02t.",
    "empty stack": b"\x80\x02.",
    "odd items": b"\x80\x02}(" + _text("data") + b"u.",
    "items of a name": b"\x80\x02cnumpy\nndarray\n(NNu.",
    "unfinished": b"\x80\x02}",
    "unknown instruction": b"\x80\x02\xff.",
    "empty": b"",
    "zeros": bytes(1000),
    "not a dictionary": b"\x80\x02].",
    "empty dictionary": b"\x80\x02}.",
    "data without an array": b"\x80\x02}(" + _text("data") + ARRAY + _text("labels") + b"]u.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_run_nothing(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    raw = _aimed(HOSTILE[name], marker)
    modules = set(sys.modules)
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(pickles.BatchError):
        pickles.loads(raw)
    seconds, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not marker.exists()
    assert set(sys.modules) == modules
    assert seconds < 5
    assert peak < 128 * 2**20


def test_ends_early_with_too_many_parts() -> None:
    with pytest.raises(pickles.BatchError, match="far more parts"):
        pickles.loads(HOSTILE["too many parts"])


def _aimed(raw: bytes, marker: Path) -> bytes:
    """`raw` with the marker's path in it; the lengths of texts become what they now are."""
    for text in (TOUCH, WRITE, "{marker}"):
        raw = raw.replace(_text(text), _text(text.replace("{marker}", str(marker))))
    return raw.replace(b"{marker}", str(marker).encode())


@pytest.mark.skipif(os.name != "posix", reason="runs touch")
@pytest.mark.parametrize("name", ["os.system", "posix.system", "subprocess", "eval", "open", "inst", "obj"])
def test_hostile_pickles_are_hostile(name: str, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    marker = tmp_path / "ran"
    try:
        opened = pickle.loads(_aimed(HOSTILE[name], marker))
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
    began, read = time.monotonic(), 0
    for _ in range(2000):
        try:
            pixels, labels = pickles.loads(_mutated(small, rng))
        except pickles.BatchError:
            continue
        assert pixels.shape == (ROWS, 3072)
        assert labels.shape == (ROWS,)
        assert labels.max() <= 9
        read += 1
    assert 0 < read < 2000
    assert time.monotonic() - began < 20


def _mutated(raw: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, removed, doubled or moved; not among the pixels, where nothing would happen."""
    found = bytearray(raw)
    data = raw.index(SMALL_HEAD)
    for _ in range(rng.randint(1, 4)):
        place = rng.choice([rng.randrange(data + 90), len(raw) - rng.randrange(1, 400)])
        length = rng.randint(1, 8)
        piece = found[place : place + length]
        change = rng.choice(["change", "remove", "double", "cut", "insert"])
        if change == "change":
            found[place : place + 1] = bytes([rng.randrange(256)])
        elif change == "remove":
            del found[place : place + length]
        elif change == "double":
            found[place:place] = piece * rng.randint(1, 50)
        elif change == "insert":
            found[place:place] = rng.randbytes(length)
        else:
            del found[place:]
    return bytes(found)
