"""One seam for work side by side: this process, or a pool of processes with one BLAS thread each."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import TypeVar

from cifarmlp.errors import CifarmlpError

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_unordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int = 1,
    stop: Callable[[], int] = lambda: 0,
) -> Iterator[Result]:
    """function(item) for each item, as they end: here and in order for one job, else in `jobs` processes.

    Once `stop` says so, no further item is begun. Raises CifarmlpError where a worker died by itself.
    """
    if jobs == 1:
        for item in items:
            if not stop():
                yield function(item)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(items)), context, _end_with_parent) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in as_completed(futures):
                if not future.cancelled():
                    yield future.result()
                if stop():
                    pool.shutdown(wait=False, cancel_futures=True)
        except BrokenProcessPool as error:
            if not stop():  # else it was still starting when we ended it
                raise CifarmlpError("a worker was killed or ran out of memory; try fewer --jobs") from error


def _end_with_parent() -> None:
    # a pool's workers outlive a parent that was killed, and wait for more work for ever
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
