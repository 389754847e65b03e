"""Searches made earlier: the one to resume, the coarse one to refine, and whether they are of this config."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cifarmlp import runs, search_folder
from cifarmlp.config import Config
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.search_folder import Search, Stage
from cifarmlp.yaml_words import one_line

FREE = ("name", "search.fine", "search.coarse.trials")  # what a refined coarse search may have had other


def to_resume(folder: Path, config: Config | None, stages: Sequence[Stage], seeds: int | None) -> Search:
    """The search in a folder, which must be the one that was asked for, as far as that was said.

    Raises ConfigError where it is another one, RunFolderError where it can't be read.
    """
    search = search_folder.read(folder)
    if config is not None:
        _check(search, config, ("search.coarse.trials",) if search.plan.coarse_from else ())
    if stages and [*stages] != search.plan.stages:
        raise ConfigError(f"{folder} has the stages {' and '.join(search.plan.stages)}; leave out the others")
    if seeds not in (None, search.plan.seeds):
        raise ConfigError(f"{folder} has {search.plan.seeds} seeds a trial; leave out --seeds")
    return search


def to_refine(config: Config, out: Path, told: Path | None) -> Search:
    """The coarse search to refine: `told`, or the newest finished one of this config in `out`.

    Raises ConfigError where there is none, or `told` is of another config.
    """
    if told is not None:
        search = search_folder.read(told)
        _check(search, config, FREE)
        if search.plan.coarse_from:
            raise ConfigError(f"{told} refines another search itself: give --from {search.plan.coarse_from}")
        if not _has_coarse(search):
            raise ConfigError(f"{told}: its coarse search is not finished; cifarmlp search --resume {told}")
        return search
    for folder in runs.folders(out, config.name):
        try:
            search = search_folder.read(folder)
        except RunFolderError:
            continue  # a training's folder, or a damaged one
        if _has_coarse(search) and not differences(search.config, config, FREE):
            return search
    raise ConfigError(
        f"{out}: no finished coarse search of {config.name}, as it is now, to refine; run one with --coarse"
    )


def _has_coarse(search: Search) -> bool:
    """Whether its own coarse stage came to its end, whatever became of the fine one."""
    return "coarse" in search.plan.stages and (search.plan.status == "finished" or bool(search.plan.centres))


def _check(search: Search, config: Config, free: tuple[str, ...]) -> None:
    different = differences(search.config, config, free)
    if different:
        raise ConfigError(f"{search.folder} is the search of another config: {'; '.join(different[:3])}")


def differences(there: Config, here: Config, free: tuple[str, ...] = ()) -> list[str]:
    """What two configs differ in, but for the keys `free` and what is under them."""
    old, new = (dict(_flat(config.model_dump(by_alias=True))) for config in (there, here))
    keys = [key for key in {**old, **new} if not any(f"{key}.".startswith(f"{name}.") for name in free)]
    changed = [key for key in keys if old.get(key) != new.get(key)]
    return [f"{k} is {one_line(old.get(k))} there, {one_line(new.get(k))} here" for k in changed]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
