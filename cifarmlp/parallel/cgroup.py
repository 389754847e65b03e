"""Limits of the container that this process is in, and of those around it (Linux's control groups)."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def folders(controller: str) -> Iterator[Path]:
    """Yield the folders with the limits of a controller, such as `memory`: its group's, then those above.

    A limit of any of them holds. Of both versions: in the first each controller has a tree of its own.
    """
    for base, path in _groups(controller):
        inside = Path(path.strip("/"))
        yield from (base / part for part in (inside, *inside.parents))


def _groups(controller: str) -> Iterator[tuple[Path, str]]:
    """Yield the roots of the trees, with the path of this process's group in each."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:  # not Linux
        return
    for _, names, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not names:
            yield ROOT, path
        elif controller in names.split(","):
            yield ROOT / controller, path


def cpu_quota() -> float:
    """Return the processors that the limits leave to this process; infinity without a limit."""
    return min((_quota(folder) for folder in folders("cpu")), default=float("inf"))


def _quota(folder: Path) -> float:
    try:
        if (folder / "cpu.max").exists():
            quota, period = map(float, (folder / "cpu.max").read_text().split())  # 'max' is no number
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = (float((folder / name).read_text()) for name in names)
        return quota / period if quota > 0 else float("inf")
    except (OSError, ValueError, ZeroDivisionError):
        return float("inf")
