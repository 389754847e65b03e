"""Run folders read back: a config, its seeds, and the outcome and numbers of each."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cifarmlp.config import Config, load_config, override_with
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.nn.types import Float
from cifarmlp.text import escape
from cifarmlp.training.batch_loss import read_batch_loss
from cifarmlp.training.environment import CHANGED, config_has_changed, load_environment
from cifarmlp.training.metrics import read_metrics
from cifarmlp.training.outcome import MODEL, Outcome, read_ended, read_whole
from cifarmlp.training.snapshots import snapshot_step, snapshots

Kind = Literal["run", "search", "study"]
Columns = dict[str, NDArray[np.float64]]

NO_FOLDER = "no such folder; `cifarmlp runs` lists those that there are"
BESIDE_REPORTS = ("tables", "figures")
RANGE_TEST = "range-test.json"
ASIDE = re.compile(r"\.aside-\d+$")  # see `files.set_aside`


@dataclass(frozen=True)
class Seed:
    """One training. outcome: None if it has not ended, or its files are damaged.

    model_file: of the model to load, that of the training or of a snapshot.
    """

    folder: Path
    config: Config
    outcome: Outcome | None
    model_file: str = MODEL

    def rows(self) -> list[dict[str, float]]:
        """Return the rows of metrics.csv that are not damaged; none if there is no such file."""
        return read_metrics(self.folder)[0]

    def batch_losses(self) -> list[dict[str, float]]:
        """Return the rows of batch_loss.csv that are not damaged; none if there is no such file."""
        return read_batch_loss(self.folder)

    def faults(self) -> list[str]:
        """Return a line about each file of the training, or row of metrics.csv, that is damaged."""
        return [*read_metrics(self.folder)[1], *self.file_faults()]

    def file_faults(self) -> list[str]:
        """Return `faults` but for the rows of metrics.csv, which take long to read where they are many."""
        faults: list[str] = []
        for read in (read_whole, load_environment):
            try:
                read(self.folder)
            except RunFolderError as error:
                faults.append(str(error).removeprefix(f"{escape(str(self.folder))}{os.sep}"))
        return [*faults, *([CHANGED] if config_has_changed(self.folder, self.config) else [])]

    def history(self) -> Columns:
        """Return metrics.csv by column (`step`, `train_loss`, …), each (evaluations,) float64.

        Empty if nothing has been evaluated yet.
        """
        return _columns(self.rows())

    def to_frame(self) -> Any:
        """Return `history` as a pandas.DataFrame. Raises CifarmlpError if pandas is not installed."""
        return _frame(self.history())

    def snapshots(self) -> tuple["Seed", ...]:
        """Return the training with each of its snapshots as the model, by step; none if it kept none."""
        return tuple(replace(self, model_file=path.name) for path in snapshots(self.folder))

    def model(self) -> dict[str, Float]:
        """Return the arrays of the model: `W1`, `b1`, … float32, and `pixel_mean`, `pixel_std` (3072,).

        Raises RunFolderError if the file is missing, damaged or not the one that the training wrote.
        """
        from cifarmlp.runs.model import read_model  # here, as a listing needs no models

        return read_model(self.folder / self.model_file, self.config)

    def predict(self, images: NDArray[np.uint8]) -> Float:
        """Return class probabilities (n, 10) by the trained network, batch norm with its running averages.

        After training by `hinge` these are scores, by `binary_cross_entropy` a sigmoid a class.
        images: uint8 (n, 32, 32, 3), or (n, 3072) with 1024 red, then 1024 green, then 1024 blue values a
        row. Raises ValueError for any other array, RunFolderError as `model` does.
        """
        from cifarmlp.runs.model import predict

        return predict(self.folder / self.model_file, self.config, images)


@dataclass(frozen=True)
class Run:
    """A config trained with one or several seeds."""

    folder: Path
    config: Config
    seeds: tuple[Seed, ...]

    @property
    def path(self) -> Path:
        """By which `load_run` gives this run: its folder, or the snapshot in it that is the model."""
        names = {seed.model_file for seed in self.seeds} - {MODEL}
        return self.folder / names.pop() if names else self.folder

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes of the seeds whose training has ended."""
        return [seed.outcome for seed in self.seeds if seed.outcome]

    def status(self) -> str:
        """Return `finished` or `diverged` if all seeds have ended, else `unfinished`; see `status_of`."""
        return status_of(False, self.outcomes(), max(1, len(self.seeds)))

    def history(self) -> Columns:
        """Return the `history` of all seeds, one after the other, with the column `seed` in front."""
        return _columns({"seed": seed.config.seed, **row} for seed in self.seeds for row in seed.rows())

    def to_frame(self) -> Any:
        """Return `history` as a pandas.DataFrame. Raises CifarmlpError if pandas is not installed."""
        return _frame(self.history())

    def model(self) -> dict[str, Float]:
        """Return `Seed.model` of the only seed. Raises ValueError unless there is exactly one."""
        return self._only_seed().model()

    def predict(self, images: NDArray[np.uint8]) -> Float:
        """Return `Seed.predict` of the only seed. Raises ValueError unless there is exactly one."""
        return self._only_seed().predict(images)

    def _only_seed(self) -> Seed:
        if len(self.seeds) != 1:
            name = escape(str(self.folder))
            raise ValueError(f"{name}: {len(self.seeds)} seeds; take one of run.seeds, as run.seeds[0]")
        return self.seeds[0]


def status_of(is_locked: bool, outcomes: Sequence[Outcome], planned: int) -> str:
    """Return the worst state among the seeds of a run, of which `planned` are to be trained.

    From worst to best: running (locked by a process), interrupted, unfinished, diverged, finished.
    """
    states = {outcome.status for outcome in outcomes}
    if is_locked:
        return "running"
    if "interrupted" in states:
        return "interrupted"
    if len(outcomes) < planned:
        return "unfinished"
    return "diverged" if "diverged" in states else "finished"


def _columns(rows: Iterable[Mapping[str, float]]) -> Columns:
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}


def _frame(columns: Columns) -> Any:
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise CifarmlpError("pandas is not installed; pip install pandas") from error
    frame = pandas.DataFrame(columns)
    return frame.astype({"seed": "int64"}) if "seed" in columns else frame


def folder_kind(folder: Path) -> Kind | None:
    """Return what kind of folder of ours this is; None if it is none."""
    if (folder / "study.json").exists():
        return "study"
    if (folder / "search.json").exists():
        return "search"
    return "run" if (folder / "config.yaml").exists() else None


def unique_names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names; the paths of those whose names are equal. A path given twice is numbered.

    >>> unique_names([Path("runs/a-001"), Path("runs/b-001/seed-1"), Path("runs/c-001/seed-1")])
    ['a-001', 'runs/b-001/seed-1', 'runs/c-001/seed-1']
    """
    names = [folder.resolve().name or str(folder) for folder in folders]
    paths = [
        name if names.count(name) == 1 else str(folder) for name, folder in zip(names, folders, strict=True)
    ]
    return [path if paths.count(path) == 1 else f"{path} ({i})" for i, path in enumerate(paths, 1)]


def find_run(name: Path) -> Path:
    """Return a run's folder: `name` itself or, where that is no path, the run of this name in runs/."""
    inside = Path("runs") / name
    return inside if len(name.parts) == 1 and not name.exists() and inside.is_dir() else name


def folders_without_runs(folders: Sequence[Path]) -> list[Path]:
    """Return those of several folders that we made and that hold no run, as a shell's `*/` names them, too:
    figures and tables of a report, range tests, damaged runs set aside. None if all of them are such.
    """
    found = [folder for folder in folders if folder.is_dir() and _is_by_product(folder)]
    return found if len(found) < len(folders) else []


def _is_by_product(folder: Path) -> bool:
    if ASIDE.search(folder.name):
        return True
    is_beside_a_run = folder.name in BESIDE_REPORTS or (folder / RANGE_TEST).exists()
    return is_beside_a_run and folder_kind(folder) is None


def load_run(folder: Path) -> Run:
    """Load a training or a repeated one; of the path of a snapshot, the training with it as the model.

    Raises RunFolderError if there is none, or it is damaged.
    """
    if snapshot_step(folder.name) is not None and folder.is_file():
        run = load_run(folder.parent)
        return replace(run, seeds=tuple(replace(seed, model_file=folder.name) for seed in run.seeds))
    name = escape(str(folder))
    if not (folder / "config.yaml").exists():
        fault = "not a run folder: it has no config.yaml" if folder.exists() else NO_FOLDER
        raise RunFolderError(f"{name}: {fault}")
    try:
        config = load_config(folder / "config.yaml")
    except CifarmlpError as error:
        raise RunFolderError(f"{name}: damaged ({str(error).splitlines()[0]}); train it anew") from error
    if not (folder / "summary.json").exists():
        return Run(folder, config, (Seed(folder, config, read_ended(folder)),))
    return Run(folder, config, tuple(_seeds(folder, config)))


def load_training(folder: Path) -> Run:
    """Load as `load_run` does. Raises ConfigError, too, for the folder of a search or study."""
    name, kind = escape(str(folder)), folder_kind(folder)
    if snapshot_step(folder.name) is not None and folder.is_file():
        return load_run(folder)
    if kind == "search":
        raise ConfigError(f"{name}: the folder of a search; train its best.yaml, and name that run")
    if kind == "study":
        raise ConfigError(f"{name}: the folder of a study; name the runs inside it")
    if not folder.is_dir():
        raise RunFolderError(f"{name}: {NO_FOLDER}")
    return load_run(folder)


def _seeds(folder: Path, config: Config) -> Iterator[Seed]:
    numbers = [path.name.removeprefix("seed-") for path in folder.glob("seed-*")]
    for number in sorted(int(number) for number in numbers if number.isdecimal()):
        place = folder / f"seed-{number}"
        with suppress(CifarmlpError):
            yield Seed(place, override_with(config, {"seed": number}), read_ended(place))
