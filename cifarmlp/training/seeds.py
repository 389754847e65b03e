"""A config trained with one or several seeds.

    config, seeds -> Repeats -> a folder a seed -> `train_into`, here or in worker processes -> summary.json

The folder of each seed is a run folder, see `cifarmlp.training.run`.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import (
    Config,
    digest,
    digest_of_text,
    load_config,
    override_with,
    refuse_other_config,
    to_yaml,
)
from cifarmlp.data import Dataset, load
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError, show_warnings_as_lines
from cifarmlp.parallel import Lost, map_unordered
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.training import checkpoint
from cifarmlp.training.cautions import warn_of_settings
from cifarmlp.training.curves import write_curves
from cifarmlp.training.environment import describe, fingerprint, read_environment
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.outcome import Outcome, read_ended, read_planned, summarise
from cifarmlp.training.provenance import refuse_other_folders
from cifarmlp.training.run import train_into

Watch = Callable[[Training, Record], None]


@dataclass(frozen=True)
class SeedTask:
    """One training, as it is sent to a worker process. data_dir: where the images are looked for."""

    config: Config
    folder: Path
    data_dir: Path | None
    threads: int | None
    strict: bool
    tensorboard: bool = False


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
    environment = read_environment(folder)
    digests = (None, digest(config), _digest_in(folder))
    if environment and environment.config not in digests:
        raise ConfigError(
            f"{folder}: its config.yaml has changed since it was begun; put it back, or train it as a new one"
        )


def _digest_in(folder: Path) -> str | None:
    """Return the digest of config.yaml as it stands there, by an earlier version maybe."""
    try:
        return digest_of_text((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _config_in(folder: Path) -> Config | None:
    try:
        return load_config(folder / "config.yaml")
    except CifarmlpError:
        return None  # not begun yet, or damaged and to be written anew


def train_seeds(
    repeats: Repeats,
    dataset: Dataset,
    data_dir: Path | None,
    *,
    jobs: int = 1,
    threads: int | None = None,
    strict: bool = False,
    tensorboard: bool = False,
    watch: Watch = lambda training, record: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    stop: Callable[[], int] = lambda: 0,
) -> list[Outcome]:
    """Train the seeds that have not ended, each from its last checkpoint. Return all outcomes, by seed.

    Of several seeds, summary.json is written. jobs: processes at a time. threads: of BLAS in each, see
    `train_into`, as for strict and tensorboard. `watch` sees the records of trainings in this process, that
    is with one job; `ended` sees each new outcome. Raises RunFolderError if a folder cannot be used,
    DataError if a seed was trained on other images; at the end CifarmlpError if the worker of a seed died
    twice or ran out of memory twice.
    """
    with files.lock(repeats.folder) if repeats.seeds > 1 else nullcontext():
        places = repeats.places()
        outcomes = {place: outcome for place in places if (outcome := read_ended(place))}
        if outcomes:
            refuse_other_folders(outcomes, fingerprint(describe(dataset, 1)), strict)
        todo = {place: config for place, config in places.items() if place not in outcomes}
        jobs = min(jobs, max(1, len(todo)))
        threads = threads or (None if jobs == 1 else 1)
        tasks = [
            SeedTask(config, place, data_dir, threads, strict, tensorboard) for place, config in todo.items()
        ]
        if tasks:
            warn_of_settings(repeats.config)
        work = train_seed if jobs > 1 else partial(_train, dataset=dataset, watch=watch, stop=stop)
        lost = {}
        for task, result in map_unordered(work, tasks, jobs, stop=stop):
            if isinstance(result, Lost):
                lost[task.config.seed] = result
            else:
                ended(result)
                outcomes[task.folder] = result
        return _conclude(repeats, list(outcomes.values()), lost, jobs)


def _conclude(repeats: Repeats, outcomes: list[Outcome], lost: dict[int, Lost], jobs: int) -> list[Outcome]:
    """Write summary and curves, and return the outcomes by seed. Raises CifarmlpError if seeds were lost."""
    outcomes = sorted(outcomes, key=lambda outcome: outcome.seed)
    ended = [outcome for outcome in outcomes if outcome.status != "interrupted"]
    if repeats.seeds > 1:
        write_summary(repeats, ended)
        if len(ended) == repeats.seeds:
            write_curves(repeats.folder, repeats.config, [*repeats.places()])
    if lost:
        raise _lost_error(lost, repeats.folder, jobs)
    return outcomes


def write_summary(repeats: Repeats, outcomes: list[Outcome]) -> None:
    """Write summary.json over the seeds that have ended, and the number to train. Raises RunFolderError."""
    files.write_json(repeats.folder / "summary.json", {**summarise(outcomes), "planned": repeats.seeds})


def train_seed(task: SeedTask) -> Outcome:
    """Train one seed in a worker process."""
    show_warnings_as_lines()
    dataset = load(task.config.data.source, task.data_dir)
    return _train(task, dataset, lambda training, record: None, watch_signals())


def _train(task: SeedTask, dataset: Dataset, watch: Watch, stop: Callable[[], int]) -> Outcome:
    return train_into(
        files.make_folder(task.folder), task.config, dataset, task.threads, watch, lambda: bool(stop()),
        task.strict, task.tensorboard,
    )  # fmt: skip


def _lost_error(lost: dict[int, Lost], folder: Path, jobs: int) -> CifarmlpError:
    seeds = " and ".join(map(str, sorted(lost)))
    reasons = ", ".join(sorted({each.reason for each in lost.values()}))
    remedy = "fewer --jobs" if jobs > 1 else "a smaller network.hidden or training.batch_size"
    return CifarmlpError(
        f"seed {seeds}: given up after two tries: {reasons}; try {remedy}; the rest is in {folder}"
    )
