"""Number of processors."""

import os

from cifarmlp.parallel.cgroup import cpu_quota


def cores() -> int:
    """Number of processors that this process may use, of a container's share the whole ones, at least 1."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(there, cpu_quota())))
