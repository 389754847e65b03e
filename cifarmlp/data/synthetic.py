"""Synthetic images in CIFAR-10's format: ten shapes on blurred backgrounds, from a fixed seed.

    background -> a patch to distract -> the shape -> light from one side -> noise

Within a class position, size, angle, colours and light vary; the colour is drawn towards one of the class. A
network of three layers reaches about 60 %, a linear classifier about 23 %. The bits are the same on every
machine: elementwise float32 operations and draws from an explicit generator, no BLAS and no transcendental
function, whose last bit may differ.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import batch_files, cifar10, pickles
from cifarmlp.errors import DataError

# float32 throughout: a Python number among float32 arrays does not change that.
Floats = NDArray[np.floating[Any]]

N_TRAIN, N_TEST = 50_000, 10_000
SIZE = 32
SEED = 20_090_408
# Key in the notes of the cache; to be changed with the images.
KEY = "synthetic-1"
# Images rendered at once, few enough to stay in the processor's cache.
BLOCK = 100
FOLDERS = cifar10.FOLDERS[:2]  # of the forms that are written


def _intersection(first: Floats, second: Floats) -> Floats:
    """Signed distance to the outline of the intersection of two shapes."""
    distance: Floats = np.minimum(first, second)
    return distance


def _disc(u: Floats, v: Floats) -> Floats:
    return 1 - np.sqrt(u * u + v * v)


def _ring(u: Floats, v: Floats) -> Floats:
    return 0.28 - np.abs(np.sqrt(u * u + v * v) - 0.8)


def _square(u: Floats, v: Floats) -> Floats:
    return _intersection(0.85 - np.abs(u), 0.85 - np.abs(v))


def _triangle(u: Floats, v: Floats) -> Floats:
    return _intersection(0.85 - v, (v + 1) / 2 - np.abs(u))


def _plus(u: Floats, v: Floats) -> Floats:
    return _intersection(0.32 - np.minimum(np.abs(u), np.abs(v)), 1 - np.maximum(np.abs(u), np.abs(v)))


def _saltire(u: Floats, v: Floats) -> Floats:
    return _intersection(0.3 - np.abs(np.abs(u) - np.abs(v)), 1 - np.maximum(np.abs(u), np.abs(v)))


def _plank(u: Floats, v: Floats) -> Floats:
    return _intersection(1.25 - np.abs(u), 0.4 - np.abs(v))


def _pole(u: Floats, v: Floats) -> Floats:
    return _plank(v, u)


def _diamond(u: Floats, v: Floats) -> Floats:
    return 1 - 1.3 * np.abs(u) - np.abs(v)


def _crescent(u: Floats, v: Floats) -> Floats:
    return _intersection(_disc(u, v), -_disc(u - 0.5, v))


# Of each class: the signed distance to the outline, in units of the radius, positive inside, at (u, v) from
# the centre, v downwards; and the colour (red, green, blue) that its colours are drawn towards.
SHAPES: dict[str, tuple[Callable[[Floats, Floats], Floats], tuple[int, int, int]]] = {
    "disc": (_disc, (250, 200, 60)),
    "ring": (_ring, (230, 230, 240)),
    "square": (_square, (150, 90, 60)),
    "triangle": (_triangle, (220, 70, 50)),
    "plus": (_plus, (120, 160, 60)),
    "saltire": (_saltire, (40, 40, 50)),
    "plank": (_plank, (160, 120, 80)),
    "pole": (_pole, (90, 90, 100)),
    "diamond": (_diamond, (60, 120, 220)),
    "crescent": (_crescent, (240, 240, 180)),
}
NAMES = tuple(SHAPES)


def make() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make all images: pixels (60000, 3072) uint8, channel by channel, and labels (60000,) uint8.

    The first 50000 are for training (5000 of each class), the last 10000 for testing (1000 of each class).
    """
    rng = np.random.default_rng(SEED)
    labels = np.concatenate([_shuffled_labels(N_TRAIN, rng), _shuffled_labels(N_TEST, rng)])
    pixels = np.empty((len(labels), pickles.PIXELS), np.uint8)
    for label in range(len(NAMES)):
        rows = np.flatnonzero(labels == label)
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            pixels[block] = _render(label, len(block), rng)
    return pixels, labels


def batches() -> Iterator[cifar10.Batch]:
    """Yield the images in six batches of 10000, as `cifar10.read` yields real ones."""
    pixels, labels = make()
    for slot in range(len(batch_files.BATCHES)):
        rows = slice(slot * pickles.ROWS, (slot + 1) * pickles.ROWS)
        yield cifar10.Batch(slot, pixels[rows], labels[rows])


def synthesise(folder: Path) -> list[Path]:
    """Write the images pickled and in binary, to `folder`/cifar-10-batches-py and cifar-10-batches-bin.

    The folders appear whole or not at all. Raises DataError when one of them exists or cannot be written.
    """
    targets = [folder / name for name in FOLDERS]
    for target in targets:
        if target.exists():
            raise DataError(f"{target}: exists already and is not overwritten; name another folder")
    try:
        _write(targets)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error
    return targets


def _write(targets: list[Path]) -> None:
    folder = targets[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".synthesise-", dir=folder))
    try:
        _write_batches(*(temporary / target.name for target in targets))
        for target in targets:
            (temporary / target.name).rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_batches(pickled: Path, binary: Path) -> None:
    pickled.mkdir()
    binary.mkdir()
    (pickled / "batches.meta").write_bytes(pickles.dumps_meta(NAMES))
    (binary / "batches.meta.txt").write_text("\n".join(NAMES) + "\n", encoding="ascii")
    for slot, pixels, labels in batches():
        name = batch_files.BATCHES[slot]
        (pickled / name).write_bytes(pickles.dumps(_title(slot), pixels, labels))
        (binary / f"{name}.bin").write_bytes(np.concatenate([labels[:, None], pixels], axis=1).tobytes())


def _title(slot: int) -> str:
    return f"training batch {slot + 1} of 5" if slot < 5 else "testing batch 1 of 1"


def _shuffled_labels(n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    return rng.permutation(np.arange(n) % len(NAMES)).astype(np.uint8)


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> Floats:
    return low + (high - low) * rng.random(shape, dtype=np.float32)


def _render(label: int, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw n images of one class, (n, 3072) uint8."""
    outline, colour = list(SHAPES.values())[label]
    scene = _background(n, rng)
    _paint(scene, _patch(n, rng), _any_colour(n, rng))
    _paint(scene, _coverage(outline, n, rng), _colour_near(colour, n, rng))
    scene *= _light(n, rng)
    scene += rng.integers(-24, 25, scene.shape, dtype=np.int8)
    np.clip(scene, 0, 255, out=scene)
    return scene.astype(np.uint8).reshape(n, pickles.PIXELS)


def _paint(scene: Floats, coverage: Floats, colour: Floats) -> None:
    """Mix colours (n, 3, 1, 1) into the scene (n, 3, 32, 32) with weights (n, 1, 32, 32), in place."""
    change = colour - scene
    change *= coverage
    scene += change


def _coverage(outline: Callable[[Floats, Floats], Floats], n: int, rng: np.random.Generator) -> Floats:
    """Draw n shapes, (n, 1, 32, 32): 1 inside, 0 outside, with an edge about one pixel wide."""
    radius = _uniform(rng, 5, 12, n, 1, 1)
    column, row = _offsets(rng, 8, 23, n)
    u, v = _turn(column / radius, row / radius, _uniform(rng, -0.12, 0.12, n, 1, 1))
    inside: Floats = np.clip(outline(u, v) * radius + 0.5, 0, 1)
    return inside[:, None]


def _offsets(rng: np.random.Generator, low: float, high: float, n: int) -> tuple[Floats, Floats]:
    """Distances of pixels from random centres: (n, 1, 32) to the right, (n, 32, 1) downwards."""
    axis = np.arange(SIZE, dtype=np.float32)
    centre = _uniform(rng, low, high, 2, n, 1, 1)
    return axis - centre[0], axis[:, None] - centre[1]


def _turn(u: Floats, v: Floats, half: Floats) -> tuple[Floats, Floats]:
    """Rotate (u, v) by 2 arctan(half), with cosine and sine as ratios, the same on every machine."""
    square = half * half
    cosine, sine = (1 - square) / (1 + square), 2 * half / (1 + square)
    return cosine * u - sine * v, sine * u + cosine * v


def _any_colour(n: int, rng: np.random.Generator) -> Floats:
    return _uniform(rng, 0, 255, n, 3, 1, 1)


def _colour_near(colour: tuple[int, int, int], n: int, rng: np.random.Generator) -> Floats:
    """Draw colours (n, 3, 1, 1) between any colour and, at most three quarters of the way, `colour`."""
    start, share = _any_colour(n, rng), _uniform(rng, 0, 0.75, n, 1, 1, 1)
    return start + share * (np.array(colour, np.float32)[:, None, None] - start)


def _patch(n: int, rng: np.random.Generator) -> Floats:
    """Draw squares (n, 1, 32, 32) with soft edges, anywhere, more or less transparent, to distract."""
    radius, opacity = _uniform(rng, 3, 9, n, 1, 1), _uniform(rng, 0, 1, n, 1, 1)
    column, row = _offsets(rng, 0, 31, n)
    inside: Floats = np.clip(radius - np.maximum(np.abs(column), np.abs(row)), 0, opacity)
    return inside[:, None]


def _background(n: int, rng: np.random.Generator) -> Floats:
    """Draw backgrounds (n, 3, 32, 32): shades of one colour on a 4 x 4 grid, interpolated linearly."""
    knots = _uniform(rng, 40, 215, n, 3, 1, 1) + _uniform(rng, -60, 60, n, 3, 4, 4)
    rows = _stretch(knots.swapaxes(2, 3)).swapaxes(2, 3)
    return _stretch(np.ascontiguousarray(rows))


def _stretch(knots: Floats) -> Floats:
    """Interpolate the last axis linearly, from 4 to 32."""
    place = np.arange(SIZE, dtype=np.float32) * (3 / 31)
    left = np.minimum(place.astype(np.intp), 2)
    stretched: Floats = np.diff(knots)[..., left]
    stretched *= place - left.astype(np.float32)
    stretched += knots[..., left]
    return stretched


def _light(n: int, rng: np.random.Generator) -> Floats:
    """Draw factors (n, 1, 32, 32) that rise linearly across the image, as light from one side."""
    axis = np.arange(SIZE, dtype=np.float32) / (SIZE - 1) - 0.5
    slope = _uniform(rng, -0.5, 0.5, 2, n, 1, 1, 1)
    light: Floats = 1 + slope[0] * axis + slope[1] * axis[:, None]
    return light
