"""Cost of a training: memory, operations and time; and the memory that is free."""

import itertools
import math
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from cifarmlp.config import Config
from cifarmlp.config.types import TRAINING_IMAGES
from cifarmlp.data import Images, Split
from cifarmlp.parallel import cgroup
from cifarmlp.training.build import steps_per_epoch, total_steps
from cifarmlp.training.loop import CHUNK

CONTAINERS = (  # files: the limit, the bytes taken, and the line of a third with those taken by caches
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file"),
)
PROCESS_BYTES = 170e6  # of Python, NumPy and the rest, before any network
IMAGE_BYTES = 3072
SHARE_OF_MEMORY = 0.6  # of what is free, for the networks of all processes together


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
    """Return the free bytes: what the machine, a container around this process and its own limit leave."""
    free = [_proc("meminfo", "MemAvailable") if Path("/proc/meminfo").exists() else 4e9, _address_space()]
    for folder, (most, used, stat, cached) in product(cgroup.folders("memory"), CONTAINERS):
        try:
            limit, taken = (float((folder / name).read_text()) for name in (most, used))
            lines = (folder / stat).read_text().splitlines()
        except (OSError, ValueError):  # no such limit
            continue
        files = dict(line.split() for line in lines).get(cached, 0)  # the kernel drops them when it must
        free.append(limit - taken + float(files))
    return min(free)


def _address_space() -> float:
    """Return the bytes that `ulimit -v`, as some clusters set it, leaves to this process."""
    if sys.platform != "linux":
        return math.inf
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return math.inf if limit == resource.RLIM_INFINITY else limit - _proc("self/status", "VmSize")


def _proc(file: str, name: str) -> float:
    """Return a number of /proc, there in units of 1,024 bytes, in bytes."""
    lines = Path("/proc", file).read_text().splitlines()
    return next(float(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def work_of(config: Config) -> float:
    """Return the operations in the matrix products of a whole training."""
    return float(operations_per_step(config.network.sizes, config.training.batch_size)) * steps_of(config)


def operations_per_step(sizes: Sequence[int], batch: int) -> int:
    """Return the floating-point operations in the matrix products of a step of one network.

    The first layer has two products, as nobody needs the gradient of the images; the others have three.

    >>> operations_per_step([4, 3, 2], batch=10)
    840
    """
    first, *others = (fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    return 2 * batch * (2 * first + 3 * sum(others))


def steps_of(config: Config) -> int:
    """Return the number of steps of a training."""
    return total_steps(config, _split_like(config))


def passes_of(config: Config) -> float:
    """Return how often an image is standardised: in evaluations, and in steps without augmentation."""
    trained = 0.0 if config.data.augment else steps_of(config) / _epoch(config)
    return trained + evaluations_of(config) * images_an_evaluation(config) / config.data.training_images


def evaluations_of(config: Config) -> int:
    """Return the number of evaluations of a training, that before the first step included."""
    every = config.training.evaluation_interval(_epoch(config))
    return 1 + -(-steps_of(config) // every)


def images_an_evaluation(config: Config) -> int:
    """Return the number of training images in an evaluation on the way."""
    images = config.data.training_images
    return min(images, config.training.evaluate_images or images)


def _epoch(config: Config) -> int:
    return steps_per_epoch(config, _split_like(config))


def _split_like(config: Config) -> Split:
    return Split(*(random_images(config.data.training_images, columns=1),) * 3)


def random_images(count: int, columns: int = 3072) -> Images:
    """Return images that are noise, with any labels."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (count, columns), dtype=np.uint8)
    return Images(pixels, rng.integers(0, 10, count, dtype=np.uint8))
