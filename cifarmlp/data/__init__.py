"""CIFAR-10 and synthetic images: from files to standardised mini-batches.

    find or fetch -> read (archives, pickles) -> cache -> load -> split -> mini_batches, standardiser -> X

Images are decoded once into a memory-mapped cache that all processes share. Rank 2: may import the ground
(errors, text, stats, files); the packages from training upwards use it. Begin reading with dataset.py.
"""

from cifarmlp.data.batches import Fill, mini_batches, pixel_statistics, standardiser
from cifarmlp.data.dataset import (
    Dataset,
    Images,
    Pixels,
    Split,
    contact_sheet,
    find,
    find_or_fetch,
    info,
    load,
    split,
    verify,
)

__all__ = [
    "Dataset",
    "Fill",
    "Images",
    "Pixels",
    "Split",
    "contact_sheet",
    "find",
    "find_or_fetch",
    "info",
    "load",
    "mini_batches",
    "pixel_statistics",
    "split",
    "standardiser",
    "verify",
]
