"""Run the command line: in this process, in a process of its own, or in one held at some place."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from cifarmlp.cli.main import main
from helpers import tiny

TESTS = Path(__file__).parents[1]
HELD, SMALL = (Path(__file__).with_name(name) for name in ("held.py", "small.py"))


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Results of a command that was run with --json and succeeded."""
        assert self.code == 0, self.err
        return json.loads(self.out)


def cifarmlp(
    *words: object, cwd: Path | None = None, err: io.StringIO | None = None, on_tiny_images: bool = False
) -> Done:
    """Run a command in this process, and leave its signals and warnings as they were.

    Fails if it shows a traceback. err: where its stderr goes, for a look while it runs.
    """
    out, err = io.StringIO(), err or io.StringIO()
    code: Any = 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    command = mock.patch.object(sys, "argv", ["cifarmlp", *map(str, words)])
    images = mock.patch("cifarmlp.data.load", tiny.dataset) if on_tiny_images else nullcontext()
    try:
        with (
            chdir(cwd or Path.cwd()),
            redirect_stdout(out),
            redirect_stderr(err),
            command,
            images,
            warnings.catch_warnings(),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "Traceback" not in err.getvalue(), err.getvalue()
    return Done(code or 0, out.getvalue(), err.getvalue())


def cifarmlp_process(*words: object, cwd: Path, **options: Any) -> Done:
    """Run a command in a process of its own; options: of `subprocess.run`."""
    command = [sys.executable, "-m", "cifarmlp", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **options)
    return Done(done.returncode, done.stdout, done.stderr)


def with_helpers(**variables: str) -> dict[str, str]:
    """Return environment variables with which a process can import these helpers."""
    return {**os.environ, "PYTHONPATH": str(TESTS), **variables}


@contextmanager
def held(
    place: Path, at: str, *args: str, processes: int = 1, script: Path = HELD
) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process of its own, held `at` a place, see held.py; kill it in the end.

    processes: how many must be held before the test goes on. script: held.py, or one that imports it.
    """
    for path in [*place.glob("held-*"), *place.glob("heard-*"), *place.glob("go")]:
        path.unlink()
    command, environment = [sys.executable, str(script), *args], with_helpers(HOLD=at)
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
    """Wait until `what()` is true. Fails if the process ends before, or after two minutes."""
    deadline = time.monotonic() + 120
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
