"""What can go wrong for the person who typed: one line each, and the exit code that goes with it."""


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
