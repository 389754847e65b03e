"""One config over one or several seeds: which folders, which processes, and the summary."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, differences, digest, load_config, override_with, to_yaml
from cifarmlp.data import Dataset, load
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError, show_warnings_as_lines
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.training import checkpoint
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.outcome import Outcome, read_ended, summarise
from cifarmlp.training.run import train_into

Watch = Callable[[Training, Record], None]


@dataclass(frozen=True)
class SeedTask:
    """One training, as a worker process gets it."""

    config: Config
    folder: Path
    data_dir: Path | None
    threads: int | None
    strict: bool


@dataclass(frozen=True)
class Repeats:
    """A config to be trained with so many seeds, its own and those after it, and where."""

    folder: Path
    config: Config
    seeds: int

    def places(self) -> dict[Path, Config]:
        """The folder of each seed, with its config: this one, or one below it for each of several."""
        seeded = [override_with(self.config, {"seed": self.config.seed + i}) for i in range(self.seeds)]
        if self.seeds == 1:
            return {self.folder: self.config}
        return {self.folder / f"seed-{config.seed}": config for config in seeded}


def claim_repeats(config: Config, seeds: int, out: Path) -> Repeats:
    """A new folder for them. Raises RunFolderError."""
    repeats = Repeats(files.claim(out, config.name), config, seeds)
    begin_repeats(repeats)
    return repeats


def begin_repeats(repeats: Repeats) -> None:
    """Write to their folder what is to be trained. Raises RunFolderError."""
    if repeats.seeds > 1:
        write_summary(repeats, [])  # first: with config.yaml alone, it would be the training of one seed
    files.write_text(repeats.folder / "config.yaml", to_yaml(repeats.config))


def repeats_to_resume(folder: Path, config: Config | None = None, seeds: int | None = None) -> Repeats:
    """What was begun in a folder, to go on with, which must be what was asked for, as far as that was said.

    Raises RunFolderError where that can't be read, ConfigError where it is something else.
    """
    if folder.is_file():
        raise RunFolderError(f"{folder}: a file; give the run's folder, {folder.parent}")
    planned = _planned(folder)
    try:
        there = load_config(folder / "config.yaml")
    except CifarmlpError as error:
        raise RunFolderError(
            f"{folder}: not the folder of a training: {str(error).splitlines()[0]}"
        ) from error
    if (folder / "search.json").exists():
        raise ConfigError(f"{folder}: the folder of a search; cifarmlp search --resume {folder}")
    _refuse_another(folder, there, config)
    if seeds not in (None, planned):
        raise ConfigError(f"{folder} has {planned} seed{'s' * (planned > 1)}; leave out --repeats")
    repeats = Repeats(folder, there, planned)
    for place, seeded in repeats.places().items():  # which somebody may have changed since they were begun
        _refuse_another(place, _config_in(place), seeded)
        _refuse_changed(place, seeded)
    return repeats


def _refuse_another(folder: Path, there: Config | None, here: Config | None) -> None:
    other = differences(there, here) if there and here else []
    if other:
        raise ConfigError(f"{folder} is the training of another config: {'; '.join(other[:3])}")


def _refuse_changed(folder: Path, config: Config) -> None:
    if read_ended(folder) is None and checkpoint.load(folder)[0]:
        return  # which knows the whole config, and tells the difference
    try:
        begun_with = json.loads((folder / "environment.json").read_bytes()).get("config")
    except (OSError, ValueError, AttributeError):
        return  # not begun, or damaged: nothing to compare it with
    if begun_with not in (None, digest(config)):
        raise ConfigError(
            f"{folder}: its config.yaml has changed since it was begun; put it back, or train it as a new one"
        )


def _config_in(folder: Path) -> Config | None:
    try:
        return load_config(folder / "config.yaml")
    except CifarmlpError:
        return None  # not begun, or to be written again


def _planned(folder: Path) -> int:
    try:
        planned = int(json.loads((folder / "summary.json").read_bytes())["planned"])
        if planned < 1:
            raise ValueError(planned)
        return planned
    except FileNotFoundError:
        return 1
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{folder / 'summary.json'}: damaged; train the config anew") from error


def train_seeds(
    repeats: Repeats,
    dataset: Dataset,
    data_dir: Path | None,
    *,
    jobs: int = 1,
    threads: int | None = None,
    strict: bool = False,
    watch: Watch = lambda training, record: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    stop: Callable[[], int] = lambda: 0,
) -> list[Outcome]:
    """Train the seeds whose training hasn't ended, each from its last checkpoint; summary.json of several.

    `watch` sees the records of trainings in this process, that is with one job; `ended` sees every outcome.
    Raises RunFolderError where a folder can't be used; see also `experiment.train_into`. CifarmlpError at the
    end, where the worker of a seed died twice or had too little memory.
    """
    with files.lock(repeats.folder) if repeats.seeds > 1 else nullcontext():
        known = {place: read_ended(place) for place in repeats.places()}
        outcomes = [found for found in known.values() if found]
        todo = {place: config for place, config in repeats.places().items() if known[place] is None}
        jobs = min(jobs, max(1, len(todo)))
        threads = threads or (None if jobs == 1 else 1)
        tasks = [SeedTask(config, place, data_dir, threads, strict) for place, config in todo.items()]
        alone = partial(_train, dataset=dataset, watch=watch, stop=stop)
        lost: dict[int, Lost] = {}
        for task, result in map_unordered(train_seed if jobs > 1 else alone, tasks, jobs, stop=stop):
            if isinstance(result, Lost):
                lost[task.config.seed] = result
            else:
                ended(result)
                outcomes.append(result)
        outcomes.sort(key=lambda outcome: outcome.seed)
        if repeats.seeds > 1:
            write_summary(repeats, [each for each in outcomes if each.status != "interrupted"])
        if lost:
            raise _given_up(lost, repeats.folder, jobs)
        return outcomes


def write_summary(repeats: Repeats, outcomes: list[Outcome]) -> None:
    """summary.json of several seeds: of those that have ended, and how many are planned."""
    files.write_json(repeats.folder / "summary.json", {**summarise(outcomes), "planned": repeats.seeds})


def train_seed(task: SeedTask) -> Outcome:
    """A worker's whole job."""
    show_warnings_as_lines()
    dataset = load(task.config.data.source, task.data_dir)
    return _train(task, dataset, lambda training, record: None, watch_signals())


def _train(task: SeedTask, dataset: Dataset, watch: Watch, stop: Callable[[], int]) -> Outcome:
    folder = files.make_folder(task.folder)
    return train_into(folder, task.config, dataset, task.threads, watch, lambda: bool(stop()), task.strict)


def _given_up(lost: dict[int, Lost], folder: Path, jobs: int) -> CifarmlpError:
    seeds = " and ".join(map(str, sorted(lost)))
    reasons = ", ".join(sorted({each.reason for each in lost.values()}))
    remedy = "fewer --jobs" if jobs > 1 else "a smaller network.hidden or training.batch_size"
    return CifarmlpError(
        f"seed {seeds}: given up after two tries: {reasons}; try {remedy}; the rest is in {folder}"
    )
