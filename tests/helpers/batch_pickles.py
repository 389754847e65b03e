"""Pickles for the tests of their reader: a small good batch, hostile ones, and altered ones."""

import random
import struct
from pathlib import Path

import numpy as np

from cifarmlp.data import pickles

ROWS = 20
HEAD = b"M\x10\x27M\x00\x0c\x86"
SMALL_HEAD = b"M" + struct.pack("<H", ROWS) + b"M\x00\x0c\x86"


def small_batch() -> bytes:
    """20 images as the official files have 10000; to be read with pickles.ROWS = 20."""
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 3072), dtype=np.uint8)
    labels = np.arange(ROWS, dtype=np.uint8) % 10
    return pickles.dumps("training batch 1 of 5", pixels, labels).replace(HEAD, SMALL_HEAD)


def text(value: str) -> bytes:
    """Protocol 2: a short text."""
    return b"U" + bytes([len(value)]) + value.encode()


def call(module: str, name: str, *arguments: str) -> bytes:
    """Protocol 2: module.name(*arguments)."""
    return (
        b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(map(text, arguments)) + b"tR" + b"."
    )


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
TOUCH = "touch {marker}"
WRITE = "open('{marker}', 'w').close()"

# Unpickled or followed, each would leave a file at {marker}, allocate without end, never return, or crash.
HOSTILE: dict[str, bytes] = {
    "os.system": call("os", "system", TOUCH),
    "posix.system": call("posix", "system", TOUCH),
    "nt.system": call("nt", "system", TOUCH),
    "os.popen": call("os", "popen", TOUCH),
    "subprocess": b"\x80\x02csubprocess\ncall\n(](" + text("touch") + text("{marker}") + b"etR.",
    "eval": call("builtins", "eval", WRITE),
    "exec": call("builtins", "exec", WRITE),
    "python 2's eval": call("__builtin__", "eval", WRITE),
    "open": call("builtins", "open", "{marker}", "w"),
    "import": call("builtins", "__import__", "antigravity"),
    "getattr chain": b"\x80\x02cbuiltins\ngetattr\n(cos\npath\nU\x03os\x00tR.",
    "getattr of a name": b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x02os\x8c\x06system\x93\x86R.",
    "nested reduce": b"\x80\x02cbuiltins\nmap\n(cos\nsystem\n](" + text(TOUCH) + b"etR.",
    "stack global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0e{marker}\x85R.",
    "dotted stack global": b"\x80\x04\x8c\x05numpy\x8c\x11core.os.system\x00\x00\x00\x93.",
    "stack global of a number": b"\x80\x04K\x01K\x02\x93.",
    "numpy's own runner": call("numpy.testing._private.utils", "runstring", WRITE, ""),
    "numpy.load": call("numpy", "load", "{marker}"),
    "inst": b"(S'touch {marker}'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'touch {marker}'\no.",
    "newobj": b"\x80\x02cos\nsystem\n" + text(TOUCH) + b"\x85\x81.",
    "newobj_ex": b"\x80\x04cos\nsystem\n" + text(TOUCH) + b"\x85}\x92.",
    "persistent id": b"\x80\x02" + text(TOUCH) + b"Q.",
    "textual persistent id": b"Ptouch {marker}\n.",
    "extension registry": b"\x80\x02\x82\x01.",
    "extension registry, 4 bytes": b"\x80\x02\x84\xff\xff\xff\x7f.",
    "array of another class": b"\x80\x02" + ARRAY.replace(b"numpy\nndarray", b"os\nsystem") + b".",
    "reduce of a string": b"\x80\x02" + text("os.system") + text(TOUCH) + b"\x85R.",
    "reduce of ndarray": b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86tR.",
    "dtype of objects": b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.",
    "dtype of records": b"\x80\x02cnumpy\ndtype\n](U\x01aU\x01O\x86e\x85R.",
    "setstate of a dictionary": b"\x80\x02}}(" + text("__class__") + b"cos\nsystem\nub.",
    "setstate of a list": b"\x80\x02]}b.",
    "setstate of a name": b"\x80\x02cnumpy\nndarray\n}(" + text("__array_finalize__") + b"Nub.",
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
    "dictionary in itself": b"\x80\x02}q\x00" + text("data") + b"h\x00s.",
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
    "a key of tuples in tuples": b"\x80\x02}(N" + b"\x85" * 150_000 + b"Nu.",
    "a line without an end": b"\x80\x02c" + b"a" * 20_000_000,
    "names without end": b"\x80\x02" + b"cnumpy\ndtype\n" * 150_000,
    "no mark": b"\x80\x02t.",
    "empty stack": b"\x80\x02.",
    "odd items": b"\x80\x02}(" + text("data") + b"u.",
    "items of a name": b"\x80\x02cnumpy\nndarray\n(NNu.",
    "unfinished": b"\x80\x02}",
    "unknown instruction": b"\x80\x02\xff.",
    "empty": b"",
    "zeros": bytes(1000),
    "not a dictionary": b"\x80\x02].",
    "empty dictionary": b"\x80\x02}.",
    "data without an array": b"\x80\x02}(" + text("data") + ARRAY + text("labels") + b"]u.",
}


def aim(raw: bytes, marker: Path) -> bytes:
    """Put the marker's path into a hostile pickle; lengths of texts follow."""
    for word in (TOUCH, WRITE, "{marker}"):
        raw = raw.replace(text(word), text(word.replace("{marker}", str(marker))))
    return raw.replace(b"{marker}", str(marker).encode())


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Change, remove, double or insert a few bytes, though not among the pixels, where any byte is right."""
    altered = bytearray(raw)
    data = raw.index(SMALL_HEAD)
    for _ in range(rng.randint(1, 4)):
        place = rng.choice([rng.randrange(data + 90), len(raw) - rng.randrange(1, 400)])
        length = rng.randint(1, 8)
        piece = altered[place : place + length]
        change = rng.choice(["change", "remove", "double", "cut", "insert"])
        if change == "change":
            altered[place : place + 1] = bytes([rng.randrange(256)])
        elif change == "remove":
            del altered[place : place + length]
        elif change == "double":
            altered[place:place] = piece * rng.randint(1, 50)
        elif change == "insert":
            altered[place:place] = rng.randbytes(length)
        else:
            del altered[place:]
    return bytes(altered)
