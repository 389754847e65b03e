"""Augmented mini-batches, pixel by pixel, against slow code that says what is meant."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cifarmlp import data
from cifarmlp.data.augment import Augmentation, mix

N = 40
ROWS = np.array([3, 39, 3, 0, 17, 21, 5])  # the first and the last image, and one twice


def images(n: int = N) -> data.Images:
    rng = np.random.default_rng(8)
    pixels = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    return data.Images(pixels, rng.integers(0, 10, n).astype(np.uint8))


IMAGES = images()
STATISTICS = data.pixel_statistics(IMAGES.pixels)


def plain(rows: NDArray[np.intp] = ROWS, dtype: Any = np.float32) -> NDArray[Any]:
    x = np.empty((len(rows), 3072), dtype)
    data.standardiser(*STATISTICS, dtype)(IMAGES.pixels, rows, x)
    return x


def changed(
    changes: Augmentation,
    seed: int = 1,
    rows: NDArray[np.intp] = ROWS,
    dtype: Any = np.float32,
    most: int = 9,
) -> tuple[NDArray[Any], NDArray[Any]]:
    x = np.full((len(rows), 3072), np.nan, dtype)
    load = data.augmenter(changes, data.standardiser(*STATISTICS, dtype), most)
    labels = load(IMAGES, rows, np.random.default_rng(seed), x)
    return x, labels


def square(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(-1, 3, 32, 32)


def test_no_change_changes_nothing() -> None:
    x, labels = changed(Augmentation())
    np.testing.assert_array_equal(x, plain())
    assert labels.tolist() == IMAGES.labels[ROWS].tolist()


def test_a_flip_exchanges_left_and_right_and_nothing_else() -> None:
    mirrored = data.Images(square(IMAGES.pixels)[..., ::-1].reshape(N, 3072), IMAGES.labels)
    expected = np.empty((len(ROWS), 3072), np.float32)
    data.standardiser(*STATISTICS, np.float32)(mirrored.pixels, ROWS, expected)
    np.testing.assert_array_equal(changed(Augmentation(flip=1))[0], expected)


def test_each_image_is_flipped_or_not_by_itself() -> None:
    rows = np.arange(N)
    straight, flipped = plain(rows), changed(Augmentation(flip=1), rows=rows, most=N)[0]
    counts = np.zeros(N)
    for seed in range(60):
        x = changed(Augmentation(flip=0.25), seed, rows, most=N)[0]
        is_flipped = (x == flipped).all(axis=1)
        assert (is_flipped | (x == straight).all(axis=1)).all()
        counts += is_flipped
    assert abs(counts.sum() / 60 / N - 0.25) < 0.04
    assert counts.min() > 0
    assert counts.max() < 40


def moved(image: NDArray[Any], down: int, right: int, blank: float = 0) -> NDArray[Any]:
    """A slow shift: (3, 32, 32) moved down and to the right, and `blank` where nothing came from."""
    out = np.full_like(image, blank)
    for row in range(32):
        for column in range(32):
            if 0 <= row - down < 32 and 0 <= column - right < 32:
                out[:, row, column] = image[:, row - down, column - right]
    return out


def shift_of(x: NDArray[Any], row: int, most: int) -> tuple[int, int]:
    """By how much an image was moved down and to the right; fails unless there is such a shift."""
    raw = IMAGES.pixels[row].reshape(3, 32, 32)
    mean, std = (part.reshape(3, 32, 32) for part in STATISTICS)
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            inside = moved(np.ones((3, 32, 32)), down, right) > 0
            if (x[~inside] == 0).all():
                expected = (moved(raw.astype(np.float32), down, right) - mean) * (1 / std)
                if np.allclose(x[inside], expected[inside], rtol=1e-5, atol=1e-5):
                    return down, right
    raise AssertionError("no such shift")


def test_a_shift_moves_each_image_and_what_comes_in_is_0_after_scaling() -> None:
    x, _ = changed(Augmentation(shift=2))
    shifts = [shift_of(image, row, 2) for image, row in zip(square(x), ROWS, strict=True)]
    assert len(set(shifts)) > 3


def test_the_largest_shift_leaves_a_corner() -> None:
    rows = np.repeat(ROWS, 100)
    x = square(changed(Augmentation(shift=31), rows=rows, most=700)[0])
    seen = (x != 0).any(axis=1)
    heights, widths = seen.any(axis=2).sum(axis=1), seen.any(axis=1).sum(axis=1)
    assert (heights.min(), widths.min()) == (1, 1)
    assert (heights.max(), widths.max()) == (32, 32)


def test_every_shift_is_as_likely() -> None:
    rows = np.zeros(4000, np.intp)
    x = square(changed(Augmentation(shift=1), rows=rows, most=4000)[0])
    top, bottom = (x[:, :, row].any(axis=(1, 2)) for row in (0, 31))
    left, right = (x[:, :, :, column].any(axis=(1, 2)) for column in (0, 31))
    for one, other in ((top, bottom), (left, right)):
        assert (one | other).all()
        for share in (~one).mean(), (~other).mean():
            assert abs(share - 1 / 3) < 0.04
    assert abs((~top & ~left).mean() - 1 / 9) < 0.03, "down and right are drawn apart"


def test_noise_is_gaussian_and_of_its_size_after_scaling() -> None:
    noise = (changed(Augmentation(noise=0.3))[0] - plain()).ravel()
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.3) < 0.01
    assert abs((np.abs(noise) < 0.3).mean() - 0.6827) < 0.01


@pytest.mark.parametrize("side", [1, 4, 7, 32])
def test_one_square_of_an_image_is_cut_out_and_cut_off_at_the_border(side: int) -> None:
    rows = np.zeros(2000, np.intp)
    x = square(changed(Augmentation(cutout=side), rows=rows, most=2000)[0])
    kept = square(plain(rows[:1]))
    cut = (x == 0).all(axis=1)
    for image, hole in zip(x[:50], cut[:50], strict=True):
        rows_cut, columns_cut = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
        assert hole.sum() == len(rows_cut) * len(columns_cut), "a rectangle"
        assert (image[:, ~hole] == kept[0][:, ~hole]).all()
    heights = cut.any(axis=2).sum(axis=1)
    assert (heights.max(), heights.min()) == (side, (side + 1) // 2)
    inner = cut[:, 8:24, 8:24].mean(axis=(0, 1, 2))  # as often as an area has pixels, away from the border
    assert side > 16 or abs(inner - side**2 / 1024) < 0.2 * side**2 / 1024


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixup_mixes_images_and_labels_with_one_lambda(dtype: Any) -> None:
    x, shares = changed(Augmentation(mixup=0.7), dtype=dtype)
    rng = np.random.default_rng(1)
    lam, partners = rng.beta(0.7, 0.7), rng.permutation(len(ROWS))
    one, tolerance = plain(dtype=dtype), 1e-5 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(x, lam * one + (1 - lam) * one[partners], rtol=tolerance, atol=tolerance)
    hot = np.eye(10)[IMAGES.labels[ROWS]]
    np.testing.assert_allclose(shares, lam * hot + (1 - lam) * hot[partners], rtol=tolerance)
    assert (shares.dtype, shares.shape) == (dtype, (len(ROWS), 10))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.2, 1, 1e3, 1e6])
def test_mixup_of_any_alpha_is_finite(alpha: float) -> None:
    for seed in range(20):
        x = plain()
        shares = mix(x, IMAGES.labels[ROWS], alpha, np.random.default_rng(seed))
        assert np.isfinite(x).all()
        assert (shares >= 0).all()


ALL = Augmentation(flip=0.5, shift=4, noise=0.1, cutout=8, mixup=0.2)


def test_everything_together_is_the_same_from_the_same_generator_whatever_was_before() -> None:
    load = data.augmenter(ALL, data.standardiser(*STATISTICS, np.float32), 9)
    x, again = np.empty((2, len(ROWS), 3072), np.float32)
    labels = load(IMAGES, ROWS, np.random.default_rng([1, 5, 0, 3]), x)
    load(IMAGES, np.arange(9), np.random.default_rng(2), np.empty((9, 3072), np.float32))
    same = load(IMAGES, ROWS, np.random.default_rng([1, 5, 0, 3]), again)
    np.testing.assert_array_equal(x, again)
    np.testing.assert_array_equal(labels, same)
    other, _ = changed(ALL, 2)
    assert not np.array_equal(x, other)


def test_the_images_stay_as_they_are() -> None:
    before = IMAGES.pixels.copy()
    changed(ALL)
    np.testing.assert_array_equal(IMAGES.pixels, before)
