"""Origin of a run on its page: the command, the machine, the versions, and the way to its folder."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cifarmlp.render.document import Block, Table, Text


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the mapping in a JSON file; an empty one if the file is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def mapping_at(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under a key; an empty one if there is none.

    >>> mapping_at({"data": {"source": "cifar10"}}, "data"), mapping_at({"data": 3}, "data")
    ({'source': 'cifar10'}, {})
    """
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}


def relative_path(folder: Path, beside: Path) -> str:
    """Return the path to a run's folder from the folder of the page."""
    return os.path.relpath(folder.resolve(), beside.resolve())


def origin_blocks(environment: Mapping[str, Any], title: str) -> Iterator[Block]:
    """Yield the command and a table of the machine and versions. environment: of environment.json."""
    command = environment.get("command")
    if isinstance(command, list) and len(command) > 1:
        yield Text("The command:")
        yield Text(f"cifarmlp {shlex.join(map(str, command[1:]))}", "command")
    rows = tuple(_environment_rows(environment))
    if rows:
        yield Table(f"{title}-environment", f"{title}: where it ran.", ("what", "value"), rows)


def _environment_rows(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("cifarmlp", "git_commit", "python", "cpu", "platform", "blas_threads"):
        if environment.get(name) is not None:
            yield name.replace("_", " "), str(environment[name])
    if isinstance(environment.get("blas"), list):
        yield "blas", ", ".join(map(str, environment["blas"]))
    libraries = mapping_at(environment, "libraries")
    if libraries:
        yield "libraries", ", ".join(f"{name} {version}" for name, version in libraries.items())
    images = mapping_at(environment, "data")
    if images:
        official = {True: "the official ones", False: "not the official ones"}.get(images.get("official"), "")  # type: ignore[arg-type]
        yield "images", f"{images.get('source')}, {official}, SHA-256 {images.get('sha256')}"
