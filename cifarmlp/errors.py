"""Errors and warnings for the person who typed: one line each, and an exit code for each kind of error."""

import os
import sys
import warnings
from typing import Any, TextIO


class CifarmlpError(Exception):
    """Base of the package's errors; shown as one line (what is wrong, where, what to do), not a traceback."""

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


class ClusterError(CifarmlpError):
    """A cluster is gone for good; what it had returned until then is kept."""


class CifarmlpWarning(UserWarning):
    """Something to know that stops nothing; one line."""


def show_warnings_as_lines() -> None:
    """Show each CifarmlpWarning as one line on stderr, and ignore errors of writing there.

    For commands and their worker processes, which each call it once.
    """
    forgive_stderr()

    def show(message: Warning | str, *where: object, **more: object) -> None:
        print(f"warning: {message}", file=sys.stderr, flush=True)

    warnings.showwarning = show
    warnings.simplefilter("always", CifarmlpWarning)


class ForgivingStream:
    """A text stream whose write errors, such as a full disk, are ignored; all but BrokenPipeError."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write; on an OSError pretend it worked."""
        try:
            return self.stream.write(text)
        except BrokenPipeError:
            raise
        except OSError:
            return len(text)

    def flush(self) -> None:
        """Flush; on an OSError pretend it worked."""
        try:
            self.stream.flush()
        except BrokenPipeError:
            raise
        except OSError:
            pass


def forgive_stderr() -> None:
    """Make sys.stderr ignore write errors, so that a full disk cannot end a training, and exist."""
    stream = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = stream if isinstance(stream, ForgivingStream) else ForgivingStream(stream)
