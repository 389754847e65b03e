"""The pickle of one CIFAR-10 batch: read without running anything that it says, and written.

    bytes -> opcodes -> a dictionary of stand-ins, bytes and numbers -> pixels and labels

Unpickling runs whatever a file says. Here Python's unpickler has only the opcodes of the official files (and
of those saved again with protocols 3 and 4), and puts stand-ins of ours in the place of the three NumPy names
in them; nothing is imported. The length of the file bounds time and memory.
"""

import io
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

ROWS, PIXELS = 10_000, 3072
# An official file takes about 70,000: one to three an opcode.
MAX_READS = 200_000
MAX_WORD = 100


class BatchError(ValueError):
    """The bytes are not a batch; the message says what they are instead."""


def loads(raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels (10000, 3072) and labels (10000,), both uint8, of one pickled batch.

    Raises BatchError when `raw` is anything else, however hostile.
    """
    file = _BoundedReads(raw)
    try:
        batch = _BatchUnpickler(file, encoding="bytes").load()
    except (BatchError, MemoryError):
        raise
    except Exception as error:  # damage shows in a dozen kinds of them
        raise BatchError("a damaged pickle, or not of the form that batches have") from error
    if file.tell() < len(raw):
        raise BatchError("more bytes than its pickle has")
    if not isinstance(batch, dict):
        raise BatchError("a pickle, but not of a dictionary with data and labels")
    return _pixels(batch.get("data")), _labels(batch.get("labels"))


def _pixels(data: object) -> NDArray[np.uint8]:
    if not isinstance(data, _Array) or not isinstance(data.state, tuple) or len(data.state) != 5:
        raise BatchError("holds no array called data")
    _, shape, dtype, fortran, content = data.state
    if shape != (ROWS, PIXELS) or dtype is not _UINT8 or fortran:
        raise BatchError(f"an array other than {ROWS} x {PIXELS} uint8")
    if not isinstance(content, bytes) or len(content) != ROWS * PIXELS:
        raise BatchError("an array whose bytes do not fill its shape")
    return np.frombuffer(content, np.uint8).reshape(ROWS, PIXELS)


def _labels(labels: object) -> NDArray[np.uint8]:
    if not isinstance(labels, list) or len(labels) != ROWS:
        raise BatchError(f"holds no list of {ROWS} labels")
    if not all(type(label) is int and 0 <= label <= 9 for label in labels):
        raise BatchError("has labels other than 0 to 9")
    return np.array(labels, np.uint8)


class _BoundedReads(io.BytesIO):
    """The bytes of a file, in a bounded number of reads and short lines."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        self.count += 1
        if self.count > MAX_READS:
            raise BatchError("a pickle of far more parts than a batch has")
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(MAX_WORD)


@dataclass
class _Array:
    """Stand-in of an array. Its state in a batch: version, shape, dtype, whether in Fortran order, bytes."""

    state: object = None


# Stand-ins of NumPy's names, and of a dtype.
_RECONSTRUCT, _NDARRAY, _DTYPE, _UINT8 = object(), object(), object(), object()
_NAMES = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _DTYPE,
}

# Python's own of these call nothing, and take no more memory than the file has bytes.
_OPCODES = [
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.SHORT_BINSTRING, pickle.BINSTRING),
    *(pickle.SHORT_BINBYTES, pickle.BINBYTES, pickle.SHORT_BINUNICODE, pickle.BINUNICODE),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.TUPLE),
    *(pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.GLOBAL, pickle.STACK_GLOBAL),
]


class _BatchUnpickler(pickle._Unpickler):
    """Python's unpickler with the opcodes of batches only; calls nothing and sets no attribute but `state`.

    `pickle._Unpickler` is the one written in Python, whose table of opcodes can be cut down. The one written
    in C obeys all of them: a few bytes make it ask for 32 GB (LONG_BINPUT, BYTEARRAY8), or hash for ever (a
    key of tuples that hold each other).
    """

    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _NAMES:
            raise BatchError("a pickle that asks for a name other than NumPy's array and dtype")
        return _NAMES[module, name]

    def _reduce(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if name is _RECONSTRUCT and arguments[0] is _NDARRAY:
            self.stack.append(_Array())
        elif name is _DTYPE and arguments[0] in (b"u1", b"|u1", "u1", "|u1"):
            self.stack.append(_UINT8)
        else:
            raise BatchError("a pickle with something other than an array of bytes")

    def _build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if isinstance(built, _Array):
            built.state = state
        elif built is not _UINT8:
            raise BatchError("a pickle that sets the state of something other than an array")

    def _set_items(self) -> None:
        items, target = self.pop_mark(), self.stack[-1]
        if not isinstance(target, dict):
            raise BatchError("a pickle with items of something other than a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_text(key)] = value

    def _skip_frame_size(self) -> None:
        self.read(8)

    dispatch: ClassVar[dict[int, Any]] = {
        **{code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES},
        pickle.FRAME[0]: _skip_frame_size,
        pickle.SETITEMS[0]: _set_items,
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
    }


def _text(key: object) -> str:
    """Return a key as text. Raises BatchError for a long or nested one, whose hash may take for ever."""
    if not isinstance(key, str | bytes) or len(key) > MAX_WORD:
        raise BatchError("a pickle with a key other than a word")
    return key.decode("latin-1") if isinstance(key, bytes) else key


def dumps(title: str, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """Pickle a batch of 10000 images as the official files are: protocol 2 with byte strings of Python 2.

    Python 3's pickler has no such strings; `pickle.load(file, encoding="bytes")` reads the result.
    """
    names = [_string(f"image_{index:05}.png") for index in range(len(labels))]
    entries = {
        "batch_label": _string(title),
        "labels": _list(b"K" + bytes([label]) for label in labels.tolist()),
        "data": _ARRAY_HEAD + _string(pixels.tobytes()) + b"tb",
        "filenames": _list(names),
    }
    return _dictionary(entries)


def dumps_meta(names: Iterable[str]) -> bytes:
    """Pickle the names of the classes and the sizes, as in the official `batches.meta`."""
    names_list = _list(_string(name) for name in names)
    sizes = {"num_cases_per_batch": b"M\x10\x27", "num_vis": b"M\x00\x0c"}
    return _dictionary({"label_names": names_list, **sizes})


# The beginning of an array, up to its bytes: shape (10000, 3072), dtype uint8, C order.
_ARRAY_HEAD = (
    b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01M\x10\x27M\x00\x0c\x86cnumpy\ndtype\nU\x02u1\x89\x88\x87R"
    b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
)


def _string(text: str | bytes) -> bytes:
    raw = text.encode("ascii") if isinstance(text, str) else text
    if len(raw) < 256:
        return b"U" + bytes([len(raw)]) + raw
    return b"T" + len(raw).to_bytes(4, "little") + raw


def _list(items: Iterable[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def _dictionary(entries: dict[str, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(_string(key) + value for key, value in entries.items()) + b"u."
