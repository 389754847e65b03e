"""The command line, with each of its processes held at some place until there is a file `go`.

A test can thus send a signal to a training at work, on a machine of any speed. $HOLD is `step N` (before that
update) or `evaluation N` (half-way through the N-th of the process). A process writes a file `held-PID` when
it begins to wait, and `heard-PID` when it has received a first signal there.
"""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifarmlp.cli.main import main
from cifarmlp.training import loop

KIND, NUMBER = os.environ["HOLD"].split()
update, predictions = loop.Training.update, loop.predictions
evaluations = itertools.count(1)


def wait() -> None:
    """Wait until there is a file `go`."""
    Path(f"held-{os.getpid()}").touch()
    while not Path("go").exists():
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:  # the next one ends it at once
            Path(f"heard-{os.getpid()}").touch()
        time.sleep(0.01)


def held_update(self: loop.Training, *args: Any) -> Any:
    """Update, after a wait if $HOLD names this step."""
    if (KIND, self.step) == ("step", int(NUMBER)):
        wait()
    return update(self, *args)


def held_predictions(*args: Any) -> Iterator[Any]:
    """Evaluate, with a wait after the first chunk if $HOLD names this evaluation."""
    number = next(evaluations)
    for chunk, part in enumerate(predictions(*args)):
        if (KIND, number, chunk) == ("evaluation", int(NUMBER), 1):
            wait()
        yield part


loop.Training.update = held_update  # type: ignore[method-assign]
loop.predictions = held_predictions

if __name__ == "__main__":  # workers import this module, and are held as well
    main()
