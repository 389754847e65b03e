"""What can go wrong for the person who typed: one line each, and the exit code that goes with it."""

import os
import sys
import warnings
from typing import Any, TextIO


class CifarmlpError(Exception):
    """A fault to be shown as one line: what is wrong, where, what to do. Never as a traceback."""

    exit_code = 1


class ConfigError(CifarmlpError):
    """A config, an override or an argument is wrong; several faults are separated by newlines."""

    exit_code = 2


class DataError(CifarmlpError):
    """The images are missing, damaged or cannot be fetched."""

    exit_code = 3


class RunFolderError(CifarmlpError):
    """A run folder is locked, damaged or cannot be written."""

    exit_code = 4


class CifarmlpWarning(UserWarning):
    """What the person who typed should know, though it stops nothing: one line."""


def show_warnings_as_lines() -> None:
    """Let a command, or a worker of one, show warnings as its errors are shown, and fail for no message."""
    forgive_stderr()

    def show(message: Warning | str, *where: object, **more: object) -> None:
        print(f"warning: {message}", file=sys.stderr, flush=True)

    warnings.showwarning = show
    warnings.simplefilter("always", CifarmlpWarning)


class ForgivingStream:
    """A stream where writing that fails, as on a full disk, is let go; a closed pipe is still told."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, or do as if."""
        try:
            return self.stream.write(text)
        except BrokenPipeError:
            raise
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush, or do as if."""
        try:
            self.stream.flush()
        except BrokenPipeError:
            raise
        except OSError:
            pass


def forgive_stderr() -> None:
    """No training ends because what is told of it on stderr can't be written, or there is no stderr."""
    stream = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = stream if isinstance(stream, ForgivingStream) else ForgivingStream(stream)
