"""Pixels standardised, and the order of the mini-batches of an epoch."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.dataset import Pixels
from cifarmlp.errors import ConfigError, DataError

CHUNK = 500


TILE = 25


Floats = NDArray[np.float32] | NDArray[np.float64]


Fill = Callable[[Pixels, NDArray[np.intp], Floats], None]


def pixel_statistics(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (over n, not n - 1) of each pixel, (3072,) float32, in raw 0-255 units.

    Summed in integers, so exact up to the last rounding; 0 for a pixel that never changes. `pixels` is
    (n, 3072) uint8, up to ten million rows; needs a few MB. Raises DataError when it has no rows.
    """
    n = len(pixels)
    if n == 0:
        raise DataError("no images to take the pixels' mean and standard deviation of")
    total, squares = np.zeros((2, pixels.shape[1]), np.int64)
    for start in range(0, n, CHUNK):
        chunk = pixels[start : start + CHUNK].astype(np.uint32)
        total += chunk.sum(axis=0, dtype=np.uint32)
        squares += np.square(chunk, out=chunk).sum(axis=0, dtype=np.uint32)
    mean, std = total / n, np.sqrt(n * squares - total * total) / n
    return mean.astype(np.float32), std.astype(np.float32)


def standardiser(mean: NDArray[np.float32], std: NDArray[np.float32], dtype: type[np.floating[Any]]) -> Fill:
    """The function (pixels, rows, out) that writes (pixels[rows] - mean) / std into out (B, 3072).

    out has `dtype`; it is 0 where `std` is 0.
    """
    scale = np.divide(1, std, out=np.zeros(len(std), dtype), where=std > 0, dtype=dtype)
    # Tiled, as whole arrays are subtracted and multiplied twice as fast as rows are repeated; and tile by
    # tile, as a tile stays in the cache from step to step.
    shifts, scales = (np.tile(row.astype(dtype), (TILE, 1)) for row in (mean, scale))
    raw = np.empty(shifts.shape, np.uint8)

    def fill(pixels: Pixels, rows: NDArray[np.intp], out: Floats) -> None:
        for start in range(0, len(rows), TILE):
            part = out[start : start + TILE]
            n = len(part)
            np.take(
                pixels, rows[start : start + n], axis=0, out=raw[:n], mode="clip"
            )  # a mode without a buffer
            np.copyto(part, raw[:n])
            np.subtract(part, shifts[:n], out=part)
            np.multiply(part, scales[:n], out=part)

    return fill


def mini_batches(n: int, batch_size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """One epoch's order: row i of (n // batch_size, batch_size) holds the images of step i, each image once.

    When `batch_size` doesn't divide n, the rest of this epoch's order is left out. Raises ConfigError when
    not even one batch can be filled.
    """
    steps = n // batch_size
    if steps == 0:
        raise ConfigError(f"training.batch_size: {batch_size} is more than the {n} training images")
    return rng.permutation(n)[: steps * batch_size].reshape(steps, batch_size)
