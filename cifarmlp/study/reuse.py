"""Reuse of finished trainings and searches: find them by what decides their numbers, and copy them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, load_config, to_yaml
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError
from cifarmlp.search.folder import read_search
from cifarmlp.training import environment
from cifarmlp.training.outcome import read_ended

Key = tuple[str, str, str]
NOT_COPIED = (".lock", ".owner.json", ".*.tmp")


def key_of(config: Config, dataset: Dataset, searched: bool = False) -> Key:
    """Return what decides the numbers of a training or a search: its config, the code and the images.

    The name in the config is left out, and for a training the section `search`.
    """
    return _text(config, searched), environment.code_digest(), dataset.checksum


def finished_runs(out: Path) -> dict[Key, Path]:
    """Return the folders below `out` with a finished training or search, by what decides their numbers."""
    folders = {path.parent for name in ("result.json", "search.json") for path in out.rglob(name)}
    whole = [path for path in folders if not any(part[0] == "." for part in path.relative_to(out).parts)]
    return {key: folder for folder in sorted(whole) for key in _key_in(folder) if _is_whole(folder)}


def copy_run(source: Path, target: Path, config: Config) -> None:
    """Copy the folder `source` to `target`, whole or not at all, with another `config`.

    Raises RunFolderError if that fails.
    """
    half = target.with_name(f".{target.name}.copy")
    with files.disk_errors(target):
        shutil.rmtree(half, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, half, ignore=shutil.ignore_patterns(*NOT_COPIED))
        files.write_text(half / "config.yaml", to_yaml(config))
        os.replace(half, target)


def _text(config: Config, searched: bool) -> str:
    return to_yaml(config.model_copy(update={"name": "any"} if searched else {"name": "any", "search": None}))


def _key_in(folder: Path) -> Iterator[Key]:
    there = environment.read_environment(folder)
    if there and there.code:
        with suppress(CifarmlpError):
            text = _text(load_config(folder / "config.yaml"), (folder / "search.json").exists())
            yield text, there.code, there.data.sha256


def _is_whole(folder: Path) -> bool:
    if not (folder / "search.json").exists():
        return read_ended(folder) is not None
    try:
        search = read_search(folder)
    except CifarmlpError:
        return False
    section, plan = search.config.search, search.plan
    stages = ["coarse", "fine"] if section and section.fine else ["coarse"]
    return plan.status == "finished" and plan.seeds == 1 and plan.stages == stages
