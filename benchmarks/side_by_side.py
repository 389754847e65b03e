"""Contenders side by side: processes that measure a block when told, and only then, in turn, several rounds.

What else the machine does then falls on all alike, and no contender's threads stand in another's way.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cifarmlp.training.bench import Block
from cifarmlp.training.machine import describe_machine

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Builds = dict[str, Callable[[], Block]]
Contender = Callable[[int], Builds]  # for so many threads: how to build each block, by name


@dataclass
class Result:
    """What one block of one contender took: seconds per step in each process, a list a round; or why not."""

    contender: str
    block: str
    processes: int
    threads: int
    note: str | None = None
    seconds: list[list[float]] = field(default_factory=list)

    def steps_per_second(self) -> list[float]:
        """Of all processes together, a number a round."""
        return [sum(1 / each for each in together) for together in self.seconds]


class Group:
    """Processes of one contender, each with its own cores, that measure a block at the same time."""

    def __init__(self, script: str, contender: str, processes: int, threads: int) -> None:
        self.workers = [_start(script, contender, n, threads) for n in range(processes)]
        answers = [_answer(worker) for worker in self.workers]
        self.results = [
            Result(contender, block, processes, threads, note) for block, note in answers[0].items()
        ]

    def measure(self, result: Result, seconds: float) -> None:
        """One block, in all processes; appended to its result."""
        for worker in self.workers:
            print(json.dumps([result.block, seconds]), file=worker.stdin, flush=True)
        result.seconds.append([_answer(worker) for worker in self.workers])

    def close(self) -> None:
        """Let the processes end."""
        for worker in self.workers:
            worker.stdin.close()
            worker.wait()


def _start(script: str, contender: str, number: int, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, script, "--worker", contender, "--threads", str(threads)]
    env = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    pin = None
    if sys.platform == "linux":  # before anything is imported: thread pools are as large as what they find
        own = sorted(os.sched_getaffinity(0))[number * threads : (number + 1) * threads]
        pin = partial(os.sched_setaffinity, 0, own)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True, preexec_fn=pin)


def _answer(worker: subprocess.Popen[str]) -> Any:
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{' '.join(worker.args)} ended with code {worker.wait()}")
    return json.loads(line)


def serve(contender: Contender, threads: int) -> None:
    """What a worker does: builds every block, then measures those that it is told to, line by line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    blocks, notes = _build(contender, threads)
    print(json.dumps(notes), file=answers)
    for line in sys.stdin:
        name, seconds = json.loads(line)
        print(blocks[name](seconds), file=answers)


def _build(contender: Contender, threads: int) -> tuple[dict[str, Block], dict[str, str | None]]:
    blocks: dict[str, Block] = {}
    notes: dict[str, str | None] = {}
    try:
        builds = contender(threads)
    except ImportError:
        return {}, {"": "not installed"}
    for name, build in builds.items():
        try:
            blocks[name] = build()
            blocks[name](0)  # compiles
            notes[name] = None
        except Exception as error:  # a compiler may fail in any way; the table says so
            notes[name] = f"failed: {type(error).__name__}: {str(error).strip()[:60]}"
    return blocks, notes


def measure(
    script: str, arrangements: list[tuple[str, int, int]], rounds: int, seconds: float
) -> list[Result]:
    """All blocks of the contenders' arrangements (name, processes, threads), in turn, `rounds` times."""
    groups = []
    for arrangement in arrangements:
        print("building", *arrangement, file=sys.stderr)
        groups.append(Group(script, *arrangement))
    for number in range(rounds):
        print("round", number + 1, "of", rounds, file=sys.stderr)
        for group, result in ((g, r) for g in groups for r in g.results if r.note is None):
            group.measure(result, seconds)
            time.sleep(0.05)  # threads that wait for work in a loop soon give up
    for group in groups:
        group.close()
    return [result for group in groups for result in group.results]


def footer() -> dict[str, str]:
    """Versions, machine and date."""
    versions = {"python": platform.python_version()}
    for name in ("cifarmlp", "numpy", "torch", "jax", "scikit-learn"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "checkout" if name == "cifarmlp" else "not installed"
    return {**versions, "machine": describe_machine(), "date": time.strftime("%Y-%m-%d")}


def main(
    script: str,
    contenders: dict[str, Contender],
    arrangements: list[tuple[str, int, int]],
    table: Callable[[list[Result]], str],
) -> None:
    """Command line of a benchmark, and of its workers."""
    parser = argparse.ArgumentParser(description=table.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each block in each round")
    parser.add_argument("--only", nargs="+", choices=list(contenders), default=list(contenders))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(contenders[options.worker], options.threads)
        return
    wanted = [each for each in arrangements if each[0] in options.only]
    results = measure(script, wanted, options.rounds, options.seconds)
    print(table(results), "", ", ".join(" ".join(each) for each in footer().items()), sep="\n")
    if options.json:
        everything = {"environment": footer(), "results": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
