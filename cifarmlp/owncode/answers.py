"""Answers: the quantities that somebody's own program saved, in any layout and the usual spellings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp.errors import DataError
from cifarmlp.owncode.case import SCALARS, read_arrays
from cifarmlp.owncode.reference import Array, Case, Quantities
from cifarmlp.text import escape

GRADIENT = r"(?:gradients?|grads?|djd|dld|dl|dj|jac|d|g|j)"
PARAMETER = r"(w|b|gamma|gam|beta|bet)"
NEW = r"(?:new|updated|upd|next)"
STATISTIC = r"(mean|mu|variance|var)"
SPELLINGS = (  # patterns of a name in small letters without `_`, `.`, brackets and blanks, and the quantity
    (rf"{NEW}(?:running|moving|run|mov)?{STATISTIC}(?:av|avg)?(\d*)", "newrunning_{0}{1}"),
    (rf"(?:running|moving|run|mov)(?:av|avg)?{STATISTIC}{NEW}(\d*)", "newrunning_{0}{1}"),
    (rf"(?:running|moving|run|mov)(?:av|avg)?{STATISTIC}(\d*){NEW}", "newrunning_{0}{1}"),
    (rf"{NEW}{PARAMETER}(\d*)", "new{0}{1}"),
    (rf"{PARAMETER}{NEW}(\d*)", "new{0}{1}"),
    (rf"{PARAMETER}(\d*){NEW}", "new{0}{1}"),
    (rf"{GRADIENT}{PARAMETER}(\d*)", "d{0}{1}"),
    (rf"{PARAMETER}(\d*){GRADIENT}", "d{0}{1}"),
    (rf"{PARAMETER}{GRADIENT}(\d*)", "d{0}{1}"),
    (rf"(?:batch)?{STATISTIC}(\d*)", "{0}{1}"),
    (r"(?:s|x)(?:hat|normalised|normalized|norm)(\d*)", "shat{0}"),
    (r"(?:s|z|scores?|preact)(\d*)", "s{0}"),
    (r"(?:h|hidden|relu|act|activations?)(\d*)", "h{0}"),
    (r"(?:p|probs?|probabilities|softmax)", "P"),
    (r"(?:loss|crossentropy)", "loss"),
    (r"(?:cost|j|totalloss)", "cost"),
)
SHORT = {"w": "W", "gam": "gamma", "bet": "beta", "mu": "mean", "variance": "var"}


@dataclass(frozen=True)
class Answers:
    """Quantities by name, as rows. square: those whose layout their shape does not tell.

    is_single: float32 numbers, whatever the type that they were saved as. notes: words on names that were not
    understood. unusable: quantities of a wrong shape or type, with words on it. unsummed: bias gradients with
    a row an image.
    """

    arrays: Mapping[str, Array]
    square: frozenset[str]
    is_single: bool
    notes: tuple[str, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)
    unsummed: tuple[str, ...] = ()


def canonical(name: str) -> str:
    """Return the quantity's name for a spelling of it, or "" if it is none.

    >>> [canonical(name) for name in ("grad_W1", "gW1", "JW1", "dW{1}", "W1_grad", "new_W2", "mu3", "foo")]
    ['dW1', 'dW1', 'dW1', 'dW1', 'dW1', 'newW2', 'mean3', '']
    """
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    for pattern, quantity in SPELLINGS:
        match = re.fullmatch(pattern, bare)
        if match:
            return quantity.format(*(SHORT.get(group, group) for group in match.groups()))
    return ""


def read_answers(path: Path, case: Case, expected: Quantities) -> Answers:
    """Read what somebody saved. Raises DataError if nothing in it is a quantity of the case."""
    given = read_arrays(path)
    columns = _are_columns(given, expected)
    arrays: dict[str, Array] = {}
    notes: list[str] = []
    unusable: dict[str, str] = {}
    unsummed: list[str] = []
    square: set[str] = set()
    for name, value in given.items():
        quantity = _quantity(name, expected)
        if not quantity:
            notes += _note_on(name, case, expected)
            continue
        array = _numbers(value)
        if array is None:
            unusable[quantity] = f"{escape(name)}: empty, or not real numbers"
            continue
        if _is_unsummed(quantity, array, expected):
            unsummed.append(quantity)
            continue
        shaped = _as_rows(array, expected[quantity].shape, columns)
        if shaped is None:
            unusable[quantity] = f"{escape(name)}: {_wrong_shape(array, expected[quantity])}"
            continue
        if quantity in arrays and not np.array_equal(arrays[quantity], shaped):
            unusable[quantity] = f"{escape(name)}: {quantity} is given twice, with different values"
            del arrays[quantity]
            continue
        if quantity not in unusable:
            arrays[quantity] = shaped
        if shaped.ndim == 2 and shaped.shape[0] == shaped.shape[1]:
            square.add(quantity)
    if not arrays and not unsummed and not unusable:
        told = f"; {notes[0]}" if notes else ""
        raise DataError(f"{escape(str(path))}: no quantity of the case in it, such as dW1, loss or P{told}")
    arrays = {name: arrays[name] for name in expected if name in arrays}
    return Answers(arrays, frozenset(square), _is_single(arrays), tuple(notes), unusable, tuple(unsummed))


def _quantity(name: str, expected: Quantities) -> str:
    if name in expected:
        return name
    quantity = canonical(name)
    if quantity not in expected and f"{quantity}1" in expected and f"{quantity}2" not in expected:
        quantity += "1"  # the only layer's number may be left out
    return quantity if quantity in expected else ""


def _note_on(name: str, case: Case, expected: Quantities) -> list[str]:
    if name in case.arrays or name in SCALARS or name.startswith(("answers", "layout")):
        return []
    near = get_close_matches(name, list(expected), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return [f"{escape(name)}: not the name of a quantity{hint}"]


def _numbers(value: Any) -> Array | None:
    array = np.asarray(value)
    return array.astype(float) if array.dtype.kind in "fiub" and array.size else None


def _is_unsummed(quantity: str, array: Array, expected: Quantities) -> bool:
    n, shape = expected["P"].shape[0], expected[quantity].shape
    if not quantity.startswith(("db", "dbeta")) or len(shape) != 1 or n == 1:
        return False
    return array.shape in {(n, *shape), (*shape, n)}


def _as_rows(array: Array, shape: tuple[int, ...], columns: bool) -> Array | None:
    """Return the array in the shape, or None if it has neither it nor that of the other layout."""
    if array.size != np.prod(shape, dtype=int):
        return None
    if len(shape) < 2:
        return array.reshape(shape) if max(array.shape, default=1) == array.size else None
    if array.shape == shape and not (columns and shape[0] == shape[1]):
        return array
    return array.T if array.shape == shape[::-1] else None


def _are_columns(given: Mapping[str, Any], expected: Quantities) -> bool:
    """Return whether the matrices that tell are those of columns."""
    votes = 0
    for name, value in given.items():
        quantity = _quantity(name, expected)
        shape = expected[quantity].shape if quantity else ()
        if len(shape) == 2 and shape[0] != shape[1]:
            votes += (np.shape(value) == shape[::-1]) - (np.shape(value) == shape)
    return votes > 0


def _wrong_shape(array: Array, right: Array) -> str:
    rows, columns = (
        str(shape) for shape in (right.shape, right.shape[::-1] if right.ndim == 2 else right.shape)
    )
    other = f" or, in columns, {columns}" if right.ndim == 2 else ""
    return f"its shape is {np.shape(array)}, not {rows}{other}"


def _is_single(arrays: Mapping[str, Array]) -> bool:
    """Return whether some array has nothing but float32 numbers: then float32 was computed in."""
    with np.errstate(over="ignore"):
        return any(
            array.size > 1 and np.any(array) and np.array_equal(array, array.astype(np.float32))
            for array in arrays.values()
        )
