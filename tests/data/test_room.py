"""Images standardised once are those standardised in each mini-batch, to the bit."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from cifarmlp import data
from cifarmlp.data import Room

PIXELS = np.random.default_rng(0).integers(0, 256, (300, 3072), dtype=np.uint8)
STATISTICS = data.pixel_statistics(PIXELS)
PLAIN = data.standardiser(*STATISTICS, np.float32)


def standardised(rows: np.ndarray, pixels: np.ndarray = PIXELS) -> np.ndarray:
    return PLAIN(pixels, rows, np.empty((len(rows), 3072), np.float32)).copy()


def shared() -> Room:
    """A room in memory that could be shared."""
    memory = data.SharedMemory(data.room_bytes(len(PIXELS)))
    room = data.shared_room(PIXELS, memory.path)
    memory.close()
    assert room is not None
    return room


def private() -> Room:
    return data.private_room(PIXELS)


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")
ROOMS = [private, pytest.param(shared, marks=ON_LINUX)]


@pytest.mark.parametrize("make", ROOMS)
@pytest.mark.parametrize("seed", range(3))
def test_mini_batches_and_chunks_from_a_room_have_the_same_bits(make: Callable[[], Room], seed: int) -> None:
    room, rng = make(), np.random.default_rng(seed)
    fill = data.standardiser(*STATISTICS, np.float32, room)
    out = np.empty((100, 3072), np.float32)
    for count in range(30):
        if count == 10:
            room.x[40:290] = standardised(np.arange(40, 290))
            room.there[40:290] = True
        if count == 20:
            data.fill_room(room, *STATISTICS)
        rows = rng.integers(0, 300, 100)  # some twice
        assert np.array_equal(fill(PIXELS, rows, out), standardised(rows))
        start = int(rng.integers(0, 290))
        part = range(start, min(300, start + 100))
        assert np.array_equal(fill(PIXELS, part, out[: len(part)]), standardised(np.array(part)))
    assert room.there.all()


@pytest.mark.parametrize("make", ROOMS)
def test_parts_of_the_images_are_found_in_the_room(make: Callable[[], Room]) -> None:
    room = make()
    fill, out = data.standardiser(*STATISTICS, np.float32, room), np.empty((20, 3072), np.float32)
    data.fill_room(room, *STATISTICS)
    room.x[207] = 5  # not made again
    assert (fill(PIXELS[150:], np.array([57]), out[:1]) == 5).all()
    x = fill(PIXELS[200:], range(5, 9), out[:4])
    assert (x[2] == 5).all()
    assert np.shares_memory(x, room.x)
    data.fill_room(room, *STATISTICS)
    assert (room.x[207] == 5).all()


@pytest.mark.parametrize("pixels", [PIXELS.copy(), PIXELS[::2], np.vstack([PIXELS, PIXELS])])
def test_other_images_are_standardised_as_without_a_room(pixels: np.ndarray) -> None:
    room = private()
    fill = data.standardiser(*STATISTICS, np.float32, room)
    for rows in (np.array([3, 1]), range(2, 9)):
        x = fill(pixels, rows, np.empty((len(rows), 3072), np.float32))
        assert np.array_equal(x, standardised(np.array(rows), pixels))
    data.fill_room(room, *STATISTICS)
    room.x[:] = 5
    for rows in (np.array([3, 1]), range(2, 9)):
        x = fill(pixels, rows, np.empty((len(rows), 3072), np.float32))
        assert np.array_equal(x, standardised(np.array(rows), pixels))


@ON_LINUX
def test_processes_share_what_one_of_them_has_standardised() -> None:
    memory = data.SharedMemory(data.room_bytes(len(PIXELS)))
    code = (
        "import sys, numpy as np; from cifarmlp import data;"
        "pixels = np.random.default_rng(0).integers(0, 256, (300, 3072), dtype=np.uint8);"
        "room = data.shared_room(pixels, sys.argv[1]);"
        "room.there[:50] = True;"
        "data.fill_room(room, *data.pixel_statistics(pixels))"
    )
    subprocess.run([sys.executable, "-c", code, memory.path], check=True)
    room = data.shared_room(PIXELS, memory.path)
    memory.close()
    assert room is not None
    assert room.there.all()
    assert np.array_equal(room.x, standardised(np.arange(300)))


def test_rows_that_another_process_has_written_are_at_no_time_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    room = private()
    room.x[:] = standardised(np.arange(300))  # by the other one, which is about to say so
    expected, subtract = room.x.copy(), np.subtract

    def watch(*args: np.ndarray, out: np.ndarray) -> np.ndarray:
        assert np.array_equal(room.x, expected)
        return subtract(*args, out=out)

    monkeypatch.setattr(np, "subtract", watch)
    data.fill_room(room, *STATISTICS)
    assert room.there.all()


@ON_LINUX
def test_memory_whose_process_has_ended_is_no_room() -> None:
    memory = data.SharedMemory(data.room_bytes(len(PIXELS)))
    memory.close()
    assert data.shared_room(PIXELS, memory.path) is None


def test_memory_is_shared_on_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "memfd_create", None, raising=False)
    with pytest.raises(OSError, match="no memfd"):
        data.SharedMemory(100)
