"""Mini-batches of a training: the order of the images in each epoch, standardised and, if asked, augmented.

Nothing here has a state of its own: an order is drawn from a seed and the epoch, an augmentation from them
and the step, so that a training can go on at any step without those before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data import Augmentation, Images, Room, augmenter, standardiser
from cifarmlp.errors import ConfigError
from cifarmlp.nn import Float, Labels

ORDER, AUGMENTATION = 1, 5  # purposes of generators


@dataclass(frozen=True)
class Batching:
    """Rules by which images become mini-batches.

    size: images a batch. seed: of the order and of augmentation. keep_last: what does not fill a batch at an
    epoch's end is a smaller one, instead of being left out until the next shuffle.
    """

    size: int = 100
    seed: int = 1
    keep_last: bool = False
    augmentation: Augmentation | None = None


def count_batches(images: int, size: int, keep_last: bool = False) -> int:
    """Return the number of mini-batches an epoch. Raises ConfigError when not even one can be filled.

    >>> count_batches(230, 20), count_batches(230, 20, keep_last=True)
    (11, 12)
    """
    if size > images:
        raise ConfigError(f"training.batch_size: {size} is more than the {images} training images")
    return -(-images // size) if keep_last else images // size


def order_of(epoch: int, images: int, seed: int) -> NDArray[np.intp]:
    """Return the images in the order of an epoch, each once: mini-batch i takes those from i times its size.

    >>> order_of(0, 5, seed=1)
    array([1, 4, 0, 3, 2])
    """
    return np.random.default_rng([seed, ORDER, epoch]).permutation(images)


def mini_batches(
    images: Images,
    mean: Float,
    std: Float,
    dtype: type[np.floating],
    rules: Batching,
    steps: range,
    room: Room | None = None,
) -> Iterator[tuple[Float, Labels]]:
    """Yield x (B, 3072) and its labels for each of the steps; x is overwritten by the next.

    mean, std: (3072,), and room: see `standardiser`. labels: (B,), or with mixup (B, 10) shares of the
    classes.
    """
    x = np.empty((rules.size, images.pixels.shape[1]), dtype)
    fill = standardiser(mean, std, dtype, room)
    change = rules.augmentation and augmenter(rules.augmentation, fill, rules.size)
    an_epoch = count_batches(len(images), rules.size, rules.keep_last)
    for step in steps:
        epoch, position = divmod(step, an_epoch)
        if position == 0 or step == steps.start:
            order = order_of(epoch, len(images), rules.seed)
        rows = order[position * rules.size : (position + 1) * rules.size]
        part = x[: len(rows)]
        if change:
            rng = np.random.default_rng([rules.seed, AUGMENTATION, epoch, step])
            yield part, change(images, rows, rng, part)
        else:
            fill(images.pixels, rows, part)
            yield part, images.labels[rows]
