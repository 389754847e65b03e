"""The command line, but that each of its processes waits at some place until there is a file `go`.

So a test can send a signal to a training that is at work, however fast or slow the machine is. $HOLD is
`step N` (before that update) or `evaluation N` (within the N-th that the process makes). A process that waits
leaves a file `held-PID`; one that has heard a first signal, `heard-PID`.
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
    """Until there is a file `go`."""
    Path(f"held-{os.getpid()}").touch()
    while not Path("go").exists():
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:  # the next one ends it at once
            Path(f"heard-{os.getpid()}").touch()
        time.sleep(0.01)


def held_update(self: loop.Training, *args: Any) -> Any:
    """An update, waited with where it is the one."""
    if (KIND, self.step) == ("step", int(NUMBER)):
        wait()
    return update(self, *args)


def held_predictions(*args: Any) -> Iterator[Any]:
    """An evaluation, waited with half-way where it is the one."""
    number = next(evaluations)
    for chunk, part in enumerate(predictions(*args)):
        if (KIND, number, chunk) == ("evaluation", int(NUMBER), 1):
            wait()
        yield part


loop.Training.update = held_update  # type: ignore[method-assign]
loop.predictions = held_predictions

if __name__ == "__main__":  # its workers import this too, and wait as well
    main()
