"""Room for images that are standardised once, in float32, and taken from there ever after.

Those that are not there are standardised in each mini-batch, from the raw pixels: the same bits, more slowly.
"""

import mmap
import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.dataset import Pixels

DTYPE = np.dtype(np.float32)


class Room:
    """Standardised rows of `pixels`, (n, 3072) float32, written by `batches.fill_room`.

    x (n, 3072): the rows. there (n,): whether each was written. Processes may share both: they write the same
    numbers, and a row's flag after the row.
    """

    def __init__(self, pixels: Pixels, x: NDArray[np.float32], there: NDArray[np.bool_]) -> None:
        self.x, self.there = x, there
        self.pixels = pixels  # held, so that no other array comes to lie at its address
        self.start, self.stride = _address(pixels), pixels.strides[0]
        self.is_full = False

    def has(self, rows: slice | NDArray[np.intp]) -> bool:
        """Return whether all of these rows are there."""
        self.is_full = self.is_full or bool(self.there.all())
        return self.is_full or bool(self.there[rows].all())

    def first_row(self, pixels: Pixels) -> int | None:
        """Return the row here that is the first of `pixels`, a view of the array that this is a room for.

        None for another array.
        """
        first, rest = divmod(_address(pixels) - self.start, self.stride)
        is_view = not rest and 0 <= first <= len(self.x) - len(pixels)
        return first if is_view and pixels.strides[0] == self.stride else None


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def private_room(pixels: Pixels) -> Room:
    """Return a room for these images in the memory of this process."""
    return Room(pixels, np.empty(pixels.shape, DTYPE), np.zeros(len(pixels), np.bool_))


def room_bytes(images: int, columns: int = 3072) -> int:
    """Return the bytes of a room for so many images."""
    return images * (columns * DTYPE.itemsize + 1)


class SharedMemory:
    """Bytes that other processes of this machine can map by `path`, gone with the last process that does.

    As a file without a name in memory (Linux's memfd): it needs no room on a disk or in /dev/shm, which a
    container may limit to 64 MB, and leaves nothing behind, however the processes end.
    """

    file: int
    path: str

    def __init__(self, size: int) -> None:
        """Raises OSError where the system has no such files."""
        if sys.platform != "linux":
            raise OSError("no memfd on this system")
        self.file = os.memfd_create("cifarmlp", os.MFD_CLOEXEC)
        os.ftruncate(self.file, size)
        self.path = f"/proc/{os.getpid()}/fd/{self.file}"

    def close(self) -> None:
        """Give it up; processes that have mapped it keep it."""
        os.close(self.file)


def shared_room(pixels: Pixels, path: str) -> Room | None:
    """Return the room of these images in a `SharedMemory`; None where that is not at hand."""
    n, columns = pixels.shape
    try:
        with open(path, "r+b") as file:
            memory = mmap.mmap(file.fileno(), room_bytes(n, columns))
    except (OSError, ValueError):  # its process has ended, or it is of another size
        return None
    x = np.frombuffer(memory, DTYPE, n * columns).reshape(n, columns)
    return Room(pixels, x, np.frombuffer(memory, np.bool_, n, offset=x.nbytes))
