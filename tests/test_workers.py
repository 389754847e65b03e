"""Work side by side where workers die, fail and are stopped: in this process and in a pool of processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import chores
import pytest

from cifarmlp.workers import Lost, map_unordered

ALONE_AND_SEVERAL = pytest.mark.parametrize("jobs", [1, 2])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def _no_process_is_left():
    yield
    assert multiprocessing.active_children() == []


def numbered(log: Path, count: int) -> list[tuple[Path, int]]:
    return [(log, number) for number in range(count)]


def runs(pid: int | str) -> bool:
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""  # which a zombie's is


def numbers(pairs) -> dict[int, object]:
    return {item[1]: result for item, result in pairs}


def test_one_job_works_here_and_in_order():
    pairs = list(map_unordered(chores.own_process, [3, 1, 2]))
    assert pairs == [(3, os.getpid()), (1, os.getpid()), (2, os.getpid())]


def test_several_jobs_work_in_so_many_processes():
    pairs = dict(map_unordered(chores.own_process, range(8), jobs=2))
    assert set(pairs) == set(range(8))
    assert len(set(pairs.values())) == 2
    assert os.getpid() not in pairs.values()


def test_there_are_no_more_processes_than_items():
    seen = []
    pairs = map_unordered(chores.own_process, [1, 2], jobs=5)
    for _ in pairs:
        seen.append(len(multiprocessing.active_children()))
    assert seen == [2, 2]


@ALONE_AND_SEVERAL
def test_no_items_are_no_work(jobs):
    assert list(map_unordered(chores.double, [], jobs)) == []


@ALONE_AND_SEVERAL
def test_items_are_begun_in_the_order_given(jobs, log):
    list(map_unordered(chores.quickly, numbered(log, 20), jobs))
    begun = [number for number in chores.noted(log) if number >= jobs]  # the first ones wait for a start
    assert all(abs(place - number) < jobs for place, number in enumerate(begun, jobs))


def test_an_item_whose_worker_died_is_tried_again(log):
    pairs = numbers(map_unordered(chores.dies_once, numbered(log, 4), jobs=2))
    assert pairs == {0: 0, 1: 1, 2: 2, 3: 3}
    assert sorted(chores.noted(log)) == [0, 1, 1, 2, 3]


def test_an_item_whose_workers_always_die_is_lost_and_the_others_are_done(log):
    pairs = numbers(map_unordered(chores.dies_always, numbered(log, 6), jobs=2))
    lost = Lost("its worker was killed by signal 9")
    assert pairs == {0: lost, 1: lost, 2: 2, 3: 3, 4: 4, 5: 5}
    assert sorted(chores.noted(log)) == [0, 0, 1, 1, 2, 3, 4, 5]


@ALONE_AND_SEVERAL
def test_an_item_that_ran_out_of_memory_is_tried_again(jobs, log):
    pairs = numbers(map_unordered(chores.forgets_once, numbered(log, 3), jobs))
    assert pairs == {0: 0, 1: 1, 2: 2}


@ALONE_AND_SEVERAL
def test_an_item_that_always_runs_out_of_memory_is_lost(jobs, log):
    pairs = numbers(map_unordered(chores.forgets_always, numbered(log, 3), jobs))
    assert pairs == {0: 0, 1: Lost("it ran out of memory"), 2: 2}
    assert sorted(chores.noted(log)) == [0, 1, 1, 2]


def test_what_the_function_raises_goes_up_and_ends_the_others(log):
    started = time.monotonic()
    with pytest.raises(ValueError, match="one is not liked") as caught:
        list(map_unordered(chores.fails, numbered(log, 4), jobs=2))
    assert "in fails" in "".join(caught.value.__notes__)  # where it was raised, over there
    assert time.monotonic() - started < 10
    assert set(chores.noted(log)) == {0, 1}


def test_what_the_function_raises_goes_up_from_this_process(log):
    with pytest.raises(ValueError, match="one is not liked"):
        list(map_unordered(chores.fails, [(log, 1)]))


def test_an_error_that_cannot_be_sent_goes_up_as_its_text():
    with pytest.raises(RuntimeError, match="Unsendable: here and there"):
        list(map_unordered(chores.fails_unsendably, [1, 2], jobs=2))


def test_a_result_that_cannot_be_sent_goes_up():
    with pytest.raises((AttributeError, TypeError, ValueError), match="lambda"):
        list(map_unordered(chores.returns_what_cannot_be_sent, [1, 2], jobs=2))


def test_a_worker_that_is_killed_while_idle_takes_nothing_with_it(log):
    pairs = map_unordered(chores.quickly, numbered(log, 8), jobs=2)
    first = next(pairs)
    time.sleep(1)  # both have ended what they had, and wait
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert numbers([first, *pairs]) == {number: number for number in range(8)}
    assert sorted(chores.noted(log)) == list(range(8))  # none was tried twice


def test_an_iteration_that_is_left_early_leaves_no_processes(log):
    started = time.monotonic()
    for _ in map_unordered(chores.slowly, numbered(log, 4), jobs=2):
        pids = [process.pid for process in multiprocessing.active_children()]
        break
    assert time.monotonic() - started < 10
    assert len(pids) == 2
    assert not any(runs(pid) for pid in pids)


@ALONE_AND_SEVERAL
def test_once_told_to_stop_no_item_is_begun_and_those_that_run_are_waited_for(jobs, log):
    pairs = map_unordered(
        chores.in_a_second, numbered(log, 6), jobs, stop=lambda: len(chores.noted(log)) >= 2
    )
    assert set(numbers(pairs)) == {0, 1} == set(chores.noted(log))


def test_workers_that_die_once_told_to_stop_are_no_fault(log):
    stopped = []

    def interrupt():
        while len(chores.noted(log)) < 2:
            time.sleep(0.05)
        stopped.append(15)
        for process in multiprocessing.active_children():
            process.terminate()

    thread = threading.Thread(target=interrupt)
    thread.start()
    items = [(log, number) for number in (1, 2, 3)]
    assert list(map_unordered(chores.slowly, items, jobs=2, stop=lambda: len(stopped))) == []
    thread.join()
    assert sorted(chores.noted(log)) == [1, 2]


def test_the_caller_hears_a_tick_a_second(log):
    ticks = []
    started = time.monotonic()
    list(map_unordered(chores.in_a_second, numbered(log, 8), jobs=2, tick=lambda: ticks.append(0)))
    assert len(ticks) == pytest.approx(time.monotonic() - started, abs=2)
    assert len(ticks) >= 3


def test_a_worker_that_was_being_started_gets_no_item_once_told_to_stop(log):
    told = iter([0])
    assert list(map_unordered(chores.quickly, numbered(log, 4), jobs=2, stop=lambda: next(told, 15))) == []
    assert chores.noted(log) == []


SCRIPT = """
import sys, time
from pathlib import Path
import chores
from cifarmlp import interrupts, workers
log = Path(sys.argv[1])
if __name__ == "__main__":
    stop = interrupts.watch_signals()
    list(workers.map_unordered(chores.slowly, [(log, number) for number in (1, 2, 3)], jobs=2, stop=stop))
elif "slow start" in sys.argv:
    chores.note(log)
    time.sleep(5)
"""


def script(log: Path, *args: str) -> subprocess.Popen[str]:
    """A program that has two items of a minute done in two processes, once it is so far."""
    path = log.with_name("script.py")
    path.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, path, log, *args],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(chores.noted(log)) < 2 and process.poll() is None:
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
    assert parent.returncode == 0
    assert time.monotonic() - started < 3
