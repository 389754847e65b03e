"""map_unordered in this process and in several, where workers die, fail and are stopped."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest
from helpers import tiny, worker_functions
from helpers.command import TESTS
from helpers.worker_functions import numbered, numbers

from cifarmlp.config import find_config, load_config
from cifarmlp.errors import CifarmlpError
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.training import seeds
from cifarmlp.training.outcome import PARTS, QUANTITIES, Outcome

ALONE_AND_SEVERAL = pytest.mark.parametrize("jobs", [1, 2])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    assert multiprocessing.active_children() == []


def runs(pid: int | str) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""  # which a zombie's is


def workers_of(pid: int) -> set[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(each) for each in children if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()}
    except FileNotFoundError:
        return set()


def test_one_job_works_here_and_in_order():
    pairs = list(map_unordered(worker_functions.own_process, [3, 1, 2]))
    assert pairs == [(3, os.getpid()), (1, os.getpid()), (2, os.getpid())]


def test_several_jobs_work_in_so_many_processes():
    pairs = dict(map_unordered(worker_functions.own_process, range(8), jobs=2))
    assert set(pairs) == set(range(8))
    assert len(set(pairs.values())) == 2
    assert os.getpid() not in pairs.values()


def test_there_are_no_more_processes_than_items():
    seen = []
    pairs = map_unordered(worker_functions.own_process, [1, 2], jobs=5)
    for _ in pairs:
        seen.append(len(multiprocessing.active_children()))
    assert seen == [2, 2]


@ALONE_AND_SEVERAL
def test_no_items_are_no_work(jobs):
    assert list(map_unordered(worker_functions.double, [], jobs)) == []


class Noticed:
    """A number that is added to `given` when it goes to a worker."""

    given: ClassVar[list[int]] = []

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        self.given.append(self.number)
        return int, (self.number,)


def test_items_are_begun_in_the_order_given():
    pairs = list(map_unordered(worker_functions.double, [Noticed(number) for number in range(20)], jobs=2))
    assert {item.number: result for item, result in pairs} == {n: 2 * n for n in range(20)}
    assert Noticed.given == list(range(20))


def test_an_item_whose_worker_died_is_tried_again(log):
    pairs = numbers(map_unordered(worker_functions.dies_once, numbered(log, 4), jobs=2))
    assert pairs == {0: 0, 1: 1, 2: 2, 3: 3}
    assert sorted(worker_functions.noted(log)) == [0, 1, 1, 2, 3]


def test_an_item_whose_workers_always_die_is_lost_and_the_others_are_done(log):
    pairs = numbers(map_unordered(worker_functions.dies_always, numbered(log, 6), jobs=2))
    lost = Lost("its worker was killed by signal 9")
    assert pairs == {0: lost, 1: lost, 2: 2, 3: 3, 4: 4, 5: 5}
    assert sorted(worker_functions.noted(log)) == [0, 0, 1, 1, 2, 3, 4, 5]


@ALONE_AND_SEVERAL
@pytest.mark.parametrize(
    ("function", "result"),
    [(worker_functions.forgets_once, 1), (worker_functions.forgets_always, Lost("it ran out of memory"))],
)
def test_an_item_that_ran_out_of_memory_is_tried_twice(jobs, function, result, log):
    assert numbers(map_unordered(function, numbered(log, 3), jobs)) == {0: 0, 1: result, 2: 2}
    assert sorted(worker_functions.noted(log)) == [0, 1, 1, 2]


def test_what_the_function_raises_goes_up_and_ends_the_others(log):
    started = time.monotonic()
    with pytest.raises(ValueError, match="one is not liked") as caught:
        list(map_unordered(worker_functions.fails, numbered(log, 4), jobs=2))
    assert "in fails" in "".join(caught.value.__notes__)  # where it was raised, over there
    assert time.monotonic() - started < 10
    assert set(worker_functions.noted(log)) == {0, 1}


def test_what_the_function_raises_goes_up_from_this_process(log):
    with pytest.raises(ValueError, match="one is not liked"):
        list(map_unordered(worker_functions.fails_at_once, [(log, 1)]))


class Unreadable:
    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


@pytest.mark.parametrize(
    ("function", "item", "errors", "words"),
    [
        (worker_functions.fails_unsendably, 1, RuntimeError, "Unsendable: here and there"),
        (worker_functions.returns_what_cannot_be_sent, 1, (AttributeError, TypeError, ValueError), "lambda"),
        (worker_functions.double, Unreadable(), ValueError, "no number"),
    ],
)
def test_what_cannot_be_sent_between_processes_goes_up(function, item, errors, words):
    with pytest.raises(errors, match=words):
        list(map_unordered(function, [1, item, 3], jobs=2))


def test_a_worker_that_is_killed_while_idle_takes_nothing_with_it(log):
    pairs = map_unordered(worker_functions.quickly, numbered(log, 8), jobs=2)
    first = next(pairs)
    time.sleep(1)  # both have ended what they had, and wait
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert numbers([first, *pairs]) == {number: number for number in range(8)}
    assert sorted(worker_functions.noted(log)) == list(range(8))  # none was tried twice


def test_an_iteration_that_is_left_early_leaves_no_processes(log):
    started = time.monotonic()
    for _ in map_unordered(worker_functions.slowly, numbered(log, 4), jobs=2):
        pids = [process.pid for process in multiprocessing.active_children()]
        break
    assert time.monotonic() - started < 10
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)


def test_those_that_run_when_the_iteration_is_left_may_tidy_up(log):
    for _ in map_unordered(worker_functions.tidies_up, numbered(log, 2), jobs=2):
        break
    assert worker_functions.noted(log) == [1, -1]


@ALONE_AND_SEVERAL
def test_once_told_to_stop_no_item_is_begun_and_those_that_run_are_waited_for(jobs, log):
    pairs = map_unordered(
        worker_functions.in_a_second,
        numbered(log, 6),
        jobs,
        stop=lambda: len(worker_functions.noted(log)) >= 2,
    )
    assert set(numbers(pairs)) == {0, 1} == set(worker_functions.noted(log))


def test_workers_that_die_once_told_to_stop_are_no_fault(log):
    stopped = []

    def interrupt():
        while len(worker_functions.noted(log)) < 4:  # both died once and are tried again
            time.sleep(0.05)
        stopped.append(15)
        for process in multiprocessing.active_children():
            process.terminate()

    thread = threading.Thread(target=interrupt)
    thread.start()
    pairs = map_unordered(
        worker_functions.dies_once_and_then_takes_long, numbered(log, 2), jobs=2, stop=lambda: len(stopped)
    )
    started = time.monotonic()
    assert list(pairs) == []
    assert time.monotonic() - started < 20
    thread.join()
    assert sorted(worker_functions.noted(log)) == [0, 0, 1, 1]


@pytest.mark.slow
def test_the_caller_hears_a_tick_a_second(log):
    ticks = []
    started = time.monotonic()
    list(map_unordered(worker_functions.in_a_second, numbered(log, 8), jobs=2, tick=lambda: ticks.append(0)))
    assert len(ticks) == pytest.approx(time.monotonic() - started, abs=2)
    assert len(ticks) >= 3


def test_a_worker_that_was_being_started_gets_no_item_once_told_to_stop(log):
    signals = iter([0])
    stop = lambda: next(signals, 15)  # noqa: E731
    assert list(map_unordered(worker_functions.quickly, numbered(log, 4), jobs=2, stop=stop)) == []
    assert worker_functions.noted(log) == []


SCRIPT = """
import signal, sys, time
from pathlib import Path
from helpers import worker_functions
from cifarmlp.parallel import map_unordered, signals as stops
log = Path(sys.argv[1])
if __name__ == "__main__":
    stop = stops.watch_signals()
    list(map_unordered(worker_functions.slowly, [(log, number) for number in (1, 2, 3)], jobs=2, stop=stop))
elif "slow start" in sys.argv:
    worker_functions.note(log, int(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    time.sleep(5)
"""


def script(log: Path, *args: str) -> subprocess.Popen[str]:
    """Start a program with two processes and an item of a minute in each; return once both have begun."""
    path = log.with_name("script.py")
    path.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, path, log, *args],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(worker_functions.noted(log)) < 2 and process.poll() is None:
        time.sleep(0.05)
    return process


def test_workers_end_with_a_parent_that_was_killed(log):
    with script(log) as parent:
        parent.kill()
    pids = [line.split()[1] for line in log.read_text().splitlines()]
    time.sleep(1)
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)


def test_ctrl_c_on_a_terminal_ends_workers_that_are_being_started_quietly(log):
    with script(log, "slow start") as parent:
        os.killpg(parent.pid, signal.SIGINT)
        started = time.monotonic()
        assert parent.communicate(timeout=60)[1] == ""
    assert worker_functions.noted(log) == [1, 1]  # that it is blocked, or a traceback might win the race
    assert parent.returncode == 0
    assert time.monotonic() - started < 3


def test_a_seed_that_runs_out_of_memory_is_told_and_the_others_are_summarised(tmp_path, monkeypatch):
    def train(tasks, *args):
        (task,) = tasks
        if task.config.seed == 2:
            raise MemoryError
        metrics = {part: dict.fromkeys(QUANTITIES, 0.5) for part in PARTS}
        return [Outcome("finished", 10, 1.0, 1.0, metrics, task.config.seed)]

    monkeypatch.setattr(seeds, "train_tasks", train)
    seen = []
    three = seeds.claim_repeats(load_config(find_config("quickstart")), 3, tmp_path)
    with pytest.raises(CifarmlpError) as caught:
        seeds.train_seeds(
            [(three, tiny.dataset())], None, ended=lambda task, outcome: seen.append(outcome.seed)
        )
    folder = tmp_path / "quickstart-001"
    assert str(caught.value).startswith("seed 2: given up after two tries: it ran out of memory; ")
    assert str(folder) in str(caught.value)
    assert seen == [1, 3]
    assert json.loads((folder / "summary.json").read_text())["n"] == 2


@pytest.mark.slow  # where it makes the images first
def test_seeds_whose_workers_are_killed_twice_end_the_command_with_one_line(tmp_path):
    args = ["--set", "training.steps=1000000", "--repeats", "2", "--jobs", "2", "--quiet"]
    command = [sys.executable, "-m", "cifarmlp", "train", "quickstart", *args]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as parent:
        while parent.poll() is None:
            for pid in workers_of(parent.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        error = parent.communicate()[1]
    assert parent.returncode == 1
    assert error.startswith(
        "error: seeds 1 and 2: given up after two tries: its worker was killed by signal 9;"
    )
    assert len(error.splitlines()) == 1
