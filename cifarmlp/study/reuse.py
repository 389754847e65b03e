"""Reuse of finished trainings and searches: find them by what decides their numbers, and copy them."""

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, digest, load_config, to_yaml
from cifarmlp.errors import CifarmlpError
from cifarmlp.search.folder import read_search
from cifarmlp.training import environment
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.parts import is_part
from cifarmlp.training.provenance import Fingerprint, find_changes

SEARCH_PARTS = ("search.json", "seeds.csv", "trials.csv", "top.json", "search.png", "best.yaml")


@dataclass(frozen=True)
class Source:
    """A finished training or search to copy, and what it was made of."""

    folder: Path
    origin: Fingerprint


def finished_runs(out: Path) -> dict[str, list[Source]]:
    """Return the finished trainings and searches below `out`, by their config as text, see `_text`."""
    folders = {path.parent for name in ("result.json", "search.json") for path in out.rglob(name)}
    finished: dict[str, list[Source]] = {}
    for folder in sorted(folders):
        is_hidden = any(part[0] == "." for part in folder.relative_to(out).parts)
        there = environment.read_environment(folder)
        if there and there.code and not is_hidden and _is_whole(folder):
            with suppress(CifarmlpError):
                text = _text(load_config(folder / "config.yaml"), (folder / "search.json").exists())
                finished.setdefault(text, []).append(Source(folder, environment.fingerprint(there)))
    return finished


def source_for(
    finished: Mapping[str, Sequence[Source]],
    config: Config,
    here: Fingerprint,
    searched: bool = False,
    strict: bool = False,
) -> Path | None:
    """Return the folder to copy a training or search from, or None.

    It has the same config, but for its name, the same images and code, and, if strict, the same numerics;
    those are preferred in any case. finished: see `finished_runs`. here: what it would be made of.
    """
    alike = [
        (find_changes(each.origin, here), each.folder) for each in finished.get(_text(config, searched), ())
    ]
    fitting = {changes.numerics: folder for changes, folder in alike if not changes.images + changes.code}
    if strict or () in fitting:
        return fitting.get(())
    return next(iter(fitting.values()), None)


def copy_run(source: Path, target: Path, config: Config) -> None:
    """Copy a training or search to `target`, whole or not at all, with another `config`.

    Only its own files are copied, and no link is followed. Raises RunFolderError if that fails.
    """
    half = target.with_name(f".{target.name}.copy")
    with files.disk_errors(target):
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        for path in _parts(source):
            shutil.copyfile(path, half / path.name, follow_symlinks=False)
        files.write_text(half / "config.yaml", to_yaml(config))
        _note_config(half, config)
        os.replace(half, target)


def _note_config(folder: Path, config: Config) -> None:
    """Write the digest of a training's config to environment.json: the one copied may have had a search."""
    there = environment.read_environment(folder)
    if there and there.config not in (None, digest(config)):
        environment.write_environment(folder, there.model_copy(update={"config": digest(config)}))


def _parts(folder: Path) -> list[Path]:
    """Return the files of a training, and those of a search that it does not have."""
    return [path for path in folder.iterdir() if is_part(path.name) or path.name in SEARCH_PARTS]


def _text(config: Config, searched: bool) -> str:
    """Return a config as text, without its name and, for a training, the section `search`."""
    return to_yaml(config.model_copy(update={"name": "any"} if searched else {"name": "any", "search": None}))


def _is_whole(folder: Path) -> bool:
    """Return whether it has ended, and all of its files are files, and no links, pipes or folders."""
    try:
        are_files = all(stat.S_ISREG(path.lstat().st_mode) for path in _parts(folder))
    except OSError:
        return False
    if not are_files:
        return False
    if not (folder / "search.json").exists():
        return read_ended(folder) is not None
    try:
        search = read_search(folder)
    except CifarmlpError:
        return False
    section, plan = search.config.search, search.plan
    stages = ["coarse", "fine"] if section and section.fine else ["coarse"]
    return plan.status == "finished" and plan.seeds == 1 and plan.stages == stages
