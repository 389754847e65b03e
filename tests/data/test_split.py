"""Training, validation and test images of an experiment, and labels that are redrawn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifarmlp import data
from cifarmlp.data.split import shares
from cifarmlp.errors import ConfigError

N, FILE = 500, 100  # images; images in a file


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.data.split.ROWS", FILE)


def numbered(n: int, labels: Any = None) -> data.Images:
    """Images of which each holds its own number."""
    pixels = np.arange(n, dtype=np.uint16).view(np.uint8).reshape(n, 2)
    return data.Images(pixels, (np.arange(n) % 10 if labels is None else labels).astype(np.uint8))


def numbers(images: data.Images) -> list[int]:
    return np.ascontiguousarray(images.pixels).view(np.uint16)[:, 0].tolist()


def dataset(labels: Any = None) -> data.Dataset:
    return data.Dataset(numbered(N, labels), numbered(60), ("a",) * 10, "", "", False, "", "")


def drawn(way: str, validation: int = 100, seed: int = 1, labels: Any = None) -> data.Split:
    return data.split_by_count(dataset(labels), validation, way, np.random.default_rng([seed, 7]))


@pytest.mark.parametrize("validation", [100, 1, 0, N - 1])
def test_the_last_ones_are_for_validation_and_nothing_is_copied(validation: int) -> None:
    whole = dataset()
    found = data.split_by_count(whole, validation, "last", np.random.default_rng(1))
    assert numbers(found.train) == list(range(N - validation))
    assert numbers(found.validation) == list(range(N - validation, N))
    assert found.test is whole.test
    assert np.shares_memory(found.train.pixels, whole.train.pixels)


@pytest.mark.parametrize("way", ["random", "stratified"])
def test_drawn_images_are_the_seeds_and_leave_the_others_in_their_order(way: str) -> None:
    one, same, other = drawn(way), drawn(way), drawn(way, seed=2)
    assert numbers(one.validation) == numbers(same.validation) != numbers(other.validation)
    assert len(one.validation) == 100
    assert sorted(numbers(one.train) + numbers(one.validation)) == list(range(N))
    assert numbers(one.train) == sorted(numbers(one.train))
    assert numbers(one.validation) != list(range(N - 100, N))
    assert numbers(one.train) == [n for n in range(N) if n not in set(numbers(one.validation))]
    assert [n % 10 for n in numbers(one.train)] == one.train.labels.tolist()


@pytest.mark.parametrize("way", ["last", "random", "stratified"])
def test_without_validation_images_all_are_trained_on(way: str) -> None:
    found = drawn(way, 0)
    assert numbers(found.train) == list(range(N))
    assert (len(found.validation), found.validation.pixels.shape) == (0, (0, 2))


@pytest.mark.parametrize(("validation", "counts"), [(100, [40, 30, 30]), (7, [3, 2, 2]), (3, [1, 1, 1])])
def test_a_stratified_draw_has_the_classes_in_the_shares_that_they_have(
    validation: int, counts: list[int]
) -> None:
    labels = np.repeat([0, 4, 9], [200, 150, 150])
    found = drawn("stratified", validation, labels=labels)
    assert np.bincount(found.validation.labels, minlength=10)[[0, 4, 9]].tolist() == counts


@given(st.lists(st.integers(0, 6000), min_size=1, max_size=10).filter(any), st.floats(0, 1))
def test_whole_shares_are_within_one_of_the_exact_ones(sizes: list[int], part: float) -> None:
    count = int(part * sum(sizes))
    whole = shares(np.array(sizes), count)
    assert whole.sum() == count
    assert np.all(np.abs(whole - np.array(sizes) * count / sum(sizes)) < 1)
    assert np.all(whole <= sizes)


@pytest.mark.parametrize("validation", [N, -1])
def test_a_split_leaves_something_to_train_on(validation: int) -> None:
    with pytest.raises(ConfigError, match="leaves none to train on"):
        drawn("random", validation)


def test_files_in_one_piece_are_not_copied() -> None:
    whole = dataset()
    found = data.split_by_files(whole, [2, 3], [1])
    assert numbers(found.train) == list(range(100, 300))
    assert numbers(found.validation) == list(range(100))
    assert np.shares_memory(found.train.pixels, whole.train.pixels)


def test_scattered_files_come_in_the_order_in_which_they_are_named() -> None:
    found = data.split_by_files(dataset(), [4, 1], [5, 3])
    assert numbers(found.train) == [*range(300, 400), *range(100)]
    assert numbers(found.validation) == [*range(400, 500), *range(200, 300)]
    assert len(found.train) == len(found.train.labels) == 200


@pytest.mark.parametrize(
    ("train", "validation", "fault"),
    [
        ([1, 2], [2], r"batches \[2\] are in both"),
        ([0], [2], "train_batches.*1 to 5"),
        ([1], [6], "validation_batches.*1 to 5"),
        ([1, 1], [2], "not different"),
        ([], [2], "not different"),
    ],
)
def test_files_that_cannot_be_split(train: list[int], validation: list[int], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        data.split_by_files(dataset(), train, validation)


def test_the_first_so_many_of_the_training_and_test_images() -> None:
    found = drawn("random").first(30, 20)
    assert numbers(found.train) == numbers(drawn("random").train)[:30]
    assert numbers(found.validation) == numbers(drawn("random").validation)
    assert numbers(found.test) == list(range(20))


@pytest.mark.parametrize(
    ("train", "test", "fault"),
    [
        (401, None, "train_images: 401 is more than the 400 images"),
        (None, 61, "test_images: 61 is more than the 60 images"),
    ],
)
def test_more_images_than_there_are(train: int | None, test: int | None, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        drawn("last").first(train, test)


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_so_many_labels_are_redrawn_uniformly_once(share: float) -> None:
    images = numbered(20_000)
    noisy = data.redraw_labels(images, share, np.random.default_rng([1, 8]))
    changed = noisy.labels != images.labels
    assert abs(changed.mean() - 0.9 * share) < 5 * np.sqrt(0.1 * share / 20_000)  # a tenth stay as they were
    assert np.ptp(np.bincount(noisy.labels[changed], minlength=10)) < 0.1 * changed.sum()
    assert noisy.pixels is images.pixels
    assert np.array_equal(images.labels, np.arange(20_000) % 10), "the images' own labels stay"
    again = data.redraw_labels(images, share, np.random.default_rng([1, 8]))
    assert np.array_equal(noisy.labels, again.labels)


def test_no_noise_copies_nothing() -> None:
    images = numbered(50)
    assert data.redraw_labels(images, 0.0, np.random.default_rng(1)) is images
