"""What a training takes of the memory, and what there is."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.config import Config
from cifarmlp.data import Images, Split
from cifarmlp.training.build import build_training, steps_per_epoch, total_steps
from cifarmlp.training.loop import CHUNK

CGROUP = Path("/sys/fs/cgroup")
CONTAINERS = (  # files with the limit, with what is taken, and with how much of that is what
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
PROCESS_BYTES = 170e6  # of Python, NumPy and the rest, before any network


def member_bytes(config: Config) -> float:
    """What a member adds to its process: weights (and velocities), and the arrays of an evaluation."""
    sizes = config.network.sizes
    weights = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    copies = 3 if config.training.optimiser.rho else 2  # as drawn in float64, the others in float32
    rows = max(CHUNK, config.training.batch_size)
    return 4.0 * (copies * weights + 4 * rows * sum(sizes[1:]))


def check_memory(config: Config, members: int = 1) -> None:
    """Raises MemoryError, saying how much it takes and how much there is, where that is too little."""
    needed, free = PROCESS_BYTES + members * member_bytes(config), free_memory()
    if needed > free:
        raise MemoryError(f"it takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def free_memory() -> float:
    """Bytes that processes may still take: of the machine, or of the container where that has less."""
    free = [_meminfo("MemAvailable")] if Path("/proc/meminfo").exists() else [4e9]
    for most, used, stat, cached in CONTAINERS:
        try:
            limit, taken = (float((CGROUP / name).read_text()) for name in (most, used))
            lines = (CGROUP / stat).read_text().splitlines()
        except (OSError, ValueError):  # no such limit
            continue
        files = dict(line.split() for line in lines).get(cached, 0)  # read once, and let go of when needed
        free.append(limit - taken + float(files))
    return min(free)


def _meminfo(name: str) -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@dataclass(frozen=True)
class Estimate:
    """Cost of several trainings: seconds in all, bytes in one process."""

    seconds: float
    bytes: float


def estimate(populations: Sequence[Sequence[Config]], jobs: int) -> Estimate:
    """Estimate the time and memory of populations, `jobs` at a time, from a few steps of the first.

    populations: the configs of each. The steps are taken on made-up images, in one thread.
    """
    if not populations:
        return Estimate(0.0, 0.0)
    first = populations[0]
    seconds = _seconds_per_step(first) / (len(first) * _work(first[0]))
    totals = [seconds * len(p) * _work(p[0]) * _length(p[0]) for p in populations]
    rounds = max(sum(totals) / jobs, max(totals))
    largest = max(PROCESS_BYTES + len(p) * member_bytes(p[0]) for p in populations)
    return Estimate(rounds, largest)


def work_of(config: Config) -> float:
    """Operations in the matrix products of a whole training."""
    return _work(config) * _length(config)


def _work(config: Config) -> float:
    """Operations in the matrix products of a step."""
    first, *others = (i * o for i, o in itertools.pairwise(config.network.sizes))
    return 2.0 * config.training.batch_size * (2 * first + 3 * sum(others))


def _length(config: Config) -> float:
    """Steps; the evaluation of the training images takes as long as a third as many steps as an epoch has."""
    return steps_of(config) + steps_per_epoch(config, _split_like(config)) / 3


def steps_of(config: Config) -> int:
    """How many steps a training has."""
    return total_steps(config, _split_like(config))


def _split_like(config: Config) -> Split:
    return Split(*(_images(config.data.training_images, columns=1),) * 3)


def _seconds_per_step(configs: Sequence[Config], seconds: float = 0.5) -> float:
    images = _images(max(2000, configs[0].training.batch_size))
    training = build_training(configs, Split(images, images, images))
    training = replace(training, step=1, steps=10**9, evaluate_every=10**9)
    taken = [time.perf_counter()]

    def stop() -> bool:
        taken.append(time.perf_counter())
        return len(taken) > 3 and taken[-1] - taken[0] > seconds

    training.stop = stop
    with threadpool_limits(1, user_api="blas"):
        for _ in training.records():
            pass
    taken.append(time.perf_counter())  # else there may be none, where all diverge at once
    return float(np.median(np.diff(taken)))


def _images(count: int, columns: int = 3072) -> Images:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, columns), dtype=np.uint8)
    return Images(pixels, rng.integers(0, 10, count, dtype=np.uint8))
