"""Trainings and searches that were made before: found by what decides their numbers, and copied."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifarmlp import environment, outcome, runs, search_folder
from cifarmlp.config import Config, load_config, to_yaml
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError

Key = tuple[str, str, str]
NOT_COPIED = (".lock", ".owner.json", ".*.tmp")


def key_of(config: Config, dataset: Dataset) -> Key:
    """What decides the numbers: the config but for its name, the code, the images."""
    return _text(config), environment.code_digest(), dataset.checksum


def finished(out: Path) -> dict[Key, Path]:
    """The trainings and searches that ended in folders below `out`, by what decides their numbers."""
    folders = sorted({path.parent for name in ("result.json", "search.json") for path in out.rglob(name)})
    return {key: folder for folder in folders for key in _key_in(folder) if _is_whole(folder)}


def copy(source: Path, target: Path) -> None:
    """The folder `source` as `target`, whole or not at all. Raises RunFolderError."""
    half = target.with_name(f".{target.name}.tmp")
    with runs.told(target):
        shutil.rmtree(half, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, half, ignore=shutil.ignore_patterns(*NOT_COPIED))
        os.replace(half, target)


def _text(config: Config) -> str:
    return to_yaml(config.model_copy(update={"name": "any"}))


def _key_in(folder: Path) -> Iterator[Key]:
    try:
        made = json.loads((folder / "environment.json").read_bytes())
        yield _text(load_config(folder / "config.yaml")), made["code"], made["data"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, CifarmlpError):
        return  # of an older version, or damaged


def _is_whole(folder: Path) -> bool:
    if not (folder / "search.json").exists():
        return outcome.read(folder) is not None
    try:
        plan: Any = search_folder.read(folder).plan
    except CifarmlpError:
        return False
    return bool(plan.status == "finished" and plan.seeds == 1 and plan.stages == ["coarse", "fine"])
