"""The images: found, downloaded, decoded once, split, standardised and dealt out in mini-batches."""

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
