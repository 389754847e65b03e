"""Statistics of the pixels, by each scaling, and images standardised by them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cifarmlp import data
from cifarmlp.errors import DataError


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 1200), st.integers(0, 2**32 - 1))
def test_pixel_statistics_are_exact(n: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 7), dtype=np.uint8)
    mean, std = data.pixel_statistics(pixels)
    np.testing.assert_array_equal(mean, pixels.mean(axis=0, dtype=np.longdouble).astype(np.float32))
    np.testing.assert_allclose(std, pixels.std(axis=0, dtype=np.longdouble), rtol=1e-7, atol=0)
    assert mean.dtype == std.dtype == np.float32


@pytest.mark.parametrize(("values", "mean", "std"), [([255], 255, 0), ([0, 255], 127.5, 127.5)])
def test_statistics_of_extremes(values: list[int], mean: float, std: float) -> None:
    pixels = np.repeat(np.array(values, np.uint8)[:, None], 30_003, axis=0)
    assert data.pixel_statistics(pixels) == (mean, std)


def test_statistics_of_nothing() -> None:
    with pytest.raises(DataError, match="no images"):
        data.pixel_statistics(np.empty((0, 3072), np.uint8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_standardise(dtype: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (500, 3072), dtype=np.uint8)
    pixels[:, 5] = 77
    mean, std = data.pixel_statistics(pixels)
    out = np.full(pixels.shape, np.nan, dtype)
    data.standardiser(mean, std, dtype)(pixels, np.arange(500), out)
    varying = std > 0
    expected = (pixels.astype(np.float64) - mean)[:, varying] / std[varying]
    np.testing.assert_allclose(
        out[:, varying], expected, rtol=1e-14 if dtype is np.float64 else 1e-5, atol=1e-6
    )
    assert not out[:, 5].any()


def test_standardise_takes_the_rows_it_is_told_in_their_order() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(60, 1)
    rows = np.random.default_rng(0).permutation(60)[:33]  # more than a tile, and not a multiple of one
    out = np.empty((33, 1), np.float32)
    data.standardiser(np.array([1], np.float32), np.array([0.5], np.float32), np.float32)(pixels, rows, out)
    assert out[:, 0].tolist() == [2.0 * (row - 1) for row in rows]


def test_standardise_a_pixel_that_only_training_holds_constant() -> None:
    mean, std = np.array([10.0], np.float32), np.zeros(1, np.float32)
    out = np.empty((1, 1), np.float32)
    data.standardiser(mean, std, np.float32)(np.array([[200]], np.uint8), np.array([0]), out)
    assert out == 0


# Other scalings


def some_pixels() -> NDArray[np.uint8]:
    """Three channels of different means and spreads."""
    rng = np.random.default_rng(3)
    low, high = np.repeat([[0, 40, 200], [256, 90, 201]], 1024, axis=1)
    return rng.integers(low, high, (700, 3072)).astype(np.uint8)


@pytest.mark.parametrize(
    ("scaling", "scaled"),
    [
        ("per_channel", lambda x: (x - x.mean(axis=(0, 2))[:, None]) / deviations(x)),
        ("mean_image", lambda x: x - x.mean(axis=0)),
        ("unit", lambda x: x / 255),
        ("none", lambda x: x),
    ],
)
def test_a_scaling_is_what_its_name_says(
    scaling: str, scaled: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    pixels = some_pixels()
    out = np.empty(pixels.shape, np.float64)
    mean, std = data.scaling_statistics(pixels, scaling)
    assert (mean.dtype, std.dtype, mean.shape) == (np.float32, np.float32, (3072,))
    data.standardiser(mean, std, np.float64)(pixels, np.arange(len(pixels)), out)
    expected = scaled(pixels.astype(np.float64).reshape(-1, 3, 1024))
    np.testing.assert_allclose(out, expected.reshape(out.shape), rtol=1e-6, atol=1e-5)


def deviations(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviations of the channels, and 'infinite' where there is none: such pixels become 0."""
    std = x.std(axis=(0, 2))[:, None]
    return np.where(std > 0, std, np.inf)


def test_the_default_scaling_is_by_pixel() -> None:
    pixels = some_pixels()
    for one, other in zip(
        data.scaling_statistics(pixels, "per_pixel"), data.pixel_statistics(pixels), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_channels_of_fifty_thousand_white_images_overflow_nothing() -> None:
    pixels = np.broadcast_to(np.uint8(255), (50_000, 3072))
    mean, std = data.scaling_statistics(pixels, "per_channel")
    assert (mean == 255).all()
    assert not std.any()
