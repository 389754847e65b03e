"""A config trained with one or several seeds.

    config, seeds -> Repeats -> a folder a seed -> `train_into`, here or in workers -> summary.json

The folder of each seed is a run folder, see `cifarmlp.training.run`; workers: `cifarmlp.training.workers`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cifarmlp import files
from cifarmlp.config import (
    Config,
    load_config,
    override_with,
    refuse_other_config,
    to_yaml,
)
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.parallel import Lost
from cifarmlp.training import checkpoint
from cifarmlp.training.cautions import warn_of_settings
from cifarmlp.training.curves import write_curves
from cifarmlp.training.environment import CHANGED, config_has_changed, describe, fingerprint
from cifarmlp.training.outcome import Outcome, read_ended, read_planned, summarise
from cifarmlp.training.provenance import refuse_other_folders
from cifarmlp.training.run import Watch
from cifarmlp.training.workers import SeedTask, Tasks, map_trainings, train_in_worker, train_tasks

# What helps where memory runs out.
HERE, IN_WORKERS = "a smaller network.hidden or training.batch_size", "fewer --jobs, or workers a machine"


@dataclass(frozen=True)
class Repeats:
    """A config to train with so many seeds, its own and those after it, in a folder."""

    folder: Path
    config: Config
    seeds: int

    def places(self) -> dict[Path, Config]:
        """Return the folder of each seed with its config: `folder`, or seed-N in it if several.

        Raises ConfigError if there are not so many seeds from the config's on.

        >>> [str(place) for place in Repeats(Path("runs/quickstart-001"), Config(), 2).places()]
        ['runs/quickstart-001/seed-1', 'runs/quickstart-001/seed-2']
        """
        seeded = [override_with(self.config, {"seed": self.config.seed + i}) for i in range(self.seeds)]
        if self.seeds == 1:
            return {self.folder: self.config}
        return {self.folder / f"seed-{config.seed}": config for config in seeded}


def claim_repeats(config: Config, seeds: int, out: Path) -> Repeats:
    """Claim a new folder in `out` and begin it. Raises RunFolderError, and ConfigError as `places` does."""
    repeats = Repeats(out, config, seeds)
    repeats.places()  # before a folder is claimed for what can't be trained
    repeats = replace(repeats, folder=files.claim(out, config.name))
    begin_repeats(repeats)
    return repeats


def begin_repeats(repeats: Repeats) -> None:
    """Write config.yaml, and of several seeds summary.json. Raises RunFolderError."""
    if repeats.seeds > 1:
        write_summary(repeats, [])  # first: with config.yaml alone, it would be the training of one seed
    files.write_text(repeats.folder / "config.yaml", to_yaml(repeats.config))


def repeats_to_resume(folder: Path, config: Config | None = None, seeds: int | None = None) -> Repeats:
    """Return the repeats begun in `folder`; check config and number of seeds if given.

    Raises RunFolderError if it cannot be read, ConfigError if it is of another config, was changed since it
    was begun, has another number of seeds, or is a search's.
    """
    if folder.is_file():
        raise RunFolderError(f"{folder}: a file; give the run's folder, {folder.parent}")
    repeats = _load_repeats(folder)
    if (folder / "search.json").exists():
        raise ConfigError(f"{folder}: the folder of a search; cifarmlp search --resume {folder}")
    if config:
        refuse_other_config(folder, repeats.config, config, "training")
    if seeds not in (None, repeats.seeds):
        there = f"{repeats.seeds} seed{'s' * (repeats.seeds > 1)}"
        raise ConfigError(f"{folder} has {there}; leave out --repeats")
    for place, seeded in repeats.places().items():
        refuse_changes(place, seeded)
    return repeats


def _load_repeats(folder: Path) -> Repeats:
    seeds = read_planned(folder)
    try:
        return Repeats(folder, load_config(folder / "config.yaml"), seeds)
    except CifarmlpError as error:
        reason = str(error).splitlines()[0]
        raise RunFolderError(f"{folder}: not the folder of a training: {reason}") from error


def refuse_changes(folder: Path, config: Config) -> None:
    """Raise ConfigError if the training begun in a seed's folder was of another config than this one."""
    there = _config_in(folder)
    if there:
        refuse_other_config(folder, there, config, "training")
    if read_ended(folder) is None and checkpoint.load(folder)[0]:
        return  # its checkpoint has the whole config, and the error about it says what differs
    if config_has_changed(folder, config):
        raise ConfigError(f"{folder}: {CHANGED}")


def _config_in(folder: Path) -> Config | None:
    try:
        return load_config(folder / "config.yaml")
    except CifarmlpError:
        return None  # not begun yet, or damaged and to be written anew


def train_seeds(
    todo: Sequence[tuple[Repeats, Dataset]],
    data_dir: Path | None,
    *,
    jobs: int = 1,
    threads: int | None = None,
    strict: bool = False,
    tensorboard: bool = False,
    cluster: Any = None,
    watch: Watch = lambda training, record: None,
    ended: Callable[[SeedTask, Outcome], None] = lambda task, outcome: None,
    stop: Callable[[], int] = lambda: 0,
) -> list[list[Outcome]]:
    """Train the seeds that have not ended, each from its last checkpoint. Return all outcomes, by seed.

    todo: configs with their images; the result has a list for each. Of several seeds, summary.json and curves
    are written. jobs: at a time. threads, strict, tensorboard: see `train_into`. `watch` sees the records
    of trainings in this process, that is with one job; `ended` sees each new outcome. Raises RunFolderError
    if a folder cannot be used, DataError if a seed was trained on other images; at the end CifarmlpError if
    workers of a seed were lost.
    """
    with ExitStack() as locks:
        for repeats, _ in todo:
            if repeats.seeds > 1 or cluster:
                locks.enter_context(files.lock(repeats.folder))
        left = [each for repeats, dataset in todo for each in _left(repeats, dataset, strict)]
        jobs = min(jobs, len(left))
        is_here = cluster is None and jobs <= 1
        threads = threads or (None if is_here else 1)
        tasks = [
            SeedTask(c, place, data_dir, threads, strict, tensorboard, images) for place, c, images in left
        ]
        datasets = {dataset.checksum: dataset for _, dataset in todo}
        here = partial(_train_here, datasets=datasets, watch=watch, stop=stop)
        work = here if is_here else train_in_worker
        results = dict[Path, Outcome | Lost]()
        for task, result in map_trainings(work, tasks, jobs, cluster=cluster, stop=stop):
            results[task.folder] = result
            if not isinstance(result, Lost):
                ended(task, result)
        outcomes = [_conclude(repeats, results) for repeats, _ in todo]
    _refuse_lost([repeats for repeats, _ in todo], results, HERE if is_here else IN_WORKERS)
    return outcomes


def _left(repeats: Repeats, dataset: Dataset, strict: bool) -> list[tuple[Path, Config, str]]:
    """Return folder, config and images of the seeds that have not ended; warn of their settings.

    Raises DataError if one that has was trained on other images, RunFolderError as `train_seeds`.
    """
    places = repeats.places()
    ended = [place for place in places if read_ended(place)]
    if ended:
        refuse_other_folders(ended, fingerprint(describe(dataset, 1)), strict)
    left = [(place, config, dataset.checksum) for place, config in places.items() if place not in ended]
    if left:
        warn_of_settings(repeats.config)
    return left


def _conclude(repeats: Repeats, results: Mapping[Path, Outcome | Lost]) -> list[Outcome]:
    """Write summary and curves of several seeds. Return all outcomes by seed, those from before, too."""
    known = [results.get(place) or read_ended(place) for place in repeats.places()]
    outcomes = [each for each in known if isinstance(each, Outcome)]
    if repeats.seeds > 1:
        ended = [outcome for outcome in outcomes if outcome.status != "interrupted"]
        write_summary(repeats, ended)
        if len(ended) == repeats.seeds:
            write_curves(repeats.folder, repeats.config, [*repeats.places()])
    return outcomes


def write_summary(repeats: Repeats, outcomes: list[Outcome]) -> None:
    """Write summary.json over the seeds that have ended, and the number to train. Raises RunFolderError."""
    files.write_json(repeats.folder / "summary.json", {**summarise(outcomes), "planned": repeats.seeds})


def _train_here(
    tasks: Tasks, datasets: Mapping[str, Dataset], watch: Watch, stop: Callable[[], int]
) -> list[Outcome]:
    """Train in this process. datasets: by their checksums."""
    return train_tasks(tasks, datasets[tasks[0].images], stop, watch)


def _refuse_lost(todo: Sequence[Repeats], results: Mapping[Path, Outcome | Lost], remedy: str) -> None:
    """Raise CifarmlpError, with a line a config, if the workers of seeds were lost."""
    lines = []
    for repeats in todo:
        lost = {
            config.seed: result.reason
            for place, config in repeats.places().items()
            if isinstance(result := results.get(place), Lost)
        }
        if lost:
            seeds, reasons = " and ".join(map(str, lost)), ", ".join(sorted({*lost.values()}))
            rest = f"the rest is in {repeats.folder}"
            name = f"{repeats.config.name}, " * (len(todo) > 1)
            whose = f"{name}seed{'s' * (len(lost) > 1)} {seeds}"
            lines.append(f"{whose}: given up after two tries: {reasons}; try {remedy}; {rest}")
    if lines:
        raise CifarmlpError("\n".join(lines))
