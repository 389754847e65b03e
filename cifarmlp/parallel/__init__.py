"""One function over many items: in this process, in several, or on a Dask cluster.

    items -> map_unordered -> this process, a pool of processes, or Dask -> (item, result or Lost)

An item whose worker dies is tried once more. Rank 2: may import the ground (errors, text, stats, files); the
packages from training upwards use it. Begin reading with map.py.
"""

from cifarmlp.parallel.client import connect, size
from cifarmlp.parallel.cluster import worker_folder
from cifarmlp.parallel.cores import cores
from cifarmlp.parallel.map import map_unordered
from cifarmlp.parallel.retry import Lost

__all__ = ["Lost", "connect", "cores", "map_unordered", "size", "worker_folder"]
