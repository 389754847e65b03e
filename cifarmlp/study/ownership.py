"""Ownership of what lies in a study's folder: which runs and searches there are its own, and whole.

A damaged one is set aside and done again. One of another config, as where two folders were swapped, or of
other images is refused, as `train --resume` refuses it.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, load_config, refuse_other_config
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError, CifarmlpWarning, ConfigError, RunFolderError
from cifarmlp.search.folder import read_search
from cifarmlp.study.plan import StudyPlan
from cifarmlp.training.environment import describe, fingerprint
from cifarmlp.training.provenance import refuse_other_folders
from cifarmlp.training.seeds import refuse_changes

REMEDY = "undo that, or move it out of the study's folder, and it is done again"


def refuse_others(study: StudyPlan, datasets: Mapping[str, Dataset], strict: bool) -> None:
    """Refuse runs and searches of other configs or images; tell of other code or numerics, or refuse them.

    datasets: by source. Raises ConfigError, DataError and, if strict, RunFolderError.
    """
    runs, searches = [*_runs(study)], [*_searches(study)]
    try:
        for folder, config in runs:
            refuse_changes(folder, config)
        for folder, config in searches:
            with suppress(RunFolderError):  # damaged: to be set aside
                refuse_other_config(folder, read_search(folder).config, config, "search")
    except ConfigError as error:
        raise ConfigError(f"{error}; {REMEDY}") from error
    refuse_other_origins([*runs, *searches], datasets, strict)


def refuse_other_origins(
    places: Iterable[tuple[Path, Config]], datasets: Mapping[str, Dataset], strict: bool
) -> None:
    """Call `provenance.refuse_other_folders` for the runs and searches of each source of images."""
    sources = [(folder, config.data.source) for folder, config in places]
    for source, dataset in datasets.items():
        alike = [folder for folder, its in sources if its == source]
        refuse_other_folders(alike, fingerprint(describe(dataset, 1)), strict)


def set_aside_damage(study: StudyPlan) -> None:
    """Rename runs and searches that can't be read, and warn of each. Raises RunFolderError."""
    for path, fault in _damage(study):
        place = files.set_aside(path)
        message = f"{fault}; it is kept as {place}, and done again"
        warnings.warn(message, CifarmlpWarning, stacklevel=2)


def _damage(study: StudyPlan) -> Iterator[tuple[Path, str]]:
    """Yield what is damaged, with its fault; of an experiment with several seeds, config.yaml alone."""
    for repeats in study.whole.experiments.values():
        places = {place: place for place in repeats.places()}
        for folder, path in {repeats.folder: repeats.folder / "config.yaml", **places}.items():
            if fault := _fault_of_run(folder):
                yield path, fault
    for folder, _ in _searches(study):
        try:
            read_search(folder)
        except RunFolderError as error:
            yield folder, str(error)


def _runs(study: StudyPlan) -> Iterator[tuple[Path, Config]]:
    """Yield the folder of each experiment, and of each of its seeds, with its config."""
    for repeats in study.whole.experiments.values():
        yield from {repeats.folder: repeats.config, **repeats.places()}.items()


def _searches(study: StudyPlan) -> Iterator[tuple[Path, Config]]:
    for config in study.whole.searches:
        yield from ((folder, config) for folder in files.folders(study.folder, config.name))


def _fault_of_run(folder: Path) -> str:
    """Return the fault of a begun run's folder whose config.yaml can't be read; else ''."""
    if not any((folder / name).exists() for name in ("config.yaml", "result.json")):
        return ""  # not begun, or killed before there was a config.yaml
    try:
        load_config(folder / "config.yaml")
    except CifarmlpError as error:
        return f"{folder}: damaged ({str(error).splitlines()[0]})"
    return ""
