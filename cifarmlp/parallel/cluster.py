"""Map a function on a Dask cluster, whose scheduler passes the items of a dead worker to others."""

import asyncio
import logging
import queue
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cifarmlp import __version__
from cifarmlp.errors import CifarmlpError, ConfigError
from cifarmlp.parallel.retry import TRIES, Item, Lost, Result, attempt, throttle

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT = 4.0  # seconds for the scheduler to answer, and again for a first worker to be there
POLL = 0.25  # seconds after which `stop` is looked at again
GATHER = 10.0  # seconds for a result to come over, where it still exists
PATIENCE = 300.0  # seconds that a cluster may be without workers before that is an error
NOISY = ["distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application", "asyncio"]


def connect(address: str) -> "Client":
    """Return a client of the Dask scheduler at `address`, after checking that its workers match this process.

    Raises ConfigError where Dask is not installed, the address is malformed, no scheduler answers, it has no
    workers, or one of them has another version of Python, NumPy or cifarmlp.
    """
    _greet(address)
    from distributed import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about versions: those that matter are compared below
        client = Client(address, timeout=CONNECT, set_as_default=False)
    try:
        _check_workers(client)
    except BaseException:
        client.close()
        raise
    return client


def size(cluster: "Client") -> int:
    """Number of items that the cluster works on at a time."""
    return sum(cluster.nthreads().values())


def versions() -> dict[str, str]:
    """Versions in the calling process of all that decides the bits of a result."""
    return {"Python": _minor(sys.version), "NumPy": np.__version__, "cifarmlp": __version__}


def map_on_cluster(
    cluster: "Client",
    function: Callable[[Item], Result],
    items: Sequence[Item],
    stop: Callable[[], int],
    tick: Callable[[], None],
) -> Iterator[tuple[Item, Result | Lost]]:
    """Map on a Dask cluster, as described at `map_unordered`.

    Tasks still running when the iterator closes continue there; their results are dropped.

    Raises CifarmlpError where the scheduler is lost, or there was no worker for PATIENCE seconds.
    """
    ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    running: dict[Future[Any], tuple[int, int]] = {}
    look = throttle(_patience(cluster), 1)

    def begin(place: int, tries: int) -> None:
        future = cluster.submit(partial(_work, function), items[place], pure=False, priority=-place)
        running[future] = place, tries
        future.add_done_callback(ended.put)

    try:
        for place in range(len(items)):
            begin(place, 1)
        while running and not stop():
            tick()
            look()
            for future, answer in _wait_for_one(ended):
                place, tries = running.pop(future)
                if isinstance(answer, Lost) and tries < TRIES:
                    begin(place, tries + 1)
                else:
                    yield items[place], answer
    finally:
        for future in running:
            future.release()


def _work(function: Callable[[Item], Result], item: Item) -> Result | Lost:
    """Call `attempt` in a worker, which says in an error of ours that it is its own."""
    from distributed import get_worker

    try:
        return attempt(function, item)
    except CifarmlpError as error:
        raise type(error)(f"the worker at {get_worker().address}: {error}") from error


def _wait_for_one(ended: "queue.SimpleQueue[Future[Any]]") -> "list[tuple[Future[Any], Any]]":
    """Wait for one finished task and return it with its result; empty if none finished in POLL seconds.

    Raises what the function raised, and CifarmlpError where the scheduler is lost.
    """
    from distributed import CancelledError, KilledWorker

    try:
        future = ended.get(timeout=POLL)
    except queue.Empty:
        return []
    try:
        return [(future, future.result(timeout=GATHER if future.done() else POLL))]
    except KilledWorker as error:
        return [(future, Lost(f"{error.allowed_failures + 1} workers died over it"))]
    except (CancelledError, OSError) as error:
        if future.status == "error":
            raise  # the exception is the function's
        if future.status == "cancelled":
            raise CifarmlpError("the Dask scheduler was lost; see there whether it runs") from error
        future.add_done_callback(ended.put)  # its worker died with the result: another computes it again
        return []


def _patience(cluster: "Client") -> Callable[[], None]:
    """Return a check that raises CifarmlpError once the cluster was without workers for PATIENCE seconds."""
    since: float | None = None

    def look() -> None:
        nonlocal since
        since = None if _has_workers(cluster) else since or time.monotonic()
        if since and time.monotonic() - since > PATIENCE:
            raise CifarmlpError("the Dask cluster has had no workers for some minutes; start some there")

    return look


def _has_workers(cluster: "Client") -> bool:
    try:
        return bool(cluster.sync(cluster.scheduler.ncores, callback_timeout=1))
    except OSError:
        return False


def _greet(address: str) -> None:
    # Before there is a Client, which waits for ever where something other than Dask listens.
    try:
        kind = asyncio.run(_kind(address))
    except ImportError as error:
        raise ConfigError("a cluster needs Dask: pip install 'cifarmlp[cluster]'") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{address!r} is no address of a Dask scheduler; give tcp://HOST:PORT") from error
    except Exception as error:
        raise ConfigError(f"{address}: no Dask scheduler answers; start one there: dask scheduler") from error
    if kind != "Scheduler":
        raise ConfigError(f"{address}: a Dask {kind.lower()} answers; give the address of its scheduler")


async def _kind(address: str) -> str:
    from distributed import Security, rpc

    for name in NOISY:  # errors of ours replace their messages
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    security = Security().get_connection_args("client")
    async with asyncio.timeout(CONNECT), rpc(address, connection_args=security) as server:
        return str((await server.identity())["type"])


def _check_workers(client: "Client") -> None:
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError as error:
        raise ConfigError(f"{address}: no workers there; start some with: dask worker {address}") from error
    known = client.get_versions()  # Python's first: another version may not even load our code
    for where, there in {"the scheduler": known["scheduler"], **known["workers"]}.items():
        _compare(where, {"Python": _minor(there["host"]["python"])})
    for where, answer in [_ask_scheduler(client), *client.run(versions, on_error="return").items()]:
        if isinstance(answer, Exception):
            raise ConfigError(f"{where} cannot load cifarmlp {__version__} ({answer}); install it there")
        _compare(where, answer)


def _ask_scheduler(client: "Client") -> tuple[str, dict[str, str] | Exception]:
    try:
        return "the scheduler", client.run_on_scheduler(versions)
    except Exception as error:
        return "the scheduler", error


def _compare(where: str, there: dict[str, str]) -> None:
    here = versions()
    for name, version in there.items():
        if version != here[name]:
            raise ConfigError(
                f"{where} has {name} {version} but this process {here[name]}, and results would differ; "
                f"install {name} {here[name]} there"
            )


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])
