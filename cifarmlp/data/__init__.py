"""CIFAR-10 and synthetic images: from files to standardised mini-batches.

    find or fetch -> read (archives, files) -> cache -> load -> split -> standardiser, augmenter -> X

Images are decoded once into a memory-mapped cache that all processes share. Rank 2: may import the ground
(errors, text, stats, files); the packages from training upwards use it. Begin reading with dataset.py.
"""

from cifarmlp.data.augment import Augmentation, augmenter, mirror, move
from cifarmlp.data.batches import Fill, fill_room, pixel_statistics, scaling_statistics, standardiser
from cifarmlp.data.dataset import (
    Dataset,
    Images,
    Pixels,
    class_names,
    contact_sheet,
    info,
    load,
    verify,
)
from cifarmlp.data.pictures import Picture, read_picture
from cifarmlp.data.places import find, find_or_fetch
from cifarmlp.data.room import Room, SharedMemory, private_room, room_bytes, shared_room
from cifarmlp.data.split import Split, redraw_labels, split_by_count, split_by_files

__all__ = [
    "Augmentation",
    "Dataset",
    "Fill",
    "Images",
    "Picture",
    "Pixels",
    "Room",
    "SharedMemory",
    "Split",
    "augmenter",
    "class_names",
    "contact_sheet",
    "fill_room",
    "find",
    "find_or_fetch",
    "info",
    "load",
    "mirror",
    "move",
    "pixel_statistics",
    "private_room",
    "read_picture",
    "redraw_labels",
    "room_bytes",
    "scaling_statistics",
    "shared_room",
    "split_by_count",
    "split_by_files",
    "standardiser",
    "verify",
]
