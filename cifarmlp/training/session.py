"""A training at work in its run folder: its records go to metrics.csv, its state to checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, digest, to_yaml
from cifarmlp.data import Dataset, Images
from cifarmlp.errors import RunFolderError
from cifarmlp.training import environment
from cifarmlp.training.batch_loss import BATCH_LOSS
from cifarmlp.training.build import build_training, network_arrays, split_images
from cifarmlp.training.checkpoint import Keeper
from cifarmlp.training.loop import CHUNK, Record, Training
from cifarmlp.training.rows import row_of
from cifarmlp.training.snapshots import snapshot_name
from cifarmlp.training.threads import BlasThreads


def _ignore(row: Mapping[str, float]) -> None:
    """Write no event."""


@dataclass
class Session:
    """A training at work in its folder.

    test: images of the last evaluation. rows: of metrics.csv so far. seconds: trained so far, by earlier
    processes too; in lockstep its share. add_event: takes each row, for TensorBoard.
    """

    folder: Path
    config: Config
    training: Training
    test: Images
    blas: BlasThreads
    keeper: Keeper
    rows: list[dict[str, float]]
    seconds: float
    add_event: Callable[[Mapping[str, float]], None] = _ignore

    def keep(self, record: Record) -> None:
        """Write the record to metrics.csv, and what is due of a snapshot and a checkpoint.

        Raises RunFolderError.
        """
        self.rows.append(row_of(record))
        files.write_rows(self.folder / "metrics.csv", self.rows)
        if self.training.all_diverged:  # at a step whose record, snapshot and checkpoint were made before
            return
        every = self.training.snapshot_every
        if every and record.step and record.step % every == 0:
            arrays = network_arrays(self.training, self.training.evaluated)
            files.write_arrays(self.folder / snapshot_name(record.step), arrays)
        if self.keeper.is_due():
            self.save()

    def write_batch_loss(self) -> None:
        """Write batch_loss.csv, unless it would be empty. Raises RunFolderError."""
        if rows := self.batch_loss():
            files.write_rows(self.folder / BATCH_LOSS, rows)

    def batch_loss(self) -> list[dict[str, float]]:
        """Return the rows of batch_loss.csv."""
        return self.training.batch_loss.rows(self.training.step)

    def save(self) -> None:
        """Save a checkpoint, and the losses of the mini-batches so far. Raises RunFolderError."""
        self.write_batch_loss()
        self.keeper.save(self.training.state(), self.rows, self.seconds)


def begin_sessions(
    places: Mapping[Path, Config], dataset: Dataset, threads: int | None, strict: bool
) -> list[Session]:
    """Build trainings with common settings, restore their checkpoints, and begin to write their folders.

    config.yaml and environment.json are written. Raises as `train_into`.
    """
    configs = [*places.values()]
    images = split_images(configs[0], dataset)
    first = build_training(configs[:1], images)
    others = [build_training([each], images, statistics=(first.mean, first.std)) for each in configs[1:]]
    blas = BlasThreads(threads, first.network.sizes, first.batch_size, CHUNK)
    here = environment.describe(dataset, blas.count)
    decisive = environment.fingerprint(here, None if blas.same_bits else blas.count)
    names, sessions = [config.name for config in configs], []
    for (folder, config), training in zip(places.items(), [first, *others], strict=True):
        if names.count(config.name) > 1:
            training.name = str(folder)
        keeper = Keeper(folder, to_yaml(config), decisive)
        rows, seconds = _restore(training, keeper, strict)
        files.write_text(folder / "config.yaml", keeper.config)
        environment.write_environment(folder, here.model_copy(update={"config": digest(config)}))
        if rows:
            files.write_rows(folder / "metrics.csv", rows)  # there may be later rows, or a torn one
        sessions.append(Session(folder, config, training, images.test, blas, keeper, rows, seconds))
    return sessions


def _restore(training: Training, keeper: Keeper, strict: bool) -> tuple[list[dict[str, float]], float]:
    """Go on from the checkpoint, if there is one. Return its rows of metrics.csv and seconds."""
    saved = keeper.load_to_resume(strict)
    if saved is None:
        return [], 0.0
    try:
        training.restore(saved.arrays)
    except ValueError as error:
        raise RunFolderError(
            f"{keeper.folder}: its checkpoint cannot be used: {error}; train it anew"
        ) from error
    return saved.rows, saved.seconds
