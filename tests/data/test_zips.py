"""Zip archives that nobody vouches for: read in bounded memory, or refused in one line."""

import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.cifar10_files import FIRST, assert_refused, binary, pixels_and_labels

from cifarmlp.data import archives, batch_files, cifar10, zips

NAMES = [f"{name}.bin" for name in batch_files.BATCHES]
Member = tuple[str | zipfile.ZipInfo, bytes]


def zip_of(path: Path, *members: Member, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w", method) as zipped:
        for name, content in members:
            zipped.writestr(name, content, method, 1)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "cifar/", "a/b c/", "cifar-10-batches-bin\\"])
def test_files_are_read_in_whatever_folder_they_lie(tmp_path: Path, top: str, method: int) -> None:
    members = [(f"{top}{name}", name.encode()) for name in NAMES]
    others = [("__MACOSX/._data_batch_1.bin", b"?"), (f"{top}readme.html", b"<html>"), ("empty/", b"")]
    path = zip_of(tmp_path / "any name", *members, *others, method=method)
    found = dict(zips.read_members(path, NAMES, 100))
    assert found == {f"{top}{name}".replace("\\", "/"): name.encode() for name in NAMES}


def test_the_images_are_those_of_the_folder(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "some.zip", *[(f"x/{name}", binary(slot)) for slot, name in enumerate(NAMES)])
    for slot, pixels, labels in cifar10.read(path):
        np.testing.assert_array_equal(pixels, pixels_and_labels(slot)[0])
        np.testing.assert_array_equal(labels, pixels_and_labels(slot)[1])


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([], "lacks data_batch_1, data_batch_2"),
        ([("readme.html", b"")], "lacks data_batch_1"),
        ([("../evil.txt", b"")], "outside of its folder"),
        ([(f"a/../../{FIRST}", b"")], "outside of its folder"),
        ([(f"..\\{FIRST}", b"")], "outside of its folder"),
        ([(f"/{FIRST}", b"")], "outside of its folder"),
        ([(link(FIRST), b"/etc/passwd")], "not a regular file"),
        ([(FIRST, bytes(65 * 2**20))], "has 68,157,440 bytes"),
        ([(f"{number}", b"") for number in range(101)], "more than 100 members"),
        ([(f"{number}" * 20, b"") for number in range(20_000)], "far too many members"),
    ],
)
def test_a_bad_archive(tmp_path: Path, members: list[Member], fault: str) -> None:
    path = zip_of(tmp_path / "cifar-10-binary.zip", *members)
    assert_refused(path, path, fault)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_batch_that_is_there_twice(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "some.zip", (FIRST, binary(0)), (FIRST, binary(0)))
    assert_refused(path, path, "data_batch_1.bin twice")


def test_of_several_folders_the_first_is_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "some.zip", (FIRST, binary(0)), ("other/data_batch_2.bin", b"?"))
    assert_refused(path, path, "lacks data_batch_2, data_batch_3")


def test_a_member_whose_name_could_move_the_cursor(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "some.zip", ("\x1b[2J\n/data_batch_1.bin", b"short"))
    assert_refused(path, "\\x1b[2J\\n/data_batch_1.bin", "5 bytes, not the 30,730,000")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path: Path, method: int) -> None:
    path = zip_of(tmp_path / "some.zip", (FIRST, b"content"), method=method)
    assert_refused(path, path, "data_batch_1.bin is compressed in another way than by deflate")


def in_central_list(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Something that changes the only member's record in the list at an archive's end."""

    def change(content: bytes) -> bytes:
        at = content.rindex(b"PK\x01\x02") + offset
        return content[:at] + value + content[at + len(value) :]

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (in_central_list(8, b"\x01"), "an encrypted archive"),
        (in_central_list(24, struct.pack("<I", 5)), "not a whole zip archive"),
        (in_central_list(24, struct.pack("<I", 60_000_000)), "a truncated archive"),
        (in_central_list(24, struct.pack("<I", 2**31)), "has 2,147,483,648 bytes"),
        (in_central_list(16, b"?"), "not a whole zip archive"),
        (in_central_list(42, struct.pack("<I", 2**31)), "not a whole zip archive"),
        (lambda content: content[:-30], "not a whole zip archive"),
        (lambda content: content[:500], "not a whole zip archive"),
        (lambda content: b"PK\x03\x04" + bytes(500), "not a whole zip archive"),
    ],
)
def test_a_damaged_or_encrypted_archive(tmp_path: Path, change: Callable[[bytes], bytes], fault: str) -> None:
    path = zip_of(tmp_path / "some.zip", (FIRST, random.Random(0).randbytes(1000)))
    path.write_bytes(change(path.read_bytes()))
    assert_refused(path, path, fault)


def test_a_bomb_that_says_it_is_small_gives_what_it_says(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(300_000_000), 1)[2:-4]
    path = zip_of(tmp_path / "some.zip", (FIRST, bytes(1000)))
    content = path.read_bytes()
    head = bytearray(content[: 30 + len(FIRST)])
    struct.pack_into("<I", head, 18, len(bomb))
    end = bytearray(content[content.rindex(b"PK\x01\x02") :])
    struct.pack_into("<I", end, 20, len(bomb))
    at = end.rindex(b"PK\x05\x06")
    struct.pack_into("<I", end, at + 16, len(head) + len(bomb))
    path.write_bytes(bytes(head) + bomb + bytes(end))
    assert [len(content) for _, content in zips.read_members(path, [Path(FIRST).name], 2000)] in ([], [1000])


def test_mutated_archives_are_read_or_refused(tmp_path: Path) -> None:
    rng, read = random.Random(1), 0
    path = zip_of(tmp_path / "some.zip", ("readme", b"?" * 50), (FIRST, b"content" * 50))
    whole = path.read_bytes()
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.choice([0, 0x80, 0xFF, rng.randrange(256)])
        path.write_bytes(changed)
        try:
            for _, content in zips.read_members(path, [Path(FIRST).name], 5000):
                assert len(content) <= 5000
                read += 1
        except archives.ArchiveError as error:
            assert "\n" not in str(error)  # noqa: PT017
    assert read
