"""Archives that nobody vouches for: read in bounded time and memory, or refused in one line."""

import gzip
import os
import random
import tarfile
import time
from pathlib import Path

import pytest
from helpers.cifar10_files import BINARY, FIRST, PAGE, Entry, archive_of, assert_refused, binary, special

from cifarmlp.data import archives


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([], "lacks data_batch_1, data_batch_2"),
        ([("readme.html", PAGE)], "lacks data_batch_1"),
        ([(f"../{FIRST}", b"")], "outside of its folder"),
        ([(f"{BINARY}/../{FIRST}", b"")], "outside of its folder"),
        ([(f"/{FIRST}", b"")], "outside of its folder"),
        ([special(FIRST, tarfile.SYMTYPE, "/etc/passwd")], "not a regular file"),
        ([special(FIRST, tarfile.LNKTYPE, "../secret")], "not a regular file"),
        ([special(FIRST, tarfile.CHRTYPE)], "not a regular file"),
        ([special(FIRST, tarfile.BLKTYPE)], "not a regular file"),
        ([special(FIRST, tarfile.FIFOTYPE)], "not a regular file"),
        ([special(FIRST, tarfile.DIRTYPE)], "not a regular file"),
        ([special(FIRST, tarfile.GNUTYPE_SPARSE)], "archive"),
        ([(FIRST, bytes(65 * 2**20))], "has 68,157,440 bytes"),
        ([(f"{number}", b"") for number in range(101)], "more than 100 members"),
    ],
)
def test_a_bad_archive(tmp_path: Path, members: list[Entry | tarfile.TarInfo], fault: str) -> None:
    path = archive_of(tmp_path / "cifar-10-binary.tar.gz", *members)
    assert_refused(path, path, fault)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_archive_with_a_bad_batch(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "some.tar.gz", (FIRST, b"short"))
    assert_refused(path, FIRST, "5 bytes, not the 30,730,000")


def test_an_archive_with_a_batch_twice(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "some.tar.gz", (FIRST, binary(0)), (f"./{FIRST}", binary(0)))
    assert_refused(path, path, "data_batch_1.bin twice")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty file"),
        (PAGE, "an HTML page, not an archive"),
        (bytes(1000), "not a whole tar.gz archive"),
        (gzip.compress(PAGE), "not a whole tar.gz archive"),
        (gzip.compress(b"\xff" * 5000), "not a whole tar.gz archive"),
        (gzip.compress(os.urandom(5000))[:3000], "not a whole tar.gz archive"),
        (gzip.compress(b"")[:10] + b"\xff" * 500, "not a whole tar.gz archive"),
    ],
    ids=["empty", "page", "zeros", "packed page", "packed ones", "torn", "no deflate"],
)
def test_not_an_archive(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(content)
    assert_refused(path, path, fault)


def test_a_truncated_archive(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with (home / path.name).open("rb") as whole:
        path.write_bytes(whole.read(50_000_000))
    assert_refused(path, path, "not a whole tar.gz archive")


def test_a_gzip_bomb_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    info = special("filler", tarfile.REGTYPE)
    info.size = 100_000_000
    # Gzip members of 50 MB, one after another, of which the first two would do.
    path.write_bytes(gzip.compress(info.tobuf()) + gzip.compress(bytes(50_000_000)) * 20)
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 100_000_000)
    began = time.monotonic()
    assert_refused(path, path, "unpacks to more than 100,000,000 bytes")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("size", [2**29, 2**40, 2**62])
def test_a_member_that_announces_too_much(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    info = special("filler", tarfile.REGTYPE)
    info.size = size
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)))
    assert_refused(path, path, "a truncated archive")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_megabytes(tmp_path: Path, kind: bytes) -> None:
    header = special("header", kind)
    header.size = 50_000_000
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + b"6 a=b\n" * 8_000_000, compresslevel=1))
    assert_refused(path, path, "a header of 50,000,000 bytes")


@pytest.mark.parametrize("seed", range(4))
def test_mutated_archives_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "some.tar.gz"
    content = gzip.decompress(small_archive(path).read_bytes())
    began, read = time.monotonic(), 0
    for _ in range(100):
        path.write_bytes(gzip.compress(mutated(content, rng), compresslevel=1))
        try:
            for name, member in archives.read_members(path, [FIRST, "long" * 50], 5000):
                assert name in (FIRST, "long" * 50)
                assert len(member) <= 5000
                read += 1
        except archives.ArchiveError:
            pass
    assert read
    assert time.monotonic() - began < 10


def small_archive(path: Path) -> Path:
    """Members of every kind of header: plain, long-named, extended, sparse, linked."""
    extended = special("extended", tarfile.REGTYPE)
    extended.pax_headers = {"comment": "something", "size": "0"}
    links = [special("link", tarfile.SYMTYPE, "x" * 200), special("holes", tarfile.GNUTYPE_SPARSE)]
    return archive_of(path, ("long" * 50, b"some"), extended, *links, (FIRST, b"content"))


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes of some headers changed, with the headers' sums set right again; at times cut short."""
    altered = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        start = 512 * rng.randrange(len(content) // 512)
        altered[start + rng.randrange(512)] = rng.choice([0, 0x80, 0xFF, *b"0123456789xgLKSD"])
        altered[start + 124] = rng.choice([altered[start + 124], 0x80, 0xFF])
        altered[start + 148 : start + 156] = b" " * 8
        total = sum(altered[start : start + 512])
        altered[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(altered[: rng.choice([len(altered), rng.randrange(len(altered))])])
