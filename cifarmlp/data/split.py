"""Training, validation and test images of an experiment, and labels that are redrawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.dataset import Dataset, Images
from cifarmlp.data.pickles import ROWS
from cifarmlp.errors import ConfigError

CLASSES = 10


@dataclass(frozen=True)
class Split:
    """Images to learn from, to evaluate on during training, and to test on at its end."""

    train: Images
    validation: Images
    test: Images

    def first(self, train: int | None, test: int | None) -> "Split":
        """Return the split with only the first so many training and test images; None means all.

        Raises ConfigError where there are fewer.
        """
        some = _first("train_images", self.train, train), _first("test_images", self.test, test)
        return Split(some[0], self.validation, some[1])


def split_by_count(dataset: Dataset, validation: int, way: str, rng: np.random.Generator) -> Split:
    """Split `validation` images off the training images; the others keep their order.

    way: `last` takes the last ones, and copies nothing; `random` draws them; `stratified` draws as many of
    each class as its share of all. Raises ConfigError where none would be left to train on.
    """
    images = dataset.train
    if not 0 <= validation < len(images):
        raise ConfigError(f"data.validation: {validation} of {len(images)} images leaves none to train on")
    if way == "last" or not validation:
        end = len(images) - validation
        return Split(_take(images, slice(end)), _take(images, slice(end, None)), dataset.test)
    chosen = np.zeros(len(images), bool)
    chosen[_draw(images.labels, validation, way, rng)] = True
    return Split(_take(images, ~chosen), _take(images, chosen), dataset.test)


def _draw(labels: NDArray[np.uint8], count: int, way: str, rng: np.random.Generator) -> NDArray[np.intp]:
    order = rng.permutation(len(labels))
    if way == "random":
        return order[:count]
    counts = shares(np.bincount(labels, minlength=CLASSES), count)
    return np.concatenate([order[labels[order] == label][:n] for label, n in enumerate(counts)])


def shares(sizes: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Divide `count` in proportion to `sizes`, in whole numbers: the largest remainders are rounded up.

    >>> shares(np.array([50, 30, 20]), 11)
    array([6, 3, 2])
    """
    exact = sizes * count
    whole, rest = np.divmod(exact, sizes.sum())
    up = np.argsort(-rest, kind="stable")[: count - whole.sum()]
    whole[up] += 1
    return whole


def split_by_files(dataset: Dataset, train: Sequence[int], validation: Sequence[int]) -> Split:
    """Return the images of these files of CIFAR-10, 1 to 5. Copies nothing where they lie in one piece.

    Raises ConfigError when a file is in both lists or twice in one.
    """
    if shared := {*train} & {*validation}:
        raise ConfigError(f"data: batches {sorted(shared)} are in both train_batches and validation_batches")
    parts = [
        _take_files(dataset.train, f"{part}_batches", list(numbers))
        for part, numbers in (("train", train), ("validation", validation))
    ]
    return Split(parts[0], parts[1], dataset.test)


def _take_files(images: Images, field: str, numbers: list[int]) -> Images:
    if not numbers or len(set(numbers)) < len(numbers) or not set(numbers) <= {1, 2, 3, 4, 5}:
        raise ConfigError(f"data.{field}: {numbers} are not different numbers of batches, 1 to 5")
    first, last = numbers[0], numbers[-1]
    if numbers == list(range(first, last + 1)):
        return _take(images, slice((first - 1) * ROWS, last * ROWS))
    return _take(images, np.concatenate([np.arange((k - 1) * ROWS, k * ROWS) for k in numbers]))


def _first(field: str, images: Images, count: int | None) -> Images:
    if count is not None and count > len(images):
        raise ConfigError(f"data.{field}: {count} is more than the {len(images)} images that there are")
    return images if count is None else _take(images, slice(count))


def _take(images: Images, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Images:
    return Images(images.pixels[rows], images.labels[rows])


def redraw_labels(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Return the images with this share of their labels, rounded to whole images, redrawn uniformly.

    A tenth of those get the class that they had. The experiment of Zhang et al. 2017, 'Understanding deep
    learning requires rethinking generalization'.
    """
    if not share:
        return images
    labels = images.labels.copy()
    rows = rng.permutation(len(labels))[: round(share * len(labels))]
    labels[rows] = rng.integers(0, CLASSES, len(rows), dtype=np.uint8)
    return replace(images, labels=labels)
