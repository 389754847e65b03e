"""Cost of a training: memory, operations and time; and the memory that is free."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.config import Config
from cifarmlp.config.types import TRAINING_IMAGES
from cifarmlp.data import Images, Split
from cifarmlp.parallel import cgroup
from cifarmlp.training.build import build_training, steps_per_epoch, total_steps
from cifarmlp.training.loop import CHUNK

CONTAINERS = (  # files: the limit, the bytes taken, and the line of a third with those taken by caches
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file"),
)
PROCESS_BYTES = 170e6  # of Python, NumPy and the rest, before any network
IMAGE_BYTES = 3072


def member_bytes(config: Config) -> float:
    """Return the bytes that a member adds to its process.

    They are the weights as drawn in float64, the arrays that the optimiser keeps of their size, copies of
    them such as a moving average, and the outputs of all layers in an evaluation.
    """
    sizes, training = config.network.sizes, config.training
    weights = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    rows = max(CHUNK, training.batch_size)
    copies = 4.0 * (bool(training.average) + (training.keep == "best"))
    bytes_per_weight = 8.0 + training.optimiser.bytes_per_parameter + copies
    return bytes_per_weight * weights + 16.0 * rows * sum(sizes[1:])


def process_bytes(config: Config) -> float:
    """Return the bytes of a process before any network: mapped images take none, those in a new order do."""
    data, batch = config.data, config.training.batch_size
    images = TRAINING_IMAGES if data.validation and data.validation_from != "last" else 0
    # In augmentation: raw pixels twice, and noise or partners in float32.
    return PROCESS_BYTES + IMAGE_BYTES * (images + (6.0 * batch if data.augment else 0.0))


def check_memory(config: Config, members: int = 1) -> None:
    """Raise MemoryError, with the bytes needed and free, if the training needs more than are free."""
    needed, free = process_bytes(config) + members * member_bytes(config), free_memory()
    if needed > free:
        raise MemoryError(f"it takes about {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def free_memory() -> float:
    """Return the free bytes: of the machine, or of a container around this process if that has less."""
    free = [_meminfo("MemAvailable")] if Path("/proc/meminfo").exists() else [4e9]
    for folder, (most, used, stat, cached) in product(cgroup.folders("memory"), CONTAINERS):
        try:
            limit, taken = (float((folder / name).read_text()) for name in (most, used))
            lines = (folder / stat).read_text().splitlines()
        except (OSError, ValueError):  # no such limit
            continue
        files = dict(line.split() for line in lines).get(cached, 0)  # the kernel drops them when it must
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

    populations: the configs of each. The steps are made on random images, in one thread.
    """
    if not populations:
        return Estimate(0.0, 0.0)
    first = populations[0]
    seconds = _seconds_per_step(first) / (len(first) * _work(first[0]))
    totals = [seconds * len(p) * _work(p[0]) * _length(p[0]) for p in populations]
    rounds = max(sum(totals) / jobs, max(totals))
    largest = max(process_bytes(p[0]) + len(p) * member_bytes(p[0]) for p in populations)
    return Estimate(rounds, largest)


def work_of(config: Config) -> float:
    """Return the operations in the matrix products of a whole training."""
    return _work(config) * _length(config)


def _work(config: Config) -> float:
    return float(operations_per_step(config.network.sizes, config.training.batch_size))


def operations_per_step(sizes: Sequence[int], batch: int) -> int:
    """Return the floating-point operations in the matrix products of a step of one network.

    The first layer has two products, as nobody needs the gradient of the images; the others have three.

    >>> operations_per_step([4, 3, 2], batch=10)
    840
    """
    first, *others = (fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    return 2 * batch * (2 * first + 3 * sum(others))


def _length(config: Config) -> float:
    """Steps, and the time of an evaluation of the training images in steps: a third of an epoch's."""
    return steps_of(config) + steps_per_epoch(config, _split_like(config)) / 3


def steps_of(config: Config) -> int:
    """Return the number of steps of a training."""
    return total_steps(config, _split_like(config))


def passes_of(config: Config) -> float:
    """Return how often an image is standardised: in evaluations, and in steps without augmentation."""
    steps, epoch = steps_of(config), steps_per_epoch(config, _split_like(config))
    images = config.data.training_images
    evaluations = 1 + steps // config.training.evaluation_interval(epoch)
    share = min(1.0, (config.training.evaluate_images or images) / images)
    return evaluations * share + (0 if config.data.augment else steps / epoch)


def _split_like(config: Config) -> Split:
    return Split(*(_images(config.data.training_images, columns=1),) * 3)


def _seconds_per_step(configs: Sequence[Config], seconds: float = 0.5) -> float:
    images = _images(max(2000, configs[0].training.batch_size))
    training = replace(build_training(configs, Split(images, images, images)), steps=10**9)
    times: list[float] = []

    def is_long_enough() -> bool:
        times.append(time.perf_counter())
        return len(times) > 3 and times[-1] - times[0] > seconds

    with threadpool_limits(1, user_api="blas"):
        training.run_until(is_long_enough)
    times.append(time.perf_counter())  # so that there are two, even if all diverge at once
    return float(np.median(np.diff(times)))


def _images(count: int, columns: int = 3072) -> Images:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, columns), dtype=np.uint8)
    return Images(pixels, rng.integers(0, 10, count, dtype=np.uint8))
