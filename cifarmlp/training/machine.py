"""Names of what the speed depends on: processor, caches, and BLAS with the kernels that it chose."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifarmlp.parallel.cores import cores

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe_machine() -> str:
    """Return processor, cores, caches and BLAS in a line; what the system does not tell is left out."""
    parts = [f"{processor()}, {cores()} cores", ", ".join(caches()), ", ".join(blas(kernels=True))]
    return "; ".join(part for part in parts if part)


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def caches() -> list[str]:
    """Return the sizes of the first processor's caches for data, such as `L2 512K`; none outside of Linux."""
    return [f"L{level} {size}" for level, kind, size in _caches() if kind != "Instruction"]


def _caches() -> Iterator[list[str]]:
    for folder in sorted(CACHES.glob("index*")):
        try:
            yield [(folder / name).read_text().strip() for name in ("level", "type", "size")]
        except OSError:
            continue


def blas(kernels: bool = False) -> list[str]:
    """Return name and version of NumPy's BLAS; SciPy may load another, which no training uses.

    kernels: also the processor that its kernels were written for, as `Haswell kernels`.
    """
    names = set()
    for pool in _pools():
        written_for = f", {pool.get('architecture') or 'unknown'} kernels" if kernels else ""
        names.add(f"{pool['internal_api']} {pool.get('version')}{written_for}")
    return sorted(names)


def _pools() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool for pool in pools if not {"scipy", "scipy.libs"} & {*Path(pool["filepath"]).parts}]
