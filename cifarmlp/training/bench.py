"""Speed of the engine on this machine, next to the bare matrix products and the processors' peak.

A step is all that training does: gather 100 uint8 images, standardise, forward, backward, update.
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.synchronize import Barrier

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.data import Images, pixel_statistics
from cifarmlp.nn import SGD, Network, constant, softmax_cross_entropy
from cifarmlp.parallel import cores
from cifarmlp.training.cost import operations_per_step
from cifarmlp.training.loop import Training

SIZES = (3072, 50, 50, 10)
BATCH = 100
IMAGES = 20_000
SQUARE = 1536  # side of the matrices whose product gives the peak
MEMBERS = (1, 4, 8, 10, 16)

Block = Callable[[float], float]  # works for about so many seconds; returns seconds per step


@dataclass(frozen=True)
class Arrangement:
    """`processes` side by side, each with `threads` BLAS threads and `members` networks in lockstep."""

    members: int
    processes: int
    threads: int


Factory = Callable[[int], Block]  # for so many members
Work = tuple[Factory, Arrangement]


@dataclass(frozen=True)
class Row(Arrangement):
    """Measurements of an arrangement. Times are microseconds a step of all members, medians over the rounds.

    trial_steps_per_second: of all members in all processes. products_us: the first layer's two products
    alone. peak_gflops: a large square product's rate in all processes, the best round. of_products:
    products_us / step_us. of_peak: share of the peak that all matrix products of the steps make up.
    """

    step_us: float
    step_us_min: float
    trial_steps_per_second: float
    products_us: float
    peak_gflops: float
    of_products: float
    of_peak: float


def single(n_cores: int) -> list[Arrangement]:
    """Return one network in one process, on 1 to `n_cores` threads, but at most 4: more only slow it down."""
    return [Arrangement(1, 1, threads) for threads in range(1, min(n_cores, 4) + 1)]


def populations(n_cores: int, members: Iterable[int] = MEMBERS) -> list[Arrangement]:
    """Return populations that fill the cores: one process on all of them, and a process for each."""
    shapes = dict.fromkeys([(1, n_cores), (n_cores, 1)])
    return [Arrangement(k, processes, threads) for k in members for processes, threads in shapes]


def measure(arrangements: Sequence[Arrangement], rounds: int = 5, seconds: float = 0.4) -> list[Row]:
    """Measure each arrangement in `rounds` rounds, each block of work for `seconds`; return a row each.

    About a minute for all of `single` and `populations`. Raises ValueError if an arrangement needs more cores
    than there are.
    """
    for each in arrangements:
        if each.processes * each.threads > cores():
            raise ValueError(f"{each.processes} processes x {each.threads} threads on {cores()} cores")
    bench = Bench(arrangements)
    try:
        for _ in range(rounds):
            bench.measure_round(seconds)
    finally:
        bench.close()
    return bench.rows()


class Bench:
    """Arrangements measured in turn, so that the load of other processes falls on all alike."""

    def __init__(self, arrangements: Sequence[Arrangement]) -> None:
        self.works: list[tuple[Work, Work, Work]] = [
            ((steps, each), (products, each), (peak, replace(each, members=1))) for each in arrangements
        ]
        self.times: dict[Work, list[float]] = {work: [] for works in self.works for work in works}
        self.pools = {n: _pool(n) for n in {each.processes for each in arrangements}}

    def measure_round(self, seconds: float) -> None:
        """Measure each block of each arrangement once, for `seconds`."""
        for work, times in self.times.items():
            times.append(self._seconds_per_step(work, seconds))

    def _seconds_per_step(self, work: Work, seconds: float) -> float:
        """All processes at work at the same time: the harmonic mean of theirs."""
        processes = work[1].processes
        futures = [self.pools[processes].submit(_measure_in_worker, *work, seconds) for _ in range(processes)]
        return statistics.harmonic_mean([future.result() for future in futures])

    def rows(self) -> list[Row]:
        """Return a row for each arrangement."""
        return [_row(works[0][1], *(self.times[work] for work in works)) for works in self.works]

    def close(self) -> None:
        """End the processes."""
        for pool in self.pools.values():
            pool.shutdown()


def flops(members: int) -> int:
    """Return the floating-point operations in all matrix products of one step."""
    return members * operations_per_step(SIZES, BATCH)


def _row(each: Arrangement, step: list[float], products: list[float], peak: list[float]) -> Row:
    median, bare = statistics.median(step), statistics.median(products)
    best_rate = each.processes * 2 * SQUARE**3 / min(peak)
    return Row(
        each.members, each.processes, each.threads,
        step_us=1e6 * median,
        step_us_min=1e6 * min(step),
        trial_steps_per_second=each.processes * each.members / median,
        products_us=1e6 * bare,
        peak_gflops=best_rate / 1e9,
        of_products=bare / median,
        of_peak=each.processes * flops(each.members) / median / best_rate,
    )  # fmt: skip


def _pool(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")  # a fork may hang in the BLAS's threads
    return ProcessPoolExecutor(processes, context, _join, (context.Barrier(processes),))


# State of a worker process, which has no other place for it: the barrier where it waits for the others, and
# its blocks, each built once. In the parent process both stay unused.
_barrier: Barrier
_block_of: Callable[[Factory, int], Block] = cache(lambda factory, members: factory(members))


def _join(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _measure_in_worker(factory: Factory, each: Arrangement, seconds: float) -> float:
    with threadpool_limits(each.threads, user_api="blas"):
        block = _block_of(factory, each.members)
        block(0)  # warm
        _barrier.wait(timeout=60)
        return block(seconds)


def steps(members: int, n_images: int = IMAGES) -> Block:
    """Return the block of whole steps, as the commands make them, on random images."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (n_images, SIZES[0]), dtype=np.uint8)
    images = Images(pixels, rng.integers(0, SIZES[-1], n_images, dtype=np.uint8))
    network = Network(SIZES, rng.spawn(members), ["he"] * members, batch_norm=(1e-12, 0.9))
    lam = np.full(members, 0.005, network.dtype)
    training = Training(
        network, SGD(network), softmax_cross_entropy, constant(0.01), lam, images, images,
        *pixel_statistics(pixels), steps=sys.maxsize, batch_size=BATCH,
    )  # fmt: skip

    def block(seconds: float) -> float:
        first, start = training.step, time.perf_counter()
        training.run_until(lambda: training.step > first and time.perf_counter() - start > seconds)
        return (time.perf_counter() - start) / (training.step - first)

    return block


def products(members: int) -> Block:
    """Return the block of the first layer's two products, forward and for the weights' gradient."""
    width = SIZES[1] * members
    shapes = (BATCH, SIZES[0]), (SIZES[0], width), (BATCH, width), (SIZES[0], width)
    x, W, s, dW = (np.ones(shape, np.float32) for shape in shapes)
    return repeated(lambda: (np.matmul(x, W, out=s), np.matmul(x.T, s, out=dW)))


def peak(members: int) -> Block:
    """Return the block of one large square product, the same for any number of members."""
    a, b, out = np.random.default_rng(members).standard_normal((3, SQUARE, SQUARE), np.float32)
    return repeated(lambda: np.matmul(a, b, out=out))


def repeated(call: Callable[[], object], steps_per_call: int = 1) -> Block:
    """Return the block that calls `call`, of so many steps, again and again until the time is over."""

    def block(seconds: float) -> float:
        calls, start = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < seconds:
            call()
            calls += 1
        return (time.perf_counter() - start) / (calls * steps_per_call)

    return block
