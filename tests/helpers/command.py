"""The command line: in this process, where it begins at once, or in one of its own, held at some place."""

import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from cifarmlp.cli import main

HELD = Path(__file__).with_name("held.py")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def cifarmlp(*args: str, cwd: Path, err: io.StringIO | None = None) -> Done:
    """Run a command, and leave this process's signals and warnings as they were."""
    out, err = io.StringIO(), err or io.StringIO()
    code: Any = 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    command = mock.patch.object(sys, "argv", ["cifarmlp", *args])
    try:
        with chdir(cwd), redirect_stdout(out), redirect_stderr(err), command, warnings.catch_warnings():
            main.main()
    except SystemExit as end:
        code = end.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code or 0, out.getvalue(), err.getvalue())


@contextmanager
def held(
    place: Path, at: str, *args: str, processes: int = 1, script: Path = HELD
) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own that waits `at` some place, see held.py; killed in the end.

    script: what the process runs, if not held.py itself.
    """
    for path in [*place.glob("held-*"), *place.glob("heard-*"), *place.glob("go")]:
        path.unlink()
    command, environment = [sys.executable, str(script), *args], {**os.environ, "HOLD": at}
    pipe = subprocess.PIPE
    with subprocess.Popen(  # in a group of its own, as by a shell: a Ctrl-C goes to all of a group
        command, cwd=place, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            until(lambda: len(list(place.glob("held-*"))) >= processes, process)
            yield process
        finally:
            process.kill()


def until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until `what()`; fails where the process ends before, or after two minutes."""
    deadline = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
