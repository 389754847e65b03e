"""Ctrl-C and SIGTERM: the first asks a training to stop after its current step, a second ends it at once."""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_received: list[int] = []
_thread = threading.local()  # its `stop`, where signals come in another way: see `heed`


def watch_signals() -> Callable[[], int]:
    """Take over SIGINT and SIGTERM; return a function that gives the number of the signal received, or 0.

    Outside the main thread the signals are left alone. In a worker of a Dask cluster, the number is that of
    the process which it works for, see `heed`.
    """
    if not _received and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _note)
    return getattr(_thread, "stop", lambda: _received[0] if _received else 0)


@contextmanager
def heed(stop: Callable[[], int]) -> Iterator[None]:
    """Let `watch_signals` return `stop` in this thread, as long as the block lasts."""
    _thread.stop = stop
    try:
        yield
    finally:
        del _thread.stop


def restore_signals() -> None:
    """Let signals end the process at once again: the remaining work can be repeated."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if multiprocessing.parent_process() is None:  # a worker may get one Ctrl-C twice
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        if sys.platform == "win32":
            return  # a terminal's Ctrl-C reaches the workers, too, and `terminate` kills
        for worker in multiprocessing.active_children():
            worker.terminate()
