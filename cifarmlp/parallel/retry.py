"""Each item is tried twice: it is lost when its worker died, or memory ran out, both times."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2


@dataclass(frozen=True)
class Lost:
    """Result of an item whose two tries both failed, for the reason given."""

    reason: str


def attempt(function: Callable[[Item], Result], item: Item) -> Result | Lost:
    """Return function(item), or Lost on a MemoryError, as there may be memory later."""
    try:
        return function(item)
    except MemoryError as error:
        return Lost(": ".join(["it ran out of memory", *map(str, error.args)]))


def throttle(call: Callable[[], None], seconds: float) -> Callable[[], None]:
    """Wrap `call` so that it runs at most once every `seconds`, and not in the first ones.

    >>> tick = throttle(lambda: print("tick"), 0.05)
    >>> tick()
    >>> time.sleep(0.05)
    >>> tick()
    tick
    """
    due = time.monotonic() + seconds

    def throttled() -> None:
        nonlocal due
        if time.monotonic() >= due:
            call()
            due = time.monotonic() + seconds

    return throttled
