"""The command line in this process: as good as one of its own, but that it begins at once."""

import io
import signal
import sys
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from cifarmlp import cli


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
            cli.main()
    except SystemExit as end:
        code = end.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code or 0, out.getvalue(), err.getvalue())
