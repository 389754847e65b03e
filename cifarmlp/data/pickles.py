"""The pickle of one CIFAR-10 batch, read without unpickling: an interpreter that can build a batch, no more.

Unpickling runs whatever a file says. This reader knows only the instructions that the official files (and
those saved again with protocols 3 and 4) consist of; the three NumPy names in them are compared as text and
never imported; nothing is ever called. Time and memory are bounded by the length of the file.
"""

import pickletools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS, PIXELS = 10_000, 3072
# An official file has about 20,100 instructions.
MAX_INSTRUCTIONS = 200_000
MAX_NAME = 100


class BatchError(ValueError):
    """The bytes are not a batch; says in words what they are instead."""


def loads(raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (10000, 3072) and labels (10000,), both uint8, of one pickled batch.

    Raises BatchError when `raw` is anything else, however hostile.
    """
    try:
        # Damaged names draw warnings about their backslashes: a fault of the file, not of this program.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            batch = _interpret(raw)
    except BatchError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, Warning) as error:
        raise BatchError("damaged pickle") from error
    if not isinstance(batch, dict):
        raise BatchError("a pickle, but not of a dictionary with data and labels")
    return _pixels(batch.get("data")), _labels(batch.get("labels"))


def _pixels(data: object) -> NDArray[np.uint8]:
    if not isinstance(data, _Array) or not isinstance(data.state, tuple):
        raise BatchError("holds no array called data")
    try:
        _, shape, dtype, fortran, content = data.state
    except ValueError as error:
        raise BatchError("holds no array called data") from error
    if shape != (ROWS, PIXELS) or dtype is not _UINT8 or fortran:
        raise BatchError(f"an array other than {ROWS} x {PIXELS} uint8")
    return _from_bytes(content)


def _from_bytes(content: object) -> NDArray[np.uint8]:
    raw = content.encode("latin-1") if isinstance(content, str) else content
    if not isinstance(raw, bytes) or len(raw) != ROWS * PIXELS:
        raise BatchError("an array whose bytes do not fill its shape")
    return np.frombuffer(raw, np.uint8).reshape(ROWS, PIXELS)


def _labels(labels: object) -> NDArray[np.uint8]:
    if not isinstance(labels, list) or len(labels) != ROWS:
        raise BatchError(f"holds no list of {ROWS} labels")
    if not all(type(label) is int and 0 <= label <= 9 for label in labels):
        raise BatchError("has labels other than 0 to 9")
    return np.array(labels, np.uint8)


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop_to_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items


@dataclass(frozen=True)
class _Name:
    text: str


@dataclass
class _Array:
    state: object = None


_RECONSTRUCT = {_Name("numpy.core.multiarray _reconstruct"), _Name("numpy._core.multiarray _reconstruct")}
_NDARRAY, _DTYPE, _UINT8 = _Name("numpy ndarray"), _Name("numpy dtype"), _Name("uint8")
_NAMES = _RECONSTRUCT | {_NDARRAY, _DTYPE}


def _interpret(raw: bytes) -> object:
    machine = _Machine()
    for count, (opcode, argument, at) in enumerate(pickletools.genops(raw)):
        if count > MAX_INSTRUCTIONS:
            raise BatchError("a pickle of far more parts than a batch has")
        if opcode.name == "STOP":
            if at is not None and at + 1 < len(raw):
                raise BatchError("more bytes than its pickle has")
            break
        _step(machine, opcode.name, argument)
    return machine.stack.pop()


def _step(machine: _Machine, name: str, argument: Any) -> None:
    if name in _LITERALS:
        machine.stack.append(argument)
    elif name in _CONSTANTS:
        machine.stack.append(_CONSTANTS[name]())
    elif name in _ACTIONS:
        _ACTIONS[name](machine, argument)
    elif name not in ("PROTO", "FRAME"):
        raise BatchError(f"a pickle with the instruction {name}, which no CIFAR-10 batch needs")


def _global(machine: _Machine, text: str) -> None:
    name = _Name(text)
    if name not in _NAMES:
        raise BatchError("a pickle that asks for a name other than NumPy's array and dtype")
    machine.stack.append(name)


def _stack_global(machine: _Machine, _: object) -> None:
    attribute, module = machine.stack.pop(), machine.stack.pop()
    _global(machine, f"{_text(module)} {_text(attribute)}")


def _reduce(machine: _Machine, _: object) -> None:
    arguments, name = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, _Name):
        raise BatchError("a pickle that calls something other than a name")
    if name in _RECONSTRUCT and arguments[0] == _NDARRAY:
        machine.stack.append(_Array())
    elif name == _DTYPE and arguments[0] in ("u1", "|u1"):
        machine.stack.append(_UINT8)
    else:
        raise BatchError("a pickle with something other than an array of bytes")


def _build(machine: _Machine, _: object) -> None:
    state, built = machine.stack.pop(), machine.stack[-1]
    if isinstance(built, _Array):
        # Checked and copied at the end, once: a file may do this a hundred thousand times.
        built.state = state
    elif built is not _UINT8:
        raise BatchError("a pickle that sets the state of something other than an array")


def _append(machine: _Machine, items: Iterable[object]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, list):
        raise BatchError("damaged pickle")
    target.extend(items)


def _set_items(machine: _Machine, items: list[object]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict):
        raise BatchError("damaged pickle")
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[_text(key)] = value


def _text(value: object) -> str:
    """A key or name: short text, since hashing megabytes or nested tuples may take for ever."""
    if not isinstance(value, str | bytes) or len(value) > MAX_NAME:
        raise BatchError("damaged pickle")
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _tuple_of(n: int) -> Callable[[_Machine, Any], None]:
    def action(machine: _Machine, _: object) -> None:
        items = [machine.stack.pop() for _ in range(n)]
        machine.stack.append(tuple(reversed(items)))

    return action


def _memorise(machine: _Machine, index: int | None) -> None:
    machine.memo[len(machine.memo) if index is None else index] = machine.stack[-1]


_LITERALS = {"BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING"} | {
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
}
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": lambda machine, _: _append(machine, [machine.stack.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.pop_to_mark()),
    "SETITEM": lambda machine, _: _set_items(machine, [machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.pop_to_mark()),
    "BINPUT": _memorise,
    "LONG_BINPUT": _memorise,
    "MEMOIZE": _memorise,
    "BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def dumps(title: str, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """A batch of 10000 images as the official files are: protocol 2 with the byte strings of Python 2.

    Python 3's own pickler has no such strings; `pickle.load(file, encoding="bytes")` reads the result.
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
    """`batches.meta`: the names of the classes and the sizes, pickled as in the official file."""
    names_list = _list(_string(name) for name in names)
    sizes = {"num_cases_per_batch": b"M\x10\x27", "num_vis": b"M\x00\x0c"}
    return _dictionary({"label_names": names_list, **sizes})


# Of shape (10000, 3072) and dtype uint8, in C order: up to where the bytes come.
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
