"""Map a function on a Dask cluster, whose scheduler passes the items of a dead worker to others."""

import queue
import secrets
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from cifarmlp.errors import CifarmlpError, ClusterError
from cifarmlp.parallel.retry import TRIES, Item, Lost, Result, attempt, throttle
from cifarmlp.parallel.signals import heed

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

POLL = 0.25  # seconds after which `stop` is looked at again
GATHER = 60.0  # seconds for a result to come over, where it still exists
GRACE = 30.0  # seconds for the workers to return what they have of their items after a signal
PATIENCE = 300.0  # seconds that a cluster may be without workers before that is an error

_signalled: set[str] = set()  # in a worker: names of the maps whose process has received a signal


def map_on_cluster(
    cluster: "Client",
    function: Callable[[Item], Result],
    items: Sequence[Item],
    stop: Callable[[], int],
    tick: Callable[[], None],
) -> Iterator[tuple[Item, Result | Lost]]:
    """Map on a Dask cluster, as described at `map_unordered`.

    Raises ClusterError where the scheduler is lost, or there was no worker for PATIENCE seconds.
    """
    tasks: _Tasks[Item] = _Tasks(cluster, function)
    look = throttle(_patience(cluster), 1)
    try:
        for place, item in enumerate(items):
            tasks.begin(_Task(item, place))
        while tasks.running and not stop():
            tick()
            look()
            for task, answer in tasks.answers():
                if isinstance(answer, Lost) and task.tries < TRIES:
                    tasks.begin(replace(task, tries=task.tries + 1))
                else:
                    yield task.item, answer
        for task, answer in tasks.interrupt():
            yield task.item, answer
    finally:
        tasks.release([*tasks.running])


@dataclass(frozen=True)
class _Task(Generic[Item]):
    item: Item
    place: int  # among the items
    tries: int = 1


class _Tasks(Generic[Item]):
    """The tasks of a map that have not ended."""

    def __init__(self, cluster: "Client", function: Callable[[Item], Any]) -> None:
        self.cluster, self.function, self.name = cluster, function, secrets.token_hex(8)
        self.running: dict[Future[Any], _Task[Item]] = {}
        self.ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def begin(self, task: _Task[Item]) -> None:
        """Submit a task; those of lower places come first."""
        work = partial(_work, self.function, self.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an item that is large
            future = self.cluster.submit(work, task.item, pure=False, priority=-task.place)
        self.running[future] = task
        future.add_done_callback(self.ended.put)

    def release(self, futures: "Iterable[Future[Any]]") -> None:
        """Forget tasks: those not begun never will be, the others are told, and their answers dropped."""
        for future in futures:
            del self.running[future]
            future.release()

    def answers(self) -> Iterator[tuple[_Task[Item], Any]]:
        """Yield the task that ends next with its answer; none if that takes more than POLL seconds.

        Raises what the function raised, and ClusterError where the scheduler is lost.
        """
        try:
            future = self.ended.get(timeout=POLL)
        except queue.Empty:
            return
        if future not in self.running:  # released
            return
        if answer := _answer(future):
            yield self.running.pop(future), answer[0]
        else:
            future.add_done_callback(self.ended.put)

    def interrupt(self) -> Iterator[tuple[_Task[Item], Any]]:
        """Tell the workers that a signal came; yield the answers that come within GRACE seconds."""
        if not self.running:
            return
        deadline = time.monotonic() + GRACE
        with suppress(OSError):  # of a scheduler that is gone
            begun = {key for keys in self.cluster.processing().values() for key in keys}
            self.release([f for f in self.running if f.key not in begun and not f.done()])
            self.cluster.run(_note_signal, self.name, on_error="ignore")
        while self.running and time.monotonic() < deadline:
            yield from ((task, each) for task, each in self.answers() if not isinstance(each, Lost))


def _answer(future: "Future[Any]") -> tuple[Any, ...]:
    """Return the answer of a task in a tuple; an empty one where its worker died with the answer.

    Another worker works that out again. Raises what the function raised, and ClusterError.
    """
    from distributed import CancelledError, KilledWorker

    try:
        return (future.result(timeout=GATHER if future.done() else POLL),)
    except KilledWorker as error:
        return (Lost(f"{error.allowed_failures + 1} workers died over it"),)
    except (CancelledError, OSError) as error:
        if future.status == "error":
            raise  # the exception is the function's
        if future.status == "cancelled":
            raise ClusterError("the Dask scheduler was lost; see there whether it runs") from error
        return ()


def _work(function: Callable[[Item], Result], name: str, item: Item) -> Result | Lost:
    """Call `attempt` in a worker, which says in an error of ours that it is its own."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def stop() -> int:
        return signal.SIGTERM if name in _signalled or _is_released(worker, key) else 0

    try:
        with heed(stop):
            return attempt(function, item)
    except CifarmlpError as error:
        raise type(error)(f"the worker at {worker.address}: {error}") from error


def _note_signal(name: str) -> None:
    """Note in a worker that the process of a map has received a signal."""
    _signalled.add(name)


def _is_released(worker: "Worker", key: Any) -> bool:
    """Return whether nobody waits for a task any more, as where the client was killed."""
    task = worker.state.tasks.get(key)
    return task is None or task.state == "cancelled"


def worker_folder() -> Path:
    """Return the folder of the Dask worker that this thread works for; it is removed with the worker."""
    from distributed import get_worker

    return Path(get_worker().local_directory)


def _patience(cluster: "Client") -> Callable[[], None]:
    """Return a check that raises ClusterError once the cluster was without workers for PATIENCE seconds."""
    since: float | None = None

    def look() -> None:
        nonlocal since
        since = None if _has_workers(cluster) else since or time.monotonic()
        if since and time.monotonic() - since > PATIENCE:
            raise ClusterError("the Dask cluster has had no workers for some minutes; start some there")

    return look


def _has_workers(cluster: "Client") -> bool:
    try:
        return bool(cluster.sync(cluster.scheduler.ncores, callback_timeout=1))
    except OSError:
        return False
