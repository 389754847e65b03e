"""How fast the engine is here: whole steps, next to the bare matrix products and the processors' peak.

A step is all that training does: gather 100 uint8 images, standardise, forward, backward, update.
"""

import itertools
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.synchronize import Barrier

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.data import Images, pixel_statistics
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.schedules import constant
from cifarmlp.parallel import cores
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
    """What was measured. Times are microseconds a step of all members, medians over the rounds.

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
    """One network in one process, on 1 to `n_cores` threads, though at most 4: more only slow it down."""
    return [Arrangement(1, 1, threads) for threads in range(1, min(n_cores, 4) + 1)]


def populations(n_cores: int, members: Iterable[int] = MEMBERS) -> list[Arrangement]:
    """Populations that fill the cores: one process on all of them, and a process for each."""
    shapes = dict.fromkeys([(1, n_cores), (n_cores, 1)])
    return [Arrangement(k, processes, threads) for k in members for processes, threads in shapes]


def measure(arrangements: Sequence[Arrangement], rounds: int = 5, seconds: float = 0.4) -> list[Row]:
    """A row for each arrangement: `rounds` times in turn, each work for `seconds`.

    In turn, so that what else the machine does falls on all alike; about a minute for all of `single` and
    `populations`. Raises ValueError where an arrangement asks for more than the cores there are.
    """
    for each in arrangements:
        if each.processes * each.threads > cores():
            raise ValueError(f"{each.processes} processes x {each.threads} threads on {cores()} cores")
    works = [[(steps, a), (products, a), (peak, replace(a, members=1))] for a in arrangements]
    times: dict[Work, list[float]] = {work: [] for of_one in works for work in of_one}
    with ExitStack() as stack:
        pools = {n: stack.enter_context(_pool(n)) for n in {each.processes for each in arrangements}}
        for _ in range(rounds):
            for work, measured in times.items():
                measured.append(_together(pools[work[1].processes], work, seconds))
    return [_row(each, *(times[w] for w in of_one)) for each, of_one in zip(arrangements, works, strict=True)]


def flops(members: int) -> int:
    """Floating-point operations in all matrix products of one step; the first layer has two, others three."""
    first, *others = (i * o for i, o in itertools.pairwise(SIZES))
    return 2 * BATCH * members * (2 * first + 3 * sum(others))


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


def _together(pool: ProcessPoolExecutor, work: Work, seconds: float) -> float:
    """Seconds per step, all processes at work at the same time: the harmonic mean of theirs."""
    futures = [pool.submit(_in_step, *work, seconds) for _ in range(work[1].processes)]
    return statistics.harmonic_mean([future.result() for future in futures])


# In a worker: where it waits for the others, and its blocks, each built once.
_others: Barrier
_built: Callable[[Factory, int], Block] = cache(lambda work, members: work(members))


def _join(barrier: Barrier) -> None:
    global _others
    _others = barrier


def _in_step(work: Factory, each: Arrangement, seconds: float) -> float:
    with threadpool_limits(each.threads, user_api="blas"):
        block = _built(work, each.members)
        block(0)  # warm
        _others.wait(timeout=60)
        return block(seconds)


def steps(members: int, n_images: int = IMAGES) -> Block:
    """Training as the commands do it, on random images."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (n_images, SIZES[0]), dtype=np.uint8)
    images = Images(pixels, rng.integers(0, SIZES[-1], n_images, dtype=np.uint8))
    network = Network(SIZES, rng.spawn(members), ["he"] * members, batch_norm=(1e-12, 0.9))
    lam = np.full(members, 0.005, network.dtype)
    training = Training(
        network, SGD(network), constant(0.01), lam, images, images, *pixel_statistics(pixels),
        steps=sys.maxsize, batch_size=BATCH, evaluate_every=sys.maxsize, step=1,
    )  # fmt: skip

    def block(seconds: float) -> float:
        first, start = training.step, time.perf_counter()
        training.stop = lambda: time.perf_counter() - start > seconds
        for _ in training.records():
            pass
        return (time.perf_counter() - start) / (training.step - first)

    return block


def products(members: int) -> Block:
    """The first layer's two products, forward and for the weights' gradient, on arrays that stay put."""
    width = SIZES[1] * members
    shapes = (BATCH, SIZES[0]), (SIZES[0], width), (BATCH, width), (SIZES[0], width)
    x, W, s, dW = (np.ones(shape, np.float32) for shape in shapes)
    return repeated(lambda: (np.matmul(x, W, out=s), np.matmul(x.T, s, out=dW)))


def peak(members: int) -> Block:
    """One large square product, the same for any number of members."""
    a, b, out = np.random.default_rng(members).standard_normal((3, SQUARE, SQUARE), np.float32)
    return repeated(lambda: np.matmul(a, b, out=out))


def repeated(call: Callable[[], object], steps_per_call: int = 1) -> Block:
    """The block that calls `call`, of so many steps, again and again until the time is over."""

    def block(seconds: float) -> float:
        calls, start = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < seconds:
            call()
            calls += 1
        return (time.perf_counter() - start) / (calls * steps_per_call)

    return block
