"""Statistics of the pixels, standardised images, and the order of the mini-batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarmlp import data
from cifarmlp.errors import ConfigError, DataError


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


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_mini_batches_hold_each_image_once(n: int, batch_size: int, seed: int) -> None:
    if batch_size > n:
        with pytest.raises(ConfigError, match="batch_size"):
            data.mini_batches(n, batch_size, np.random.default_rng(seed))
        return
    order = data.mini_batches(n, batch_size, np.random.default_rng(seed))
    assert order.shape == (n // batch_size, batch_size)
    assert len(set(order.ravel())) == order.size
    assert order.min() >= 0
    assert order.max() < n
    np.testing.assert_array_equal(order, data.mini_batches(n, batch_size, np.random.default_rng(seed)))
