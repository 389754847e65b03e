"""One seam for work side by side: this process, a pool of processes, or a Dask cluster.

How many BLAS threads each of them uses is the caller's business.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from cifarmlp.parallel.cluster import connect, map_on_cluster, size
from cifarmlp.parallel.processes import map_in_processes
from cifarmlp.parallel.retry import TRIES, Item, Lost, Result, attempt, throttle

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Lost", "connect", "map_unordered", "size"]


def map_unordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int = 1,
    *,
    cluster: "Client | None" = None,
    stop: Callable[[], int] = lambda: 0,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Each item with function(item), as they end; they are begun in the order given.

    One job works here and in order, several in as many processes, a cluster wherever it likes. An item whose
    worker dies, or that raises MemoryError, is tried once more and then Lost. What else the function raises
    goes up, and ends the others. Once `stop` says so, no further item is begun: those that run in processes
    are waited for, as they have their own signals, and those on a cluster are let go. `tick` is called about
    once a second while this waits. Raises CifarmlpError where the cluster is gone for good.
    """
    tick = throttle(tick, 1)
    if cluster is not None:
        return map_on_cluster(cluster, function, items, stop, tick)
    if jobs > 1:
        return map_in_processes(function, items, jobs, stop, tick)
    return _map_here(function, items, stop, tick)


def _map_here(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    stop: Callable[[], int],
    tick: Callable[[], None],
) -> Iterator[tuple[Item, Result | Lost]]:
    for item in items:
        for _ in range(TRIES):
            if stop():
                return
            answer = attempt(function, item)
            tick()
            if not isinstance(answer, Lost):
                break
        yield item, answer
