"""Ctrl-C and SIGTERM: the first one asks a training to stop after its step, a second one ends it at once."""

import signal
from collections.abc import Callable
from types import FrameType


def watch_signals() -> Callable[[], int]:
    """Take over SIGINT and SIGTERM; returns a function that gives the number of the signal received, or 0."""
    received = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return lambda: received[0] if received else 0
