"""Downloading from servers that misbehave, on the loopback interface."""

import hashlib
import multiprocessing
import random
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cifarmlp.data import download
from cifarmlp.errors import DataError

CONTENT = random.Random(0).randbytes(300_000)
WRONG = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
HALF = len(CONTENT) // 2
WANTED = download.Wanted("some.tar.gz", hashlib.md5(CONTENT).hexdigest(), len(CONTENT), ())
PATIENCE = download.Patience(timeout=1.0)
SLOW = download.Patience(timeout=5.0, min_rate=10e6, window=0.1)


class Server(ThreadingHTTPServer):
    """Serves CONTENT in the manner that the path names; notes (path, Range) of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.closing = threading.Event()

    def url(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{manner}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        self.start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        getattr(self, self.path.removeprefix("/"))()

    def answer(self, status: int, content: bytes, announced: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content) if announced is None else announced))
        self.end_headers()
        self.wfile.write(content)

    def part(self, content: bytes, announced: int) -> None:
        if not self.start:
            return self.answer(200, content, announced)
        span = f"bytes {self.start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        return self.answer(206, content, announced, Content_Range=span)

    def good(self) -> None:
        self.part(CONTENT[self.start :], len(CONTENT) - self.start)

    def drop(self) -> None:
        """The half of what is left, then no more."""
        left = CONTENT[self.start :]
        self.part(left[: len(left) // 2], len(left))

    def drop_once(self) -> None:
        if self.start:
            self.good()
        else:
            self.drop()

    def drop_at_once(self) -> None:
        self.close_connection = True

    def stall(self) -> None:
        self.drop()
        self.wfile.flush()
        self.server.closing.wait(10)

    def trickle(self) -> None:
        """20,000 bytes every 0.05 s: 0.4 MB/s."""
        self.part(b"", len(CONTENT) - self.start)
        for place in range(self.start, len(CONTENT), 20_000):
            if self.server.closing.wait(0.05):
                return
            self.wfile.write(CONTENT[place : place + 20_000])
            self.wfile.flush()

    def no_range(self) -> None:
        self.answer(200, CONTENT)

    def no_length(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def other_range(self) -> None:
        self.answer(206, CONTENT[:HALF], Content_Range=f"bytes 0-{HALF - 1}/{len(CONTENT)}")

    def no_range_given(self) -> None:
        self.answer(206, CONTENT[self.start :])

    def strict(self) -> None:
        if self.start >= len(CONTENT):
            self.answer(416, b"", Content_Range=f"bytes */{len(CONTENT)}")
        else:
            self.good()

    def endless(self) -> None:
        self.answer(200, CONTENT, announced=999_999_999_999)

    def short(self) -> None:
        self.answer(200, CONTENT[:1000])

    def long(self) -> None:
        self.answer(200, CONTENT + b"more")

    def wrong(self) -> None:
        self.part(WRONG[self.start :], len(WRONG) - self.start)

    def page(self) -> None:
        self.answer(200, b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")

    def page_in_disguise(self) -> None:
        self.answer(200, b"<!DOCTYPE html>".ljust(len(CONTENT)), Content_Type="application/gzip")

    def missing(self) -> None:
        self.send_error(404)

    def busy(self) -> None:
        self.send_error(503)

    def redirect(self) -> None:
        self.answer(302, b"", Location="/good")

    def redirect_in_circles(self) -> None:
        self.answer(302, b"", Location="/redirect_in_circles")

    def redirect_to_ftp(self) -> None:
        self.answer(302, b"", Location="ftp://127.0.0.1/etc/passwd")

    def redirect_to_file(self) -> None:
        self.answer(302, b"", Location="file:///etc/passwd")

    def nonsense(self) -> None:
        self.wfile.write(b"220 this is not a web server \x1b[2J" + b"." * 10_000 + b"\r\n\r\n")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def fetched(
    folder: Path, *urls: str, wanted: download.Wanted = WANTED, patience: download.Patience = PATIENCE
) -> bytes:
    path = download.fetch(folder, wanted._replace(urls=urls), patience=patience)
    assert path == folder / WANTED.name
    assert not part_of(folder).exists()
    return path.read_bytes()


def part_of(folder: Path) -> Path:
    return folder / f"{WANTED.name}.part"


@pytest.mark.parametrize("manner", ["good", "redirect", "no_range", "no_length", "drop_once", "trickle"])
def test_fetches(server: Server, tmp_path: Path, manner: str) -> None:
    assert fetched(tmp_path / "new" / "folder", server.url(manner)) == CONTENT


def test_goes_on_after_a_drop(server: Server, tmp_path: Path) -> None:
    fetched(tmp_path, server.url("drop_once"))
    assert server.requests == [("/drop_once", None), ("/drop_once", f"bytes={HALF}-")]


@pytest.mark.parametrize("manner", ["good", "redirect", "no_range", "drop_once"])
def test_goes_on_with_what_another_run_left(server: Server, tmp_path: Path, manner: str) -> None:
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    assert fetched(tmp_path, server.url(manner)) == CONTENT
    assert server.requests[0] == (f"/{manner}", "bytes=1000-")


def test_does_not_fetch_a_part_that_is_whole(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path).write_bytes(CONTENT)
    assert fetched(tmp_path, server.url("good")) == CONTENT
    assert server.requests == []


@pytest.mark.parametrize("left", [WRONG, b"rubbish", CONTENT + b"more", WRONG[::-1]])
def test_starts_again_when_what_was_left_is_wrong(server: Server, tmp_path: Path, left: bytes) -> None:
    part_of(tmp_path).write_bytes(left)
    assert fetched(tmp_path, server.url("good")) == CONTENT


FAULTS = {
    "drop": "connection dropped at",
    "drop_at_once": "without response",
    "stall": "no answer",
    "short": "1000 bytes instead of 300000",
    "long": "300004 bytes instead of 300000",
    "wrong": "another file than the official one",
    "page": "a web page instead",
    "page_in_disguise": "a web page instead",
    "missing": "HTTP 404",
    "busy": "HTTP 503",
    "redirect_in_circles": "HTTP 302",
    "redirect_to_ftp": "unknown url type: ftp",
    "redirect_to_file": "not allowed",
    "nonsense": "220 this is not a web server",
}


@pytest.mark.parametrize("manner", FAULTS)
def test_says_what_is_wrong_with_a_mirror(server: Server, tmp_path: Path, manner: str) -> None:
    with pytest.raises(DataError) as caught:
        fetched(tmp_path, server.url(manner))
    message = str(caught.value)
    assert f"{server.url(manner)}: " in message
    assert FAULTS[manner] in message
    assert str(tmp_path / WANTED.name) in message
    assert "data.source=synthetic" in message
    assert message.isprintable()
    assert len(message) < 600
    assert not (tmp_path / WANTED.name).exists()


@pytest.mark.parametrize("manner", FAULTS)
def test_moves_on_to_the_next_mirror(server: Server, tmp_path: Path, manner: str) -> None:
    assert fetched(tmp_path, server.url(manner), server.url("good")) == CONTENT


def test_lists_every_mirror_with_its_reason(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetched(tmp_path, *map(server.url, FAULTS))
    for manner, fault in FAULTS.items():
        assert server.url(manner) in str(caught.value)
        assert fault in str(caught.value) or manner == "drop"


@pytest.mark.parametrize("manner", ["other_range", "no_range_given"])
def test_refuses_a_part_that_was_not_asked_for(server: Server, tmp_path: Path, manner: str) -> None:
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match="another part than asked for"):
        fetched(tmp_path, server.url(manner))
    assert part_of(tmp_path).read_bytes() == CONTENT[:1000]


OTHERS = ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "/etc/passwd", ""]
NOWHERE = ["http://", "http://127.0.0.1:1/x", "http://[::bad/x", "http://a b/"]


@pytest.mark.parametrize("url", OTHERS + NOWHERE)
def test_addresses_that_lead_nowhere(tmp_path: Path, url: str) -> None:
    fault = "not an http or https address" if url in OTHERS else "could not be fetched"
    with pytest.raises(DataError, match=fault):
        fetched(tmp_path, url)


def test_a_stall_ends_after_the_timeout(server: Server, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(DataError, match="no answer"):
        fetched(tmp_path, server.url("stall"), patience=download.Patience(timeout=0.3, attempts=1))
    assert 0.3 <= time.monotonic() - began < 3


def test_leaves_a_slow_mirror_for_a_fast_one(server: Server, tmp_path: Path) -> None:
    assert fetched(tmp_path, server.url("trickle"), server.url("good"), patience=SLOW) == CONTENT
    (_, first), (path, second) = server.requests
    assert (first, path) == (None, "/good")
    assert second is not None, "what the slow one gave was thrown away"


def test_a_slow_mirror_is_better_than_none(server: Server, tmp_path: Path) -> None:
    assert fetched(tmp_path, server.url("trickle"), server.url("missing"), patience=SLOW) == CONTENT
    assert [path for path, _ in server.requests] == ["/trickle", "/missing", "/missing", "/trickle"]


def test_is_content_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / WANTED.name).write_bytes(CONTENT)
    assert fetched(tmp_path) == CONTENT


def test_does_not_overwrite_another_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / WANTED.name).write_bytes(WRONG)
    with pytest.raises(DataError, match="not the official archive"):
        fetched(tmp_path, server.url("good"))
    assert (tmp_path / WANTED.name).read_bytes() == WRONG


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        fetched(tmp_path / "file", server.url("good"))


def test_a_full_disk_is_no_fault_of_the_mirrors(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError, match="No space left"):
        fetched(tmp_path, server.url("good"), server.url("good"))


def test_tells_the_progress(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    part_of(tmp_path).write_bytes(CONTENT[:1000])
    wanted = WANTED._replace(urls=[server.url("good")])
    download.fetch(tmp_path, wanted, progress=lambda *call: calls.append(call))
    assert calls == sorted(calls)
    assert 1000 < calls[0][0] <= 1000 + download.BLOCK
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_an_interruption_keeps_what_has_come(server: Server, tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done > HALF:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.fetch(tmp_path, WANTED._replace(urls=[server.url("good")]), progress=interrupt)
    assert not (tmp_path / WANTED.name).exists()
    left = part_of(tmp_path).read_bytes()
    assert len(left) > HALF
    assert left == CONTENT[: len(left)]


def test_several_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fetched, args=(tmp_path, server.url("trickle"))) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(server.requests) == 1


def test_the_default_addresses() -> None:
    for form, wanted in download.ARCHIVES.items():
        assert wanted.urls[0] == f"https://www.cs.toronto.edu/~kriz/cifar-10-{form}.tar.gz"
        assert all(url.startswith("https://") and url.endswith(wanted.name) for url in wanted.urls)
    assert download.ARCHIVES["python"].md5 == "c58f30108f718f92721af3b95e74349a"
    assert download.ARCHIVES["matlab"].md5 == "70270af85842c9e89bb428ec9976c926"


# A file whose size is not known beforehand

UNKNOWN = WANTED._replace(size=None)


@pytest.mark.parametrize("manner", ["good", "redirect", "no_range", "drop_once", "trickle"])
@pytest.mark.parametrize("left", [b"", CONTENT[:1000]])
def test_fetches_what_has_the_size_that_the_server_says(
    server: Server, tmp_path: Path, manner: str, left: bytes
) -> None:
    part_of(tmp_path).write_bytes(left)
    assert fetched(tmp_path, server.url(manner), wanted=UNKNOWN) == CONTENT


@pytest.mark.parametrize("left", [WRONG, CONTENT + b"more", b"rubbish"])
def test_starts_again_where_the_server_has_no_such_part(server: Server, tmp_path: Path, left: bytes) -> None:
    part_of(tmp_path).write_bytes(left)
    assert fetched(tmp_path, server.url("strict"), wanted=UNKNOWN) == CONTENT
    assert server.requests[-1] == ("/strict", None)


@pytest.mark.parametrize(
    ("manner", "fault"),
    [
        ("no_length", "does not say a size"),
        ("endless", "does not say a size that the archive could have (999999999999)"),
        ("short", "another file than the official one"),
        ("wrong", "another file than the official one"),
        ("drop", "connection dropped at"),
    ],
)
def test_a_file_of_a_wrong_size_is_refused(server: Server, tmp_path: Path, manner: str, fault: str) -> None:
    with pytest.raises(DataError, match=re.escape(fault)):
        fetched(tmp_path, server.url(manner), wanted=UNKNOWN)
    assert not (tmp_path / WANTED.name).exists()
