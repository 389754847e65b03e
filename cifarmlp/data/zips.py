"""Reading files of an untrusted .zip: in bounded memory, unpacking nothing to the disk."""

import io
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from cifarmlp.data.archives import MAX_MEMBERS, ArchiveError, is_wanted

BLOCK = 2**16
MOST_AT_ONCE = 2**20  # bytes; the list of a hundred members takes thousands
ENCRYPTED = 1  # of a member's flag bits


def looks_like_one(head: bytes) -> bool:
    """Return whether a file that begins so is a zip archive; PK are its inventor's initials."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_members(archive: Path, wanted: Collection[str], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of each file with a wanted name, in the archive's order.

    Raises ArchiveError for a damaged or encrypted archive, for any member outside of its folder, and
    for a wanted one that is larger than `max_bytes`, a link, or compressed in another way than by deflate.
    """
    try:
        with _SmallReads(archive) as file, ZipFile(file) as zipped:
            members = zipped.infolist()
            if len(members) > MAX_MEMBERS:
                raise ArchiveError(f"an archive of more than {MAX_MEMBERS} members")
            for member in members:
                path = member.filename.replace("\\", "/")  # as Windows PowerShell 5 writes them
                if is_wanted(path, wanted, member.file_size, max_bytes, _is_regular(member)):
                    yield path, _content(zipped, member)
    except ArchiveError:
        raise
    # Damage shows in zipfile and zlib as errors of a dozen kinds.
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"not a whole zip archive ({words[:100]})") from error


class _SmallReads(io.FileIO):
    """A file that ends with ArchiveError where much is asked for at once: a list of millions of members."""

    def read(self, size: int | None = -1, /) -> bytes:
        small = size is not None and 0 <= size <= MOST_AT_ONCE
        content = super().read(size if small else MOST_AT_ONCE + 1)
        if len(content) > MOST_AT_ONCE:
            raise ArchiveError("an archive with a list of far too many members")
        return content


def _is_regular(member: ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where it was made on Windows
    return not member.is_dir() and kind in (0, stat.S_IFREG)


def _content(zipped: ZipFile, member: ZipInfo) -> bytes:
    name = Path(member.filename).name
    if member.flag_bits & ENCRYPTED:
        raise ArchiveError("an encrypted archive: unpack it with its password")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ArchiveError(f"an archive in which {name} is compressed in another way than by deflate")
    with zipped.open(member) as file:
        content = b"".join(iter(lambda: file.read(BLOCK), b""))
    if len(content) != member.file_size:
        raise ArchiveError("a truncated archive")
    return content
