"""What can go wrong for the person who typed: one line each, and the exit code that goes with it."""

import sys
import warnings


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
    """Let a command, or a worker of one, show warnings as its errors are shown."""

    def show(message: Warning | str, *where: object, **more: object) -> None:
        print(f"warning: {message}", file=sys.stderr, flush=True)

    warnings.showwarning = show
    warnings.simplefilter("always", CifarmlpWarning)
