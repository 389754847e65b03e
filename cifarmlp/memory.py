"""What a training takes of the memory, and what there is."""

import itertools
from pathlib import Path

from cifarmlp.config import Config
from cifarmlp.train import CHUNK

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
    sizes = [3072, *config.network.hidden, 10]
    weights = sum(fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes))
    copies = 3 if config.training.optimiser.rho else 2  # as drawn in float64, the others in float32
    rows = max(CHUNK, config.training.batch_size)
    return 4.0 * (copies * weights + 4 * rows * sum(sizes[1:]))


def check(config: Config, members: int = 1) -> None:
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
