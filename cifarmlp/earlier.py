"""Searches made earlier: the one to resume, the coarse one to refine, and whether they are of this config."""

from collections.abc import Sequence
from pathlib import Path

from cifarmlp import runs, search_folder
from cifarmlp.config import Config, differences
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.search_folder import Search, Stage

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
