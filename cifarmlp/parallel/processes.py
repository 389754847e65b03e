"""A pool of processes on this machine, in which a process that is killed costs only the item it had.

pebble's pool breaks when a worker is killed that has no item, loky's when any worker is killed.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any, Generic

from cifarmlp.parallel.retry import TRIES, Item, Lost, Result, attempt

POLL = 0.25  # seconds after which `stop` is looked at again
GRACE = 2.0  # seconds that a worker has to end by itself before it is killed

if sys.platform == "win32":
    Pipe = connection.PipeConnection
else:
    Pipe = connection.Connection


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    pipe: Pipe


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    stop: Callable[[], int],
    tick: Callable[[], None],
) -> Iterator[tuple[Item, Result | Lost]]:
    """Map in processes, as described at `map_unordered`; they end with the iterator, however that ends."""
    waiting = deque((item, 1) for item in items)
    ended: list[tuple[Item, Result | Lost]] = []
    crew: _Crew[Item] = _Crew(function)
    try:
        while True:
            _hand_out(waiting, crew, jobs, stop)
            yield from ended  # after new work was given out, as the caller may take long
            if not crew.busy:
                return
            ended = list(_take_in(waiting, crew, stop))
            tick()
    finally:
        crew.end()


def _hand_out(
    waiting: deque[tuple[Item, int]], crew: "_Crew[Item]", jobs: int, stop: Callable[[], int]
) -> None:
    while waiting and len(crew.busy) < jobs and not stop():
        worker = crew.free_worker()
        if not stop():  # a signal during its start did not reach it
            crew.give(worker, *waiting.popleft())


def _take_in(
    waiting: deque[tuple[Item, int]], crew: "_Crew[Item]", stop: Callable[[], int]
) -> Iterator[tuple[Item, Any]]:
    for item, tries, answer in crew.answers():
        if isinstance(answer, Lost) and (tries < TRIES or stop()):
            waiting.append((item, tries + 1))
        else:
            yield item, answer


class _Crew(Generic[Item]):
    """Workers, free or busy with an item."""

    def __init__(self, function: Callable[[Item], Any]) -> None:
        self.function = function
        self.free: list[_Worker] = []
        self.busy: dict[Pipe, tuple[_Worker, Item, int]] = {}

    def free_worker(self) -> _Worker:
        """Return a free worker that lives, a new one where there is none."""
        while self.free and self.free[-1].pipe.poll():  # a free worker sends nothing: its pipe has ended
            self.free.pop().process.join()
        if not self.free:
            self.free.append(_start())
        return self.free[-1]

    def give(self, worker: _Worker, item: Item, tries: int) -> None:
        """Send a free worker an item."""
        self.free.remove(worker)
        self.busy[worker.pipe] = worker, item, tries
        data = pickle.dumps((self.function, item))
        with suppress(OSError):  # it has just died, which `answers` will notice
            worker.pipe.send_bytes(data)

    def answers(self) -> Iterator[tuple[Item, int, Any]]:
        """Yield the items that end within POLL seconds. Raises what the function raised."""
        for pipe in connection.wait(list(self.busy), POLL):
            assert isinstance(pipe, Pipe)
            worker, item, tries = self.busy.pop(pipe)
            self.free.append(worker)
            yield item, tries, _answer(worker)

    def end(self) -> None:
        """End all workers: the free ones by closing their pipes, the busy ones by SIGTERM, then SIGKILL."""
        busy = [worker for worker, _, _ in self.busy.values()]
        for worker in busy:
            worker.process.terminate()
        for worker in [*self.free, *busy]:
            worker.pipe.close()
        deadline = time.monotonic() + GRACE
        for worker in [*self.free, *busy]:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.process.join()


def _start() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    with _interrupt_held_back():
        process.start()
    theirs.close()  # so that the worker's death ends the pipe
    return _Worker(process, ours)


@contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Block SIGINT, here and in what is started: the parent gets a terminal's Ctrl-C, and passes it on.

    Windows cannot; there a worker ignores it until its item takes it over, see `_serve`.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # as its start, within that of a worker, would unblock SIGINT
    former = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _answer(worker: _Worker) -> Any:
    try:
        data = worker.pipe.recv_bytes()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode or 0
        return Lost(
            f"its worker was killed by signal {-code}" if code < 0 else f"its worker ended with {code}"
        )
    answer, error = pickle.loads(data)
    if error is not None:
        raise error
    return answer


def _serve(pipe: Pipe) -> None:
    _end_with_parent()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):  # the parent closed the pipe
        while True:
            pipe.send_bytes(_work(pipe.recv_bytes()))


def _work(data: bytes) -> bytes:
    try:
        return pickle.dumps((attempt(*pickle.loads(data)), None))
    except BaseException as error:
        return pickle.dumps((None, _sendable(error)))


def _sendable(error: BaseException) -> BaseException:
    """Return the error with its traceback as a note; a RuntimeError of that text where pickle fails on it."""
    text = "".join(traceback.format_exception(error))
    try:
        error.add_note(text)
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(text)


def _end_with_parent() -> None:
    # Otherwise a worker outlives a parent that was killed, until its item ends.
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
