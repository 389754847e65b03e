"""One config over one or several seeds: which folders, which processes, and the summary."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cifarmlp import runs
from cifarmlp.config import Config, override_with
from cifarmlp.data import Dataset, load
from cifarmlp.errors import CifarmlpError
from cifarmlp.experiment import Outcome, summarise, train_into
from cifarmlp.interrupts import watch_signals
from cifarmlp.train import Record, Training
from cifarmlp.workers import Lost, map_unordered

Watch = Callable[[Training, Record], None]


@dataclass(frozen=True)
class Task:
    """One training, as a worker process gets it."""

    config: Config
    folder: Path
    data_dir: Path | None
    threads: int | None


def train_seeds(
    config: Config,
    out: Path,
    data_dir: Path | None,
    *,
    repeats: int = 1,
    jobs: int = 1,
    threads: int | None = None,
    watch: Watch = lambda training, record: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    stop: Callable[[], int] = lambda: 0,
) -> tuple[Path, list[Outcome]]:
    """Train seeds seed, seed + 1, ...; one folder, or one a seed with a summary.json above them.

    `watch` sees the records of trainings in this process, that is with one job; `ended` sees every outcome.
    Raises DataError before, and RunFolderError once, a folder is claimed; CifarmlpError at the end, where the
    worker of a seed died twice or had too little memory.
    """
    dataset = load(config.data.source, data_dir, download=True)  # before a folder is claimed
    folder = runs.claim(out, config.name)
    jobs = min(jobs, repeats)
    tasks = [
        Task(seeded, _place(folder, seeded.seed, repeats), data_dir, threads or (None if jobs == 1 else 1))
        for seeded in _seeds(config, repeats)
    ]
    alone = partial(_train, dataset=dataset, watch=watch, stop=stop)
    answers: dict[int, Outcome | Lost] = {}
    for task, answer in map_unordered(train_task if jobs > 1 else alone, tasks, jobs, stop=stop):
        answers[task.config.seed] = answer
        if isinstance(answer, Outcome):
            ended(answer)
    outcomes = [answer for _, answer in sorted(answers.items()) if isinstance(answer, Outcome)]
    if repeats > 1:
        runs.write_json(
            folder / "summary.json", summarise([o for o in outcomes if o.status != "interrupted"])
        )
    lost = {seed: answer.reason for seed, answer in answers.items() if isinstance(answer, Lost)}
    if lost:
        raise _given_up(lost, folder, jobs)
    return folder, outcomes


def train_task(task: Task) -> Outcome:
    """A worker's whole job."""
    dataset = load(task.config.data.source, task.data_dir)
    return _train(task, dataset, lambda training, record: None, watch_signals())


def _train(task: Task, dataset: Dataset, watch: Watch, stop: Callable[[], int]) -> Outcome:
    folder = runs.make_folder(task.folder)
    return train_into(folder, task.config, dataset, task.threads, watch, lambda: bool(stop()))


def _given_up(lost: dict[int, str], folder: Path, jobs: int) -> CifarmlpError:
    seeds = ", ".join(f"seed {seed}" for seed in sorted(lost))
    reasons = ", ".join(sorted(set(lost.values())))
    remedy = "fewer --jobs" if jobs > 1 else "a smaller network.hidden or training.batch_size"
    return CifarmlpError(
        f"{seeds}: given up after two tries, as {reasons}; try {remedy}; what was trained is in {folder}"
    )


def _seeds(config: Config, repeats: int) -> list[Config]:
    return [override_with(config, {"seed": config.seed + i}) for i in range(repeats)]


def _place(folder: Path, seed: int, repeats: int) -> Path:
    return folder / f"seed-{seed}" if repeats > 1 else folder
