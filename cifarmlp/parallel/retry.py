"""Two tries an item: one whose worker died, or that found no memory, is tried again, and then lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2


@dataclass(frozen=True)
class Lost:
    """An item whose worker died twice; why."""

    reason: str


def attempt(function: Callable[[Item], Result], item: Item) -> Result | Lost:
    """One try, wherever it is made: no memory is no fault of the function's, as there may be some later."""
    try:
        return function(item)
    except MemoryError as error:
        return Lost(": ".join(["it ran out of memory", *map(str, error.args)]))


def throttle(call: Callable[[], None], seconds: float) -> Callable[[], None]:
    """The call, left out where less than `seconds` have passed since the last one, or since now."""
    due = time.monotonic() + seconds

    def maybe() -> None:
        nonlocal due
        if time.monotonic() >= due:
            call()
            due = time.monotonic() + seconds

    return maybe
