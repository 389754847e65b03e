"""The official formats: read in every form, refused in one line when damaged."""

import gzip
import io
import os
import random
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cifarmlp.data import archives, cifar10, pickles
from cifarmlp.errors import DataError

PYTHON, BINARY = cifar10.FOLDERS
Entry = tuple[str, bytes]


def pixels_and_labels(slot: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(slot)
    return rng.integers(0, 256, (10_000, 3072), dtype=np.uint8), rng.integers(0, 10, 10_000, dtype=np.uint8)


def binary(slot: int) -> bytes:
    pixels, labels = pixels_and_labels(slot)
    return np.concatenate([labels[:, None], pixels], axis=1).tobytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both batches folders and both archives, of random images."""
    place = tmp_path_factory.mktemp("cifar10")
    for folder in cifar10.FOLDERS:
        (place / folder).mkdir()
    for slot, name in enumerate(cifar10.BATCHES):
        (place / PYTHON / name).write_bytes(pickles.dumps(name, *pixels_and_labels(slot)))
        (place / BINARY / f"{name}.bin").write_bytes(binary(slot))
    for folder, archive in zip(cifar10.FOLDERS, cifar10.ARCHIVES, strict=False):
        with tarfile.open(place / archive, "w:gz", compresslevel=0) as tar:
            tar.add(place / folder, folder)
    return place


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of one batches folder whose files may be replaced (not written into: they are links)."""

    def copy(name: str) -> Path:
        shutil.copytree(home / name, tmp_path / name, copy_function=os.link)
        return tmp_path / name

    return copy


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("form", [PYTHON, BINARY, *cifar10.ARCHIVES[:2]])
def test_reads_every_form(home: Path, form: str) -> None:
    slots = set()
    for slot, pixels, labels in cifar10.read(home / form):
        expected_pixels, expected_labels = pixels_and_labels(slot)
        np.testing.assert_array_equal(pixels, expected_pixels)
        np.testing.assert_array_equal(labels, expected_labels)
        assert pixels.dtype == labels.dtype == np.uint8
        slots.add(slot)
    assert slots == set(range(6))


@pytest.mark.parametrize("form", ["", PYTHON, BINARY, *cifar10.ARCHIVES[:2]])
def test_locates_every_form(home: Path, form: str) -> None:
    assert cifar10.locate(home / form) == (home / form if form else home / PYTHON)


def test_prefers_a_complete_form(folder: Callable[[str], Path]) -> None:
    (folder(PYTHON) / "test_batch").unlink()
    complete = folder(BINARY)
    assert cifar10.locate(complete.parent) == complete


def test_locates_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    assert cifar10.locate(tmp_path) is None
    assert cifar10.locate(tmp_path / "nowhere") is None


PAGE = b"<!DOCTYPE html>\n<html><body>404</body></html>"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "0 bytes"),
        (binary(0)[:-1], "30,729,999 bytes"),
        (binary(0) + b"\0", "30,730,001 bytes"),
        (b"\x0a" + binary(0)[1:], "labels other than 0 to 9"),
        (PAGE, "an HTML page"),
        (bytes(65 * 2**20), "far larger"),
    ],
)
def test_a_bad_binary_batch(folder: Callable[[str], Path], content: bytes, fault: str) -> None:
    path = folder(BINARY) / "data_batch_2.bin"
    replace(path, content)
    assert_refused(path.parent, path, fault)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "damaged pickle"),
        (b"\x80\x02cos\nsystem\nU\x04true\x85R.", "asks for a name"),
        (b"\x80\x02}.", "no array"),
        (PAGE, "an HTML page"),
        (bytes(65 * 2**20), "far larger"),
    ],
)
def test_a_bad_pickled_batch(folder: Callable[[str], Path], content: bytes, fault: str) -> None:
    path = folder(PYTHON) / "data_batch_2"
    replace(path, content)
    assert_refused(path.parent, path, fault)


def test_a_truncated_pickled_batch(folder: Callable[[str], Path]) -> None:
    path = folder(PYTHON) / "test_batch"
    replace(path, path.read_bytes()[:-100_000])
    assert_refused(path.parent, path, "damaged pickle")


def test_a_missing_batch(folder: Callable[[str], Path]) -> None:
    path = folder(PYTHON) / "data_batch_3"
    path.unlink()
    assert_refused(path.parent, path, "No such file")


def test_a_folder_in_place_of_a_batch(folder: Callable[[str], Path]) -> None:
    path = folder(PYTHON) / "data_batch_3"
    path.unlink()
    path.mkdir()
    assert_refused(path.parent, path, "Is a directory")


def assert_refused(place: Path, file: Path | str, fault: str) -> None:
    """One line with the file, the fault and the remedy."""
    with pytest.raises(DataError) as caught:
        list(cifar10.read(place))
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert fault in message
    assert "cifarmlp data fetch" in message
    assert "\n" not in message
    assert len(message) < 400


def archive_of(path: Path, *members: Entry | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
            content = b"" if isinstance(member, tarfile.TarInfo) else member[1]
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


FIRST = f"{BINARY}/data_batch_1.bin"


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ([], "lacks data_batch_1, data_batch_2"),
        ([("readme.html", PAGE)], "lacks data_batch_1"),
        ([("data_batch_1.bin", b"")], "lacks data_batch_1"),
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
            for name, found in archives.read_members(path, [FIRST, "long" * 50], 5000):
                assert name in (FIRST, "long" * 50)
                assert len(found) <= 5000
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
    found = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        start = 512 * rng.randrange(len(content) // 512)
        found[start + rng.randrange(512)] = rng.choice([0, 0x80, 0xFF, *b"0123456789xgLKSD"])
        found[start + 124] = rng.choice([found[start + 124], 0x80, 0xFF])
        found[start + 148 : start + 156] = b" " * 8
        total = sum(found[start : start + 512])
        found[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(found[: rng.choice([len(found), rng.randrange(len(found))])])


def test_random_images_are_not_official(home: Path) -> None:
    batches = sorted(cifar10.read(home / BINARY), key=lambda batch: batch.slot)
    pixels = np.concatenate([batch.pixels for batch in batches])
    assert not cifar10.is_official(pixels, np.concatenate([batch.labels for batch in batches]))


def test_official_images_are_told_by_their_sha1(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = sorted(cifar10.read(home / PYTHON), key=lambda batch: batch.slot)
    digests = tuple(cifar10._binary_sha1(batch.pixels, batch.labels) for batch in batches)
    monkeypatch.setattr(cifar10, "IMAGES_SHA1", digests)
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    assert cifar10.is_official(pixels, labels)
    pixels[-1, -1] ^= 1
    assert not cifar10.is_official(pixels, labels)


def test_verify_a_folder(folder: Callable[[str], Path]) -> None:
    place = folder(BINARY)
    (place / "data_batch_5.bin").unlink()
    replace(place / "test_batch.bin", PAGE)
    checks = cifar10.verify(place)
    assert [Path(check.file).name for check in checks] == [f"{name}.bin" for name in cifar10.BATCHES]
    assert [check.usable for check in checks] == [True] * 4 + [False] * 2
    assert checks[0].status == "readable, but not the official images"
    assert checks[4].status.startswith("No such file")
    assert checks[5].status.startswith("an HTML page")


def test_verify_an_archive(home: Path) -> None:
    checks = cifar10.verify(home / "cifar-10-python.tar.gz")
    assert len(checks) == 7
    assert checks[0].status == "not the official archive"
    assert all(check.usable for check in checks)


def test_verify_an_incomplete_archive(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "cifar-10-binary.tar.gz", (FIRST, binary(0)))
    checks = cifar10.verify(path)
    assert [check.usable for check in checks] == [True, True, *[False] * 5]
    assert checks[-1].status == "missing"


def test_verify_a_truncated_archive(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes((home / path.name).read_bytes()[:1000])
    assert [check.usable for check in cifar10.verify(path)] == [True, False]


def test_verify_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no CIFAR-10 batches"):
        cifar10.verify(tmp_path)


@pytest.mark.cifar10
@pytest.mark.skipif("CIFARMLP_DATA" not in os.environ, reason="$CIFARMLP_DATA is not set")
def test_real_batches_have_a_thousand_of_each_class_to_test() -> None:
    place = cifar10.locate(Path(os.environ["CIFARMLP_DATA"]))
    assert place is not None
    counts = {slot: np.bincount(labels, minlength=10) for slot, _, labels in cifar10.read(place)}
    assert counts[5].tolist() == [1000] * 10
    assert sum(counts[slot] for slot in range(5)).tolist() == [5000] * 10
    assert all(check.usable for check in cifar10.verify(place))
