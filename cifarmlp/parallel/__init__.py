"""One function over many items: in this process, in several, or on a Dask cluster."""

from cifarmlp.parallel.cluster import connect, size
from cifarmlp.parallel.cores import cores
from cifarmlp.parallel.map import map_unordered
from cifarmlp.parallel.retry import Lost

__all__ = ["Lost", "connect", "cores", "map_unordered", "size"]
