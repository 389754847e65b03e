"""CIFAR-10 as Parquet files: the same images, and damaged or hostile files refused in one line."""

import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
from helpers import small_cifar10 as small
from helpers.cifar10_files import assert_refused
from pyarrow import parquet as pq

from cifarmlp.data import checks, cifar10, parquet
from cifarmlp.errors import DataError

TRAIN, TEST = "train-00000-of-00001.parquet", "test-00000-of-00001.parquet"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    small.make_small(monkeypatch)


def assert_holds_the_images(place: Path) -> None:
    slots = set()
    for slot, pixels, labels in cifar10.read(place):
        np.testing.assert_array_equal(pixels, small.batch(slot)[0])
        np.testing.assert_array_equal(labels, small.batch(slot)[1])
        assert pixels.dtype == labels.dtype == np.uint8
        slots.add(slot)
    assert slots == set(range(6))


@pytest.mark.parametrize("slots", [(0, 1, 2, 3, 4), (3, 2, 1, 4, 0)])
def test_reads_the_images_into_the_official_order(tmp_path: Path, slots: tuple[int, ...]) -> None:
    place = small.write_parquet(tmp_path / "plain_text", slots)
    assert cifar10.locate(tmp_path) == place
    assert cifar10.files(place) == [place / TRAIN, place / TEST]
    assert_holds_the_images(place)
    states = checks.check_files(tmp_path)
    assert [(check.usable, "not the official" in check.status) for check in states] == [(True, True)] * 6


def test_a_part_may_be_in_several_files(tmp_path: Path) -> None:
    small.write_table(tmp_path / "train-00001-of-00002.parquet", *small.rows_of(2, 3, 4))
    small.write_table(tmp_path / "train-00000-of-00002.parquet", *small.rows_of(0, 1))
    small.write_table(tmp_path / TEST, *small.rows_of(5))
    assert_holds_the_images(tmp_path)


def test_images_of_another_order_stay_in_it(tmp_path: Path) -> None:
    place = small.write_parquet(tmp_path)
    pictures, labels = small.rows_of(1, 0, 2, 3, 4)
    small.write_table(place / TRAIN, pictures, [labels[-1], *labels[1:-1], labels[0]])
    first, *_ = cifar10.read(place)
    assert first.slot == 0
    np.testing.assert_array_equal(first.pixels, small.batch(1)[0])


def change(**changed: object) -> object:
    """Something that writes the test file with another picture, label or number of images."""

    def write(place: Path) -> None:
        pictures, labels = small.rows_of(5)
        if "picture" in changed:
            pictures[7] = changed["picture"]  # type: ignore[call-overload]
        if "label" in changed:
            labels[7] = changed["label"]  # type: ignore[call-overload]
        many = slice(changed.get("many", len(labels)))
        small.write_table(place / TEST, pictures[many], labels[many])

    return write


def of_columns(**columns: pa.Array) -> object:
    return lambda place: pq.write_table(pa.table(columns), place / TEST)


def of_bytes(cut: slice, more: bytes = b"") -> object:
    return lambda place: (place / TEST).write_bytes((place / TEST).read_bytes()[cut] + more)


def bomb(width: int, height: int) -> bytes:
    """A PNG file that says it has so many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pieces = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in pieces]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


STRUCT = pa.array([{"bytes": b"", "path": ""}] * 20)
LABEL = pa.array([1] * 20)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (of_bytes(slice(0, 0)), "not a whole Parquet file"),
        (of_bytes(slice(0, 3000)), "not a whole Parquet file"),
        (of_bytes(slice(0, -1)), "not a whole Parquet file"),
        (of_bytes(slice(0, 0), b"<!DOCTYPE html><html>404</html>"), "not a whole Parquet file"),
        (of_columns(img=STRUCT), "has the columns img.bytes, img.path, not img (PNG bytes) and label"),
        (of_columns(image=STRUCT, label=LABEL), "has the columns image.bytes"),
        (of_columns(img=LABEL, label=LABEL), "has the columns img, label"),
        (of_columns(img=STRUCT, label=pa.array(["cat"] * 20)), "has the columns img.bytes"),
        (of_columns(**{"\x1b[2J": LABEL}), "has the columns \\x1b[2J"),
        (change(many=19), "has 19 images in 'test-00000-of-00001.parquet', not 20"),
        (change(many=0), "has 0 images"),
        (change(label=10), "has labels other than 0 to 9"),
        (change(label=-1), "has labels other than 0 to 9"),
        (change(label=None), "has labels other than 0 to 9"),
        (change(picture=None), "image 8 is not a PNG picture"),
        (change(picture=b"GIF89a" + bytes(50)), "image 8 is not a PNG picture"),
        (change(picture=small.png(small.batch(0)[0][0])[:500]), "image 8 is not a whole PNG picture"),
        (change(picture=bomb(32, 33)), "image 8 is 32 x 33 pixels, not 32 x 32"),
        (change(picture=bomb(30_000, 30_000)), "image 8 is 30000 x 30000 pixels"),
        (change(picture=bomb(12_000, 12_000)), "image 8 is 12000 x 12000 pixels"),
        (change(picture=bomb(32, 32) + bytes(2**21)), "image 8 is a PNG picture of more than"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(tmp_path: Path, spoil: object, fault: str) -> None:
    place = small.write_parquet(tmp_path)
    spoil(place)  # type: ignore[operator]
    assert_refused(place, place, fault)
    *_, last = checks.check_files(place)
    assert (last.usable, fault in last.status) == (False, True)


def test_a_file_that_unpacks_to_far_more_than_images_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small.write_parquet(tmp_path)
    monkeypatch.setattr(parquet, "MAX_UNPACKED_BYTES", 50_000)
    assert_refused(place, place, "unpacks to more than 50,000 bytes")


def test_a_picture_that_is_said_to_be_there_many_times_is_unpacked_a_few_times(tmp_path: Path) -> None:
    place = small.write_parquet(tmp_path)
    large = pa.array([bytes(20_000_000)] * 20, pa.binary())
    images = pa.StructArray.from_arrays([large], ["bytes"])
    table = pa.table({"img": images, "label": LABEL})
    pq.write_table(table, place / TEST, compression="zstd", dictionary_pagesize_limit=2**30)
    assert (place / TEST).stat().st_size < 50_000
    counting = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(counting)
    try:
        with pytest.raises(ValueError, match="image 1 is not a PNG"):
            list(parquet._pictures(place / TEST))
    finally:
        pa.set_memory_pool(before)
    assert 20e6 < counting.max_memory() < 200e6


def test_bytes_changed_anywhere_are_read_or_refused(tmp_path: Path) -> None:
    place = small.write_parquet(tmp_path)
    whole = (place / TEST).read_bytes()
    rng = np.random.default_rng(4)
    tracemalloc.start()
    for _ in range(60):
        changed = bytearray(whole)
        for at in rng.integers(0, 2000, 3):
            changed[-at] = rng.integers(256)
        (place / TEST).write_bytes(changed)
        try:
            list(cifar10.read(place))
        except DataError as error:
            assert str(error).isprintable()  # noqa: PT017
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_without_pyarrow_a_line_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small.write_parquet(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError) as caught:
        list(cifar10.read(place))
    assert str(caught.value).endswith("Parquet files need pyarrow: pip install 'cifarmlp[parquet]'")
