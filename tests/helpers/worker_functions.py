"""Functions for the tests of workers, which processes and clusters can import."""

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from cifarmlp.errors import DataError


def numbered(log: Path, count: int) -> list[tuple[Path, int]]:
    """Items 0, 1, ... for functions that note them in the file `log`."""
    return [(log, number) for number in range(count)]


def numbers(pairs: Iterable[tuple[tuple[Path, int], object]]) -> dict[int, object]:
    """Result of each item by its number."""
    return {item[1]: result for item, result in pairs}


def double(number: int) -> int:
    return 2 * number


def own_process(number: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def note(path: Path, number: int = 0) -> int:
    """Append a line to a file, in one write; return how many lines had the same number."""
    with path.open("a+") as file:
        file.write(f"{number} {os.getpid()}\n")
        file.flush()
        file.seek(0)
        return sum(line.split()[0] == str(number) for line in file) - 1


def noted(path: Path) -> list[int]:
    """Numbers of the lines so far."""
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def quickly(item: tuple[Path, int]) -> int:
    note(*item)
    return item[1]


def slowly(item: tuple[Path, int]) -> int:
    """Take a minute, but for item 0."""
    note(*item)
    time.sleep(60 if item[1] else 0)
    return item[1]


def in_a_moment(item: tuple[Path, int]) -> int:
    note(*item)
    time.sleep(0.2)
    return item[1]


def in_a_second(item: tuple[Path, int]) -> int:
    note(*item)
    time.sleep(1)
    return item[1]


def dies_once(item: tuple[Path, int]) -> int:
    if note(*item) == 0 and item[1] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item[1]


def dies_once_and_then_takes_long(item: tuple[Path, int]) -> int:
    if note(*item) == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    return item[1]


def tidies_up(item: tuple[Path, int]) -> int:
    """End at once with item 0; with another one note its negative number at SIGTERM."""
    if item[1]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            note(*item)
            time.sleep(60)
        finally:
            note(item[0], -item[1])
    while 1 not in noted(item[0]):
        time.sleep(0.05)
    return item[1]


def dies_always(item: tuple[Path, int]) -> int:
    note(*item)
    if item[1] in (0, 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return item[1]


def forgets_once(item: tuple[Path, int]) -> int:
    if note(*item) == 0 and item[1] == 1:
        raise MemoryError
    return item[1]


def forgets_always(item: tuple[Path, int]) -> int:
    note(*item)
    if item[1] == 1:
        raise MemoryError
    return item[1]


class Unsendable(Exception):
    """An exception that can be pickled, but not unpickled."""

    def __init__(self, here: str, there: str) -> None:
        super().__init__(f"{here} and {there}")


def fails(item: tuple[Path, int]) -> int:
    """Fail with item 1, once item 0 has begun, too."""
    note(*item)
    if item[1] == 1:
        while 0 not in noted(item[0]):
            time.sleep(0.05)
        raise ValueError("one is not liked")
    time.sleep(60)
    return item[1]


def fails_unsendably(number: int) -> int:
    raise Unsendable("here", "there")


def returns_what_cannot_be_sent(number: int) -> object:
    return lambda: number


def dies_on_one(item: tuple[Path, int]) -> int:
    note(*item)
    if item[1] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item[1]


def fails_at_once(item: tuple[Path, int]) -> int:
    if item[1] == 1:
        raise ValueError("one is not liked")
    return in_a_second(item)


def times_out(number: int) -> int:
    raise TimeoutError("the function's own")


def lacks_images(item: int) -> int:
    raise DataError("runs: no images there")
