"""Pixels on a scale that suits a network: means, standard deviations, and images standardised by them."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.dataset import Pixels
from cifarmlp.data.room import Room
from cifarmlp.errors import DataError

CHUNK = 500  # rows that are summed at once
TILE = 25  # rows that are standardised at once
CHANNELS = 3

Floats = NDArray[np.float32] | NDArray[np.float64]
Rows = NDArray[np.intp] | range
Fill = Callable[[Pixels, Rows, Floats], Floats]


def pixel_statistics(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (divided by n) of each pixel, (3072,) float32, in raw 0-255 units.

    Summed in integers, so exact up to the last rounding; a pixel that never changes has standard deviation 0.
    `pixels` is (n, 3072) uint8, up to ten million rows; needs a few MB. Raises DataError when it has no rows.

    >>> pixel_statistics(np.array([[0, 7], [2, 7]], np.uint8))
    (array([1., 7.], dtype=float32), array([1., 0.], dtype=float32))
    """
    n = len(pixels)
    total, squares = _sums(pixels)
    mean, std = total / n, np.sqrt(n * squares - total * total) / n
    return mean.astype(np.float32), std.astype(np.float32)


def scaling_statistics(pixels: Pixels, scaling: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what is subtracted from each pixel and what it is then divided by, (3072,) float32 each.

    By `scaling`: `per_pixel` each pixel's mean and standard deviation, see `pixel_statistics`; `per_channel`
    those of all pixels of its channel; `mean_image` the pixel's mean and 1; `unit` 0 and 255; `none` 0 and 1.

    >>> scaling_statistics(np.array([[0, 7, 7], [2, 7, 9]], np.uint8), "mean_image")
    (array([1., 7., 8.], dtype=float32), array([1., 1., 1.], dtype=float32))
    """
    one = np.ones(pixels.shape[1], np.float32)
    if scaling in ("unit", "none"):
        return 0 * one, (255 if scaling == "unit" else 1) * one
    mean, std = _channel_statistics(pixels) if scaling == "per_channel" else pixel_statistics(pixels)
    return mean, (one if scaling == "mean_image" else std)


def _channel_statistics(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    n, width = pixels.shape
    each = width // CHANNELS
    # In float64: the square of a channel's sum is beyond 64 bits.
    mean, square = (sums.reshape(CHANNELS, each).sum(axis=1) / (n * each) for sums in _sums(pixels))
    std = np.sqrt(np.maximum(square - mean**2, 0))
    return mean.astype(np.float32).repeat(each), std.astype(np.float32).repeat(each)


def _sums(pixels: Pixels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sum of each pixel's values, and that of their squares."""
    if len(pixels) == 0:
        raise DataError("no images to take the pixels' mean and standard deviation of")
    total, squares = np.zeros((2, pixels.shape[1]), np.int64)
    for start in range(0, len(pixels), CHUNK):
        chunk = pixels[start : start + CHUNK].astype(np.uint32)
        total += chunk.sum(axis=0, dtype=np.uint32)
        squares += np.square(chunk, out=chunk).sum(axis=0, dtype=np.uint32)
    return total, squares


def standardiser(
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
    dtype: type[np.floating[Any]],
    room: Room | None = None,
) -> Fill:
    """Return a function fill(pixels, rows, out) -> x that makes (pixels[rows] - mean) / std.

    pixels (n, 3072) are uint8, rows (B,) integers; out (B, 3072) has `dtype`, and is 0 where `std` is 0.
    x is `out`. room: images standardised already, for float32; of a range of rows x is a view of it, which
    nobody may write to. The bits are the same with and without.

    >>> fill = standardiser(np.array([1, 7], np.float32), np.array([1, 0], np.float32), np.float32)
    >>> fill(np.array([[0, 7], [2, 7]], np.uint8), np.array([1]), np.empty((1, 2), np.float32))
    array([[1., 0.]], dtype=float32)
    """
    # In tiles, which stay in the processor's cache from step to step. The mean is tiled, too: subtracting
    # arrays of one shape is twice as fast as broadcasting a row.
    shifts, scales = (np.tile(row.astype(dtype), (TILE, 1)) for row in (mean, _scale(std, dtype)))
    raw = np.empty(shifts.shape, np.uint8)

    def take(pixels: Pixels, rows: Rows, out: Pixels) -> Pixels:
        if isinstance(rows, range):
            return pixels[rows.start : rows.stop]
        # The default mode="raise" would buffer the output.
        return np.take(pixels, rows, axis=0, out=out, mode="clip")

    def fill(pixels: Pixels, rows: Rows, out: Floats) -> Floats:
        for start in range(0, len(rows), TILE):
            part = out[start : start + TILE]
            n = len(part)
            np.copyto(part, take(pixels, rows[start : start + n], raw[:n]))
            np.subtract(part, shifts[:n], out=part)
            np.multiply(part, scales[:n], out=part)
        return out

    return _in_room(fill, room) if room else fill


def _in_room(fill: Fill, room: Room) -> Fill:
    """Return `fill` so that it takes what is in the room already from there."""

    def take(pixels: Pixels, rows: Rows, out: Floats) -> Floats:
        first = room.first_row(pixels)
        if first is None:
            return fill(pixels, rows, out)
        here = slice(first + rows.start, first + rows.stop) if isinstance(rows, range) else rows + first
        if not room.has(here):
            return fill(pixels, rows, out)
        if isinstance(here, slice):
            return room.x[here]
        return np.take(room.x, here, axis=0, out=out, mode="clip")

    return take


def fill_room(room: Room, mean: NDArray[np.float32], std: NDArray[np.float32]) -> None:
    """Standardise the images of the room that are not there yet.

    Beginning anywhere, so that processes that share the room don't all make the same images; and by way of a
    buffer, as another process may have written the same rows, and be at work with them. In few large passes,
    during which Python runs other threads.
    """
    n, scale = len(room.x), _scale(std, np.float32)
    x = np.empty((CHUNK, *room.x.shape[1:]), np.float32)
    starts = range(0, n, CHUNK)
    first = os.getpid() % len(starts)
    for start in (*starts[first:], *starts[:first]):
        here = slice(start, min(start + CHUNK, n))
        if not room.has(here):
            part = np.subtract(room.pixels[here], mean, out=x[: here.stop - start])
            room.x[here] = np.multiply(part, scale, out=part)
            room.there[here] = True


def _scale(std: NDArray[np.float32], dtype: type[np.floating[Any]]) -> Floats:
    """Return 1 / std, or 0 of a pixel that never changes."""
    scale: Floats = np.divide(1, std, out=np.zeros(len(std), dtype), where=std > 0, dtype=dtype)
    return scale
