"""Reading files of an untrusted .tar.gz: as a stream, in bounded memory, unpacking nothing to the disk."""

import gzip
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

# The official CIFAR-10 archives unpack to 186 million bytes in 8 members.
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_MEMBERS = 100
MAX_HEADER_BYTES = 2**16


class ArchiveError(ValueError):
    """The archive is damaged or hostile; the message says how."""


def read_members(archive: Path, wanted: Collection[str], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each file with a wanted name, in whatever folder, in the archive's order.

    Raises ArchiveError for a damaged archive, for any member outside of its folder (`../`, absolute), and
    for a wanted one that is larger than `max_bytes`, a link or a device.
    """
    try:
        with _Bounded(archive) as file, tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as tar:
            for count, member in enumerate(tar):
                if count >= MAX_MEMBERS:
                    raise ArchiveError(f"an archive of more than {MAX_MEMBERS} members")
                is_regular = member.isreg() and not member.issparse()
                if is_wanted(member.name, wanted, member.size, max_bytes, is_regular):
                    yield str(PurePosixPath(member.name)), _content(tar, member)
    except ArchiveError:
        raise
    # Damage shows in tarfile, gzip and zlib as errors of a dozen kinds, even IndexError and RecursionError.
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"not a whole tar.gz archive ({words})") from error


class _Bounded(gzip.GzipFile):
    """A gzip stream that ends with ArchiveError at MAX_UNPACKED_BYTES, and when read beyond its end."""

    reads_at_end = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if self.tell() > MAX_UNPACKED_BYTES:
            raise ArchiveError(f"an archive that unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        # tarfile skips as many blocks as a header announces, however few there are.
        self.reads_at_end += not content
        if self.reads_at_end > 3:
            raise ArchiveError("a truncated archive")
        return content


class _Header(tarfile.TarInfo):
    """A header, refused where it announces long names or extensions of more than MAX_HEADER_BYTES."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if not (header.isreg() or header.isdir()) and header.size > MAX_HEADER_BYTES:
            raise ArchiveError(f"an archive with a header of {header.size:,} bytes")
        return header


def is_wanted(name: str, wanted: Collection[str], size: int, max_bytes: int, is_regular: bool) -> bool:
    """Return whether a member's last name is wanted. Raises ArchiveError for one that is not safe."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError("an archive with a member outside of its folder")
    if path.name not in wanted:
        return False
    if not is_regular:
        raise ArchiveError(f"an archive in which {path.name} is not a regular file")
    if size > max_bytes:
        raise ArchiveError(f"an archive in which {path.name} has {size:,} bytes")
    return True


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise ArchiveError("a truncated archive")
    return content
