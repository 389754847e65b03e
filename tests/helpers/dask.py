"""A Dask cluster of real processes on the loopback interface."""

import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

from distributed import Client

from helpers.command import TESTS


class Dask:
    """A scheduler and its workers, in processes that log to a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.workers = folder, []
        self.scheduler = self.start(
            "scheduler", "--port", "0", "--scheduler-file", "scheduler.json", "--idle-timeout", "600"
        )
        while not (text := self.file.read_text() if self.file.exists() else ""):
            time.sleep(0.05)
        self.address = json.loads(text)["address"]

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    def start(self, kind: str, *args: str, path: Path = TESTS) -> subprocess.Popen[bytes]:
        common = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        one_death = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *common, *args],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": f"{path}:{TESTS}", one_death: "1"},
                stderr=log,
            )

    def add_workers(self, count: int, *args: str, path: Path = TESTS) -> None:
        command = [self.address, "--nthreads", "1", "--no-nanny", "--death-timeout", "240", *args]
        self.workers += [self.start("worker", *command, path=path) for _ in range(count)]
        with warnings.catch_warnings(), Client(self.address, set_as_default=False) as client:
            warnings.simplefilter("ignore")
            client.wait_for_workers(len(self.workers), timeout=240)

    def kill_worker(self) -> None:
        worker = self.workers.pop(0)
        worker.kill()  # by signal 9
        worker.wait()

    def end(self) -> None:
        while self.workers:
            self.kill_worker()
        self.scheduler.kill()
        self.scheduler.wait()
