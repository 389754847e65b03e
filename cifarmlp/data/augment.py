"""Augmentation: mini-batches of images flipped, shifted, with noise, cut out and mixed.

    rows -> flip -> shift -> standardise -> blank what was shifted in -> noise -> cut out -> mix -> x, labels

Every change is drawn anew for each image of each mini-batch, in this order, from the generator handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cifarmlp.data.batches import CHANNELS, Fill, Floats
from cifarmlp.data.dataset import Images, Pixels

CLASSES = 10
SIDE = 32
PIXELS = CHANNELS * SIDE * SIDE
MARGIN = SIDE * SIDE  # bytes before and after the images of a buffer; no shift reaches beyond
WORD = 8  # bytes

Generator = np.random.Generator
Load = Callable[[Images, NDArray[np.intp], Generator, Floats], NDArray[Any]]


@dataclass(frozen=True)
class Augmentation:
    """Changes of a mini-batch's images; 0 is none.

    flip: probability that left and right are exchanged. shift: each image is moved by -shift..shift pixels in
    both directions, each number as likely; pixels moved in are 0 after scaling (the mean, where that is
    subtracted). noise: standard deviation of Gaussian noise added to each pixel, in units after scaling.
    cutout: side of a square that is set to 0 in each image; its centre is any pixel, and beyond the border it
    is cut off (DeVries and Taylor 2017, 'Improved regularization of convolutional neural networks with
    cutout'). mixup: alpha of `mix`.
    """

    flip: float = 0.0
    shift: int = 0
    noise: float = 0.0
    cutout: int = 0
    mixup: float = 0.0


def augmenter(changes: Augmentation, fill: Fill, batch_size: int) -> Load:
    """Return a function load(images, rows, rng, x) -> labels, which fills x with images changed at random.

    rows (b,), b at most `batch_size`; x (b, 3072), standardised by `fill`; labels (b,), or with mixup (b, 10)
    shares of the classes in the dtype of x.
    """
    buffer = np.zeros(2 * MARGIN + batch_size * PIXELS, np.uint8)
    # Row s of `windows` is the image that begins at byte s of the buffer.
    windows = as_strided(buffer, (len(buffer) - PIXELS + 1, PIXELS), (1, 1), writeable=False)
    blank = _outside(changes.shift)

    def load(images: Images, rows: NDArray[np.intp], rng: Generator, x: Floats) -> NDArray[Any]:
        n, here = len(rows), np.arange(len(rows))
        raw = buffer[MARGIN : MARGIN + n * PIXELS].reshape(n, PIXELS)
        np.take(images.pixels, rows, axis=0, out=raw, mode="clip")
        if changes.flip:
            flip(raw, rng.random(n) < changes.flip)
        if changes.shift:
            down, right = rng.integers(-changes.shift, changes.shift, (2, n), endpoint=True)
            raw = windows[MARGIN + here * PIXELS - SIDE * down - right]
        fill(raw, here, x)
        square = x.reshape(n, CHANNELS, SIDE, SIDE)
        if changes.shift:
            # A window that begins elsewhere holds, beyond an image's border, pixels of its other side.
            square.transpose(0, 2, 1, 3)[blank[down]] = 0
            square.transpose(0, 3, 1, 2)[blank[right]] = 0
        if changes.noise:
            x += np.float32(changes.noise) * rng.standard_normal(x.shape, np.float32)
        if changes.cutout:
            cut_out(square, changes.cutout, rng.integers(SIDE, size=(2, n)))
        labels = images.labels[rows]
        return mix(x, labels, changes.mixup, rng) if changes.mixup else labels

    return load


def flip(pixels: Pixels, which: NDArray[np.bool_]) -> None:
    """Exchange left and right in the images of `pixels`, (b, 3072) uint8, that `which` (b,) says.

    >>> row = np.arange(3072).astype(np.uint8).reshape(1, -1)
    >>> flip(row, np.array([True]))
    >>> row[0, :4]
    array([31, 30, 29, 28], dtype=uint8)
    """
    # Four words in reverse, and the bytes of each: a third faster than 32 bytes in reverse.
    words = pixels.view(np.uint64).reshape(len(pixels), -1, SIDE // WORD)
    words[which] = words[which][:, :, ::-1].byteswap()


def mirror(pixels: Pixels) -> Pixels:
    """Return copies of images (n, 3072), uint8, with left and right exchanged."""
    copies = np.array(pixels)
    flip(copies, np.ones(len(copies), np.bool_))
    return copies


def move(pixels: Pixels, down: int, right: int, blank: Pixels) -> Pixels:
    """Return copies of images (n, 3072) moved by so many pixels; those moved in are from `blank`, (3072,).

    >>> image = np.arange(3072).astype(np.uint8).reshape(1, -1)
    >>> move(image, 0, 2, np.zeros(3072, np.uint8))[0, :5]
    array([0, 0, 0, 1, 2], dtype=uint8)
    """
    moved = np.tile(blank, (len(pixels), 1))
    shape = (-1, CHANNELS, SIDE, SIDE)
    rows, columns = ((slice(max(0, by), min(SIDE, SIDE + by))) for by in (down, right))
    from_rows, from_columns = ((slice(max(0, -by), min(SIDE, SIDE - by))) for by in (down, right))
    moved.reshape(shape)[..., rows, columns] = pixels.reshape(shape)[..., from_rows, from_columns]
    return moved


def _outside(most: int) -> NDArray[np.bool_]:
    """Return by a shift from -most to most (as an index) which of 32 rows lie outside of the image."""
    shifts = np.arange(2 * most + 1)
    shifts[most + 1 :] -= 2 * most + 1  # negative ones last, where negative indices find them
    from_ = np.arange(SIDE) - shifts[:, None]
    return (from_ < 0) | (from_ >= SIDE)


def cut_out(square: Floats, side: int, centres: NDArray[np.int64]) -> None:
    """Set a square of each image to 0: images (b, 3, 32, 32), centres (2, b) by row and column.

    >>> square = np.ones((1, 3, 32, 32))
    >>> cut_out(square, 4, np.array([[0], [16]]))
    >>> square[0, 0, :3, 13:19]
    array([[1., 0., 0., 0., 0., 1.],
           [1., 0., 0., 0., 0., 1.],
           [1., 1., 1., 1., 1., 1.]])
    """
    starts = centres - side // 2
    tops, lefts = np.maximum(starts, 0).tolist()
    bottoms, rights = (starts + side).tolist()
    for image, top, bottom, left, right in zip(square, tops, bottoms, lefts, rights, strict=True):
        image[:, top:bottom, left:right] = 0


def mix(x: Floats, labels: NDArray[np.uint8], alpha: float, rng: Generator) -> Floats:
    """Mix each image of x, in place, with that of a partner; return the shares of the classes, (b, 10).

        lambda ~ Beta(alpha, alpha)     x = lambda x + (1 - lambda) x_partner     labels likewise, one-hot

    One lambda a mini-batch, and its images in another order as partners (Zhang et al. 2018, 'mixup: beyond
    empirical risk minimization').
    """
    lam, partners = x.dtype.type(rng.beta(alpha, alpha)), rng.permutation(len(x))
    others = x[partners]
    x *= lam
    others *= 1 - lam
    x += others
    shares = np.zeros((len(x), CLASSES), x.dtype)
    here = np.arange(len(x))
    shares[here, labels] = lam
    shares[here, labels[partners]] += 1 - lam
    return shares
