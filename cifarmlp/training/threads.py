"""Number of threads: as many as are worth it, and never so that a result changes.

OpenBLAS's threads wait for each other by spinning. That is fastest on idle cores; but where another process
wants a core too, each product may wait for a time slice, and a step takes up to twenty times as long.
"""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from threadpoolctl import ThreadpoolController

from cifarmlp.nn.products import add_product, multiply
from cifarmlp.nn.second import use_second_thread
from cifarmlp.nn.types import Float
from cifarmlp.parallel.cores import cores

MOST = 2  # threads that products as narrow as a report's network were measured to use well
SHARED = 0.85  # share of the processors' time below which another process must have had the rest


VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS")


class BlasThreads:
    """A number of BLAS threads: `fixed`, or adapted between epochs to the load of the machine.

    The environment may allow fewer, as by OPENBLAS_NUM_THREADS=1.

    It is adapted only if one thread and several give the same bits in all products of this network. If they
    do not, BLAS has one, and a thread of our own takes halves of large products, see `nn.second`.
    """

    def __init__(self, fixed: int | None, sizes: Sequence[int], batch: int, chunk: int) -> None:
        """sizes: [in, hidden..., out]; batch, chunk: images a step and at a time in an evaluation."""
        self.controller = ThreadpoolController()
        self.most = fixed or min(MOST, cores(), _allowed())
        products = _products(sizes, batch, chunk)
        use_second_thread(False)
        with self.controller.limit(limits=1):
            alone = [product() for product in products]
        with self.controller.limit(limits=max(self.most, min(MOST, cores()))):
            self.same_bits = _are_alike(alone, products)
        is_free = fixed is None and self.most > 1
        self.adapts = is_free and self.same_bits
        self._use(self.most if fixed or self.adapts else 1)
        if is_free and not self.adapts:
            use_second_thread(True)
            use_second_thread(_are_alike(alone, products))

    def adapt(self) -> None:
        """Use one thread while the cores are shared and all while they are idle; call it now and then."""
        if not self.adapts:
            return
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        if self.count > 1 and cpu < SHARED * self.count * wall:
            self._use(1)
        elif self.count == 1 and _are_cores_idle():
            self._use(self.most)
        else:
            self._use(self.count)

    def _use(self, count: int) -> None:
        self.count = count
        self.controller.limit(limits=count)
        self.cpu, self.wall = time.process_time(), time.perf_counter()


def _are_alike(results: Sequence[Float], products: Sequence[Callable[[], Float]]) -> bool:
    """Return whether the products still have these results; none is made after one that has not."""
    return all(np.array_equal(a, product()) for a, product in zip(results, products, strict=True))


def _allowed() -> int:
    """Return the most threads that the environment's variables allow; those not set allow all."""
    numbers = [int(text) for name in VARIABLES if (text := os.environ.get(name, "")).isdecimal()]
    return min((number for number in numbers if number > 0), default=MOST)


def _are_cores_idle() -> bool:
    # Windows has no load average: one thread stays one
    return hasattr(os, "getloadavg") and os.getloadavg()[0] < cores() - 0.5


def _products(sizes: Sequence[int], batch: int, chunk: int) -> list[Callable[[], Float]]:
    """Return the products of a network on random numbers: of steps, and of evaluations."""
    rng, products = np.random.default_rng(0), list[Callable[[], Float]]()
    for fan_in, fan_out in itertools.pairwise(sizes):
        shapes = ((max(batch, chunk), fan_in), (fan_in, fan_out), (batch, fan_out))
        x, w, s = (rng.standard_normal(shape, np.float32) for shape in shapes)
        pairs = [(x[:batch], w), (s, w.T), (x[:chunk], w)]
        products += [partial(_multiply, *pair) for pair in pairs]
        products += [partial(np.matmul, x[:batch, 0], s), partial(_add, w, x[:batch], s)]
    return products


def _multiply(x: Float, W: Float) -> Float:
    out = np.empty((1, len(x), W.shape[1]), x.dtype)
    multiply(x[None], W[None], out)
    return out


def _add(C: Float, a: Float, b: Float) -> Float:
    C = C.copy()
    add_product(C, a, b, -1)
    return C
