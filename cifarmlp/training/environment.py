"""environment.json: versions, machine, command and images that a run was made with."""

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

import cifarmlp
from cifarmlp import __version__, files
from cifarmlp.config import Config, digest, digest_of_text
from cifarmlp.data import Dataset
from cifarmlp.errors import RunFolderError
from cifarmlp.text import escape
from cifarmlp.training.machine import blas, processor

LIBRARIES = ("numpy", "matplotlib", "pydantic", "pyyaml")
PACKAGE = Path(cifarmlp.__file__).parent
DECISIVE = (  # modules that decide the numbers of a training
    "config/data_section.py",
    "config/losses.py",
    "config/network_section.py",
    "config/optimisers.py",
    "config/schedules.py",
    "config/training_section.py",
    "nn/*.py",
    "data/augment.py",
    "data/batches.py",
    "data/dataset.py",
    "data/room.py",
    "data/split.py",
    "data/synthetic.py",
    "search/dealing.py",
    "search/sampling.py",
    "training/batches.py",
    "training/average.py",
    "training/best.py",
    "training/build.py",
    "training/lockstep.py",
    "training/loop.py",
    "training/members.py",
    "training/rows.py",
    "training/run.py",
    "training/session.py",
    "training/together.py",
)
NAME = "environment.json"
CHANGED = "its config.yaml has changed since it was begun; put it back, or train it as a new one"


class ImageOrigin(BaseModel):
    """Images of a run. official: every bit is as published."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    source: str
    sha256: str
    official: bool


class Environment(BaseModel):
    """Contents of environment.json.

    code: see `code_digest`. config: digest of a training's config. host: machine of a cluster's worker.
    """

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    cifarmlp: str
    git_commit: str | None
    code: str | None
    python: str
    libraries: dict[str, str]
    platform: str
    cpu: str
    blas: list[str]
    blas_threads: int
    command: list[Any]
    data: ImageOrigin
    config: str | None = None
    host: str | None = None


def describe(dataset: Dataset, threads: int) -> Environment:
    """Return the environment of this process, with so many BLAS threads."""
    return Environment(
        cifarmlp=__version__,
        git_commit=_git_commit(),
        code=code_digest(),
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
        platform=platform.platform(),
        cpu=processor(),
        blas=blas(),
        blas_threads=threads,
        command=[escape(word) for word in sys.argv],  # which may have bytes that are not UTF-8
        data=ImageOrigin(source=dataset.source, sha256=dataset.checksum, official=dataset.official),
    )


def write_environment(folder: Path, environment: Environment) -> None:
    """Write environment.json. Raises RunFolderError."""
    files.write_json(folder / NAME, environment.model_dump(exclude_unset=True))


def load_environment(folder: Path) -> Environment | None:
    """Return what environment.json says; None if there is none. Raises RunFolderError if it is damaged."""
    return files.read_json(folder / NAME, Environment)


def read_environment(folder: Path) -> Environment | None:
    """Return what environment.json says; None if it is missing or damaged."""
    try:
        return load_environment(folder)
    except RunFolderError:
        return None


@cache
def code_digest() -> str:
    """Return the SHA-256 of the modules in DECISIVE: runs of equal code, config and images are the same."""
    paths = [path for pattern in DECISIVE for path in sorted(PACKAGE.glob(pattern))]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def config_has_changed(folder: Path, config: Config) -> bool:
    """Return whether a training's config.yaml, read as `config`, is another one than it began with."""
    environment = read_environment(folder)
    return environment is not None and environment.config not in (None, digest(config), _digest_in(folder))


def _digest_in(folder: Path) -> str | None:
    """Return the digest of config.yaml as it stands there, by an earlier version maybe."""
    try:
        return digest_of_text((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def fingerprint(environment: Environment, threads: int | None = None) -> dict[str, Any]:
    """Return what decides the bits of a result, by name; `provenance` compares two of them.

    threads: None if their number decides nothing.
    """
    named = ("cifarmlp", "git_commit", "code", "python", "platform", "cpu", "blas")
    decisive = environment.model_dump(include={*named})
    numpy, images = environment.libraries.get("numpy"), environment.data.sha256
    return {**decisive, "numpy": numpy, "images": images, "threads": threads}


def _git_commit() -> str | None:
    """Return the commit of this code's checkout, with `+` if files differ from it; None outside of one."""
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
