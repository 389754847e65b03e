"""The arrays of a population, and those of its members: a block each, along the one axis that differs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def take_members(array: Array, shape: tuple[int, ...], members: Sequence[int] | NDArray[np.intp]) -> Array:
    """Return the blocks of some members of a population's array, in `shape`: all of it if that is its own.

    >>> take_members(np.array([[1, 1, 2, 2, 3, 3]]), (1, 4), [0, 2])
    array([[1, 1, 3, 3]])
    """
    axis = _axis(array.shape, shape)
    if axis is None:
        return array
    size = shape[axis] // len(members)
    blocks = array.reshape(*shape[:axis], -1, size, *shape[axis + 1 :])
    return blocks.take(members, axis).reshape(shape)


def join_members(arrays: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Return the array of a population, in `shape`; the first one's if that has the shape of a member's.

    >>> join_members([np.array([1, 1]), np.array([2, 2])], (4,))
    array([1, 1, 2, 2])
    """
    axis = _axis(arrays[0].shape, shape)
    return arrays[0] if axis is None else np.concatenate(arrays, axis)


def _axis(one: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    """Return the first axis in which two shapes differ."""
    return next((n for n, sizes in enumerate(zip(one, other, strict=True)) if len({*sizes}) > 1), None)
