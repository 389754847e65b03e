"""Origin of a run on its page: the command, the machine, the versions, and the way to its folder."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from cifarmlp.render.document import Block, Table, Text
from cifarmlp.training.environment import Environment


def relative_path(folder: Path, beside: Path) -> str:
    """Return the path to a run's folder from the folder of the page."""
    return os.path.relpath(folder.resolve(), beside.resolve())


def origin_blocks(environment: Environment | None, title: str) -> Iterator[Block]:
    """Yield the command and a table of the machine and versions; nothing if they are not known."""
    if environment is None:
        return
    if len(environment.command) > 1:
        yield Text("The command:")
        yield Text(f"cifarmlp {shlex.join(map(str, environment.command[1:]))}", "command")
    rows = tuple(_environment_rows(environment))
    yield Table(f"{title}-environment", f"{title}: where it ran.", ("what", "value"), rows)


def _environment_rows(environment: Environment) -> Iterator[tuple[str, str]]:
    for name in ("cifarmlp", "git_commit", "python", "cpu", "platform", "blas_threads"):
        if getattr(environment, name) is not None:
            yield name.replace("_", " "), str(getattr(environment, name))
    yield "blas", ", ".join(environment.blas)
    yield "libraries", ", ".join(f"{name} {version}" for name, version in environment.libraries.items())
    images = environment.data
    official = "the official ones" if images.official else "not the official ones"
    yield "images", f"{images.source}, {official}, SHA-256 {images.sha256}"
