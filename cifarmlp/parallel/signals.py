"""Ctrl-C and SIGTERM: the first one asks a training to stop after its step, a second one ends it at once."""

import multiprocessing
import signal
import threading
from collections.abc import Callable
from types import FrameType

_received: list[int] = []


def watch_signals() -> Callable[[], int]:
    """Take over SIGINT and SIGTERM; returns a function that gives the number of the signal received, or 0.

    In a thread that is not the main one, as on a Dask cluster, signals are somebody else's.
    """
    if not _received and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _note)
    return lambda: _received[0] if _received else 0


def restore_signals() -> None:
    """From now on a signal ends the process at once: what is left to do can be done again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    if multiprocessing.parent_process() is None:  # a worker may get a Ctrl-C twice
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        for worker in multiprocessing.active_children():
            worker.terminate()
