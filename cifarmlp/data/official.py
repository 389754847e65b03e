"""The official files and images of CIFAR-10, by their checksums, and the order of their batches."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.pickles import ROWS

# Of the pickled files and the archives: as torchvision checks them, and as the official page says.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-10-matlab.tar.gz": "70270af85842c9e89bb428ec9976c926",
}
# Of the binary files, data_batch_1 to 5 and test_batch, as MXNet checked them. A binary file is nothing but
# labels and pixels, so these recognise official images in any form.
IMAGES_SHA1 = (
    "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
    "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
    "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
    "aab85764eb3584312d3c7f65fd2fd016e36a258e",
    "26e2849e66a845b7f1e4614ae70f4889ae604628",
    "67eb016db431130d61cd03c7ad570b013799c88c",
)
# Of the labels alone of data_batch_1 to 5, a byte each.
LABELS_SHA1 = (
    "4660ea95a9527fbf2ca2975c3e84e5923d762e7c",
    "870a9b533daf576759b077902663899011af8f45",
    "8152fa16b27a917a1f06a1a9c98451422b012a92",
    "64a586efcdd2e8bb16674ccafa3ba5f0ef4f2541",
    "4c94d92dd0db5ca6d042b239821c752297bcee25",
)


def is_official(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bool:
    """Return whether pixels (60000, 3072) and labels (60000,) are the official ones, bit for bit."""
    starts = range(0, len(labels), ROWS)
    return all(
        is_official_batch(slot, pixels[start : start + ROWS], labels[start : start + ROWS])
        for slot, start in enumerate(starts)
    )


def is_official_batch(slot: int, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bool:
    """Return whether these are the images of data_batch_1 to 5 (slot 0 to 4) or test_batch (5)."""
    rows = np.concatenate([labels[:, None], pixels], axis=1)
    return _sha1(rows) == IMAGES_SHA1[slot]


def slots(labels: NDArray[np.uint8]) -> list[int]:
    """Return the slot of each sixth of the images, whose training batches may be in another order.

    Copies made from the official archive may have them as they lie in it, data_batch_4 first. If the labels
    (60000,) are not those of the five batches in some order, the order is left as it is.
    """
    batches = [_sha1(part) for part in np.split(labels, 6)[:5]]
    if sorted(batches) != sorted(LABELS_SHA1):
        return list(range(6))
    return [*(LABELS_SHA1.index(batch) for batch in batches), 5]


def md5(path: Path) -> str:
    """MD5 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _sha1(rows: NDArray[np.uint8]) -> str:
    return hashlib.sha1(np.ascontiguousarray(rows).data, usedforsecurity=False).hexdigest()
