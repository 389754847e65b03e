"""Files read with suspicion: regular ones, of a bounded size, whose contents fit a model."""

import csv
import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cifarmlp.errors import RunFolderError
from cifarmlp.text import escape, shorten

Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")

MOST_JSON = 2**20  # bytes; the largest of ours, a study.json, has some 30 kB
MOST_CSV = 2**24  # some 100,000 rows of metrics.csv
MOST_ARRAYS = 2**32
MOST_FAULTS = 100  # of a file, after which it is not read on


@contextmanager
def open_regular(path: Path, most: int) -> Iterator[io.BufferedReader]:
    """Open a regular file of at most so many bytes to read it, and never wait for anything else.

    Raises OSError if it cannot be read, is larger, or is a folder, a pipe, a device or a link to one.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if stat.S_ISDIR(about.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if about.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most / 2**20:.0f} MB", str(path))
        yield file


def read_bytes(path: Path, most: int) -> bytes:
    """Return the bytes of a file. Raises OSError as `open_regular`."""
    with open_regular(path, most) as file:
        return file.read(most)


def read_json(path: Path, model: type[Model]) -> Model | None:
    """Return the contents of a JSON file as a model; None if there is no such file.

    Raises RunFolderError, with the first field that does not fit, if it is damaged or cannot be read.
    """
    try:
        return model.model_validate_json(read_bytes(path, MOST_JSON))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"{escape(str(path))} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise RunFolderError(f"{escape(str(path))} is damaged: {_misfit(error)}") from error


def _misfit(error: ValidationError) -> str:
    """Return the first value that does not fit a model: where it is, and why."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = shorten(".".join(map(str, first["loc"])))
    return escape(": ".join(filter(None, (place, first["msg"]))))


def read_rows(path: Path, parse: Callable[[dict[str, str]], T]) -> tuple[list[T], list[str]]:
    """Return the rows of a CSV file by `parse`, and a line about each row, or the file, that is damaged.

    parse: a row, column -> text, as a value; raises ValueError where it does not fit, KeyError where a column
    is missing. A row is damaged as well if it is longer or shorter than the header. No rows and no faults if
    there is no such file.
    """
    name = escape(path.name)
    try:
        with open_regular(path, MOST_CSV) as file:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8", errors="replace", newline=""))
            rows, faults = _parse_rows(reader, parse)
            return rows, [f"{name} is damaged: line {fault}" for fault in faults]
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{name} cannot be read: {error.strerror}"]


def _parse_rows(
    reader: "csv.DictReader[str]", parse: Callable[[dict[str, str]], T]
) -> tuple[list[T], list[str]]:
    rows: list[T] = []
    faults: list[str] = []
    while len(faults) < MOST_FAULTS:
        try:
            rows.append(parse(_whole(next(reader))))
        except StopIteration:
            break
        except (csv.Error, ValueError, KeyError) as error:
            faults.append(f"{reader.line_num}: {_reason(error)}")
    return rows, faults


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return _misfit(error)
    if isinstance(error, KeyError):
        return f"there is no column {error}"
    return escape(shorten(str(error)))


def _whole(row: dict[str, str]) -> dict[str, str]:
    if None in row or None in row.values():
        raise ValueError("not as many values as columns")
    return row
