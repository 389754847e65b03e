"""Rooms for standardised images: which trainings get one, of their own or shared with others.

A room takes 600 MB, so there is one only where memory allows, and where the images are needed so often that
it pays. Populations of searches have none: their time goes into the products of their members.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from cifarmlp.config import Config
from cifarmlp.config.types import TRAINING_IMAGES
from cifarmlp.data import (
    Dataset,
    Images,
    Room,
    SharedMemory,
    fill_room,
    private_room,
    room_bytes,
    shared_room,
)
from cifarmlp.training.cost import free_memory, passes_of

PAYS = 6  # passes over the images; a room costs about as much as two or three of them save
SHARE = 1 / 3  # of the free memory, for all rooms of a command together
OWN = ""
Key = tuple[object, ...]


@contextmanager
def give_rooms(configs: Sequence[Config], jobs: int) -> Iterator[list[str | None]]:
    """Give each training of a command its `room`, for `room_of`, while the context lasts.

    Those that have the same images in the same scaling share one; of several such groups the one with the
    most passes over the images. Where nothing is shared, trainings that are alone on the machine have one of
    their own.
    """
    keys = [_key(config) for config in configs]
    shared, memory = _busiest(configs, keys), None
    if shared and len(configs) > 1 and _is_free(TRAINING_IMAGES):
        with suppress(OSError):
            memory = SharedMemory(room_bytes(TRAINING_IMAGES))
    pay = [jobs <= 1 and memory is None and passes_of(config) >= PAYS for config in configs]
    others = [OWN if pays else None for pays in pay]
    try:
        yield [memory.path if memory and key == shared else o for key, o in zip(keys, others, strict=True)]
    finally:
        if memory:
            memory.close()


def _key(config: Config) -> Key | None:
    """Return what the images standardised depend on; None where they are no part of those on the disk."""
    data = config.data
    parts = data.train_batches or (1,)
    if data.validation_from not in (None, "last") or [*parts] != [*range(parts[0], parts[0] + len(parts))]:
        return None
    return data.source, data.scaling, data.validation, data.train_batches, data.train_images


def _busiest(configs: Sequence[Config], keys: Sequence[Key | None]) -> Key | None:
    """Return the key with the most passes over the images, if it pays."""
    passes = Counter[Key]()
    for config, key in zip(configs, keys, strict=True):
        if key:
            passes[key] += round(passes_of(config))
    return next((key for key, count in passes.most_common(1) if count >= PAYS), None)


def bytes_of_rooms(configs: Sequence[Config], jobs: int) -> int:
    """Return the bytes that the standardised images of a command would take: there is one room at a time."""
    with give_rooms(configs, jobs) as rooms:
        pairs = zip(configs, rooms, strict=True)
        trained = [config.data.training_images for config, room in pairs if room is not None]
    most = _images(max(trained, default=0), TRAINING_IMAGES)
    return room_bytes(most) if trained and _is_free(most) else 0


def _images(trained: int, every: int) -> int:
    """Return how many images a room has: all on the disk, unless a training takes less than half of them."""
    return every if 2 * trained >= every else trained


def _is_free(images: int) -> bool:
    return room_bytes(images) <= SHARE * free_memory()


def room_of(room: str | None, dataset: Dataset, train: Images) -> Room | None:
    """Return the room for the images of a training, or None.

    room: the path of a `SharedMemory`; "" for one of its own, if memory allows; or None.
    """
    every, images = dataset.train.pixels, train.pixels
    if np.may_share_memory(every, images) and _images(len(images), len(every)) == len(every):
        images = every
    if room:
        return shared_room(images, room)
    return private_room(images) if room == OWN and _is_free(len(images)) else None


def begin_to_fill(room: Room, mean: NDArray[np.float32], std: NDArray[np.float32]) -> None:
    """Fill the room in a thread beside the training, for which 600 MB could be long in coming.

    Where a system gives out memory slowly, as virtual machines may, its first use took 2 seconds.
    """
    Thread(target=fill_room, args=(room, mean, std), daemon=True).start()
