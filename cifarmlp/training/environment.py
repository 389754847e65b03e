"""Where a run was made: what one needs to know to get its numbers again."""

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cifarmlp
from cifarmlp import __version__
from cifarmlp.data import Dataset

LIBRARIES = ("numpy", "matplotlib", "pydantic", "pyyaml")
PACKAGE = Path(cifarmlp.__file__).parent
DECISIVE = (
    "config/sections.py",
    "nn/*.py",
    "data/batches.py",
    "data/dataset.py",
    "data/synthetic.py",
    "search/sampling.py",
    "training/build.py",
    "training/loop.py",
    "training/run.py",
)


def describe(dataset: Dataset, threads: int) -> dict[str, Any]:
    """Versions, git commit, processor, BLAS and its threads, command line, and which images."""
    return {
        "cifarmlp": __version__,
        "git_commit": _git_commit(),
        "code": code_digest(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "cpu": processor(),
        "blas": _blas(),
        "blas_threads": threads,
        "command": sys.argv,
        "data": {
            "source": dataset.source,
            "sha256": dataset.checksum,
            "official": dataset.official,
        },
    }


@cache
def code_digest() -> str:
    """SHA-256 of the modules that decide what a training comes to; the others may change without a trace."""
    paths = [path for pattern in DECISIVE for path in sorted(PACKAGE.glob(pattern))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _blas() -> list[str]:
    """NumPy's: SciPy brings one of its own, which no training uses, and which is loaded at times only."""
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    numpys = [pool for pool in pools if not {"scipy", "scipy.libs"} & {*Path(pool["filepath"]).parts}]
    return sorted({f"{pool['internal_api']} {pool.get('version')}" for pool in numpys})


def fingerprint(described: dict[str, Any], threads: int | None) -> dict[str, Any]:
    """What of a description decides the bits of a result; threads: None where their number does not."""
    alone = ("cifarmlp", "git_commit", "python", "platform", "cpu", "blas")
    found = {name: described[name] for name in alone}
    numpy, images = described["libraries"]["numpy"], described["data"]["sha256"]
    return {**found, "numpy": numpy, "images": images, "threads": threads}


def _git_commit() -> str | None:
    """Commit of the checkout that this code runs from, with `+` where it has been changed since."""
    folder = PACKAGE.parent
    if not (folder / ".git").exists():
        return None
    commit = _output("git", "-C", str(folder), "rev-parse", "HEAD")
    changed = _output("git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+" if commit and changed else commit


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
