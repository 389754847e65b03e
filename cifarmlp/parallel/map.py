"""Map a function over items in this process, a pool of processes, or on a Dask cluster.

The caller sets how many BLAS threads each of them uses.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from cifarmlp.parallel.cluster import map_on_cluster
from cifarmlp.parallel.processes import map_in_processes
from cifarmlp.parallel.retry import TRIES, Item, Lost, Result, attempt, throttle

if TYPE_CHECKING:
    from distributed import Client


def map_unordered(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int = 1,
    *,
    cluster: "Client | None" = None,
    stop: Callable[[], int] = lambda: 0,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Item, Result | Lost]]:
    """Yield (item, function(item)) as items end; they begin in the order given.

    One job works in this process and in order, several in as many processes, a cluster on its workers. The
    result is Lost where the item's worker died, or it raised MemoryError, twice. Another exception of the
    function is raised here, and ends the other items. Once `stop` returns non-zero no item begins; the
    others are waited for, on a cluster for some seconds: they see the signal, too, by `watch_signals`. `tick`
    is called about once a second meanwhile. Raises ClusterError where the cluster is gone for good.
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
