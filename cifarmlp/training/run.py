"""One training into its run folder.

    config, images -> Training -> records -> metrics.csv, checkpoint.npz -> Outcome -> result.json

Files of a run folder, in the order in which they are first written:

    file              holds                                    written
    .lock             nothing: locked by the process at work   first; stays
    .owner.json       which process that is                    first; removed at the end
    config.yaml       config, every default written out        before the first step
    environment.json  versions, machine, command, images       before the first step
    metrics.csv       one row per evaluation                   after each evaluation, as a whole
    events.out.*      the same rows, for TensorBoard           after each evaluation, with `tensorboard`
    snapshot-STEP.npz model of a cycle's end, as model.npz     there, with `snapshots: true`
    checkpoint.npz    state to resume from                     after some evaluations, see `Keeper`; when
                                                               interrupted; keeps the one before it as
                                                               checkpoint.previous.npz until the end
    batch_loss.csv    loss of the mini-batches, in windows     with each checkpoint, and at the end
    model.npz         parameters, running averages, pixel      when finished, diverged or interrupted
                      statistics
    result.json       outcome, SHA-256 of model.npz            when finished, diverged or interrupted
    curves.png        cost, loss, accuracy, eta                when finished or diverged; last
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.config import Config, digest, to_yaml, words
from cifarmlp.data import Dataset, Images, Room
from cifarmlp.errors import RunFolderError
from cifarmlp.nn.scores import confusion, scores
from cifarmlp.nn.types import Float
from cifarmlp.render.curves import draw_training
from cifarmlp.training import checkpoint, environment
from cifarmlp.training.batch_loss import BATCH_LOSS
from cifarmlp.training.build import build_training, eta_by_step, model_arrays, network_arrays, split_images
from cifarmlp.training.checkpoint import Keeper
from cifarmlp.training.cost import check_memory
from cifarmlp.training.diagnosis import explain_chance, explain_divergence, stays_at_chance
from cifarmlp.training.loop import CHUNK, Record, Stopped, Training
from cifarmlp.training.outcome import CLASSES, F1, Outcome, model_checksum
from cifarmlp.training.rooms import begin_to_fill, room_of
from cifarmlp.training.rows import of_member, outcome_of, row_of
from cifarmlp.training.snapshots import snapshot_name, snapshots
from cifarmlp.training.tensorboard import write_events
from cifarmlp.training.threads import BlasThreads


@np.errstate(all="ignore")  # an overflow shows as a loss that is not finite
def train_into(
    folder: Path,
    config: Config,
    dataset: Dataset,
    threads: int | None = None,
    watch: Callable[[Training, Record], None] = lambda training, record: None,
    stop: Callable[[], bool] = lambda: False,
    strict: bool = False,
    tensorboard: bool = False,
    room: str | None = None,
) -> Outcome:
    """Train a config in its run folder, from the last checkpoint there or from the beginning.

    `watch` sees every record, `stop` may end the training early. threads: of BLAS; None adapts their number,
    see `BlasThreads`. tensorboard: write event files, too. room: see `room_of`. Raises ConfigError if the
    checkpoint is of another config, or there is no writer of event files; RunFolderError if the folder cannot
    be written, another process is at work in it or, with `strict`, the checkpoint is from another
    environment, where other bits may come out.
    """
    check_memory(config)
    with files.lock(folder):
        session = _begin(folder, config, dataset, threads, strict)
        session.training.stop = stop
        _give_room(session.training, room_of(room, dataset, session.training.train))
        with write_events(folder, session.rows) if tensorboard else nullcontext(_ignore) as add_event:
            for record in session.training.records():
                session.keep(record)
                add_event(session.rows[-1])
                watch(session.training, record)
                session.blas.adapt()
        return _finish(session)


def _give_room(training: Training, room: Room | None) -> None:
    if room:
        training.room = room
        begin_to_fill(room, training.mean, training.std)


def _ignore(row: Mapping[str, float]) -> None:
    """Write no event."""


@dataclass
class Session:
    """A training at work in its folder.

    test: images of the last evaluation. rows: of metrics.csv so far. start: time by `perf_counter` at which
    the training would have begun, had this process done all of it.
    """

    folder: Path
    config: Config
    training: Training
    test: Images
    blas: BlasThreads
    keeper: Keeper
    rows: list[dict[str, float]]
    start: float

    @property
    def seconds(self) -> float:
        """Seconds trained so far, by earlier processes too."""
        return time.perf_counter() - self.start

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


def _begin(folder: Path, config: Config, dataset: Dataset, threads: int | None, strict: bool) -> Session:
    """Build the training, restore its checkpoint, and write config.yaml and environment.json."""
    images = split_images(config, dataset)
    training = build_training([config], images)
    blas = BlasThreads(threads, training.network.sizes, training.batch_size, CHUNK)
    here = environment.describe(dataset, blas.count)
    decisive = environment.fingerprint(here, None if blas.same_bits else blas.count)
    keeper = Keeper(folder, to_yaml(config), decisive)
    rows, seconds = _restore(training, keeper, strict)
    files.write_text(folder / "config.yaml", keeper.config)
    environment.write_environment(folder, here.model_copy(update={"config": digest(config)}))
    if rows:
        files.write_rows(folder / "metrics.csv", rows)  # there may be later rows, or a torn one
    start = time.perf_counter() - seconds
    return Session(folder, config, training, images.test, blas, keeper, rows, start)


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


def _finish(session: Session) -> Outcome:
    """Measure the model, explain a failure, and write model, curves and result."""
    training, seconds = session.training, session.seconds
    if not training.over and not training.all_diverged:
        session.save()  # before anything folds the weights
    outcome = outcome_of(session.config, training, _row_to_keep(session), seconds)
    if outcome.status != "interrupted":
        _measure(session, outcome)
    _explain(session, outcome)
    _write(session, outcome)
    return outcome


def _row_to_keep(session: Session) -> dict[str, float]:
    """Return the row of metrics.csv of the best step, if that is kept, or else the last one; empty if none.

    A training that diverged has another row of its last step, which is not that of the best.
    """
    network, step = session.training.kept
    if network is session.training.evaluated:
        return session.rows[-1] if session.rows else {}
    return next(row for row in session.rows if row["step"] == step)


def _measure(session: Session, outcome: Outcome) -> None:
    """Evaluate the test images, also class by class; of the best network all, as its row may be of a part."""
    training, network = session.training, session.training.kept[0]
    images = {"train": training.train, "validation": training.validation, "test": session.test}
    is_last = network is training.evaluated
    parts = [p for p, each in images.items() if len(each) and not (is_last and p in outcome.metrics)]
    outputs: list[Float] = []
    try:
        for part in parts:
            measured = training.evaluate(images[part], network, outputs if part == "test" else None)
            outcome.metrics[part] = of_member(measured)
        if not outputs:
            training.evaluate(session.test, network, outputs)
        _add_scores(outcome, session.test.labels, np.concatenate(outputs)[:, 0].argmax(axis=1))
    except Stopped:
        outcome.status, outcome.diverged_at, outcome.stopped = "interrupted", None, ""


def _add_scores(outcome: Outcome, labels: NDArray[np.uint8], predicted: NDArray[np.intp]) -> None:
    """Add macro F1, and precision and recall of each class, of a network whose numbers are finite."""
    if not math.isfinite(outcome.metric("test", "accuracy")):
        return
    found = scores(confusion(labels, predicted))
    outcome.metrics["test"][F1] = found.macro_f1
    outcome.classes = {name: getattr(found, name).tolist() for name in CLASSES}


def _explain(session: Session, outcome: Outcome) -> None:
    """Add to the outcome why the training diverged, or did not leave chance level."""
    training, config = session.training, session.config
    if outcome.diverged_at is not None:
        explain_divergence(outcome, training, outcome.diverged_at, config)
        return
    has_trained = outcome.status == "finished" and outcome.steps > 0
    if has_trained and stays_at_chance(session.rows, training.train, training.evaluate_images):
        explain_chance(outcome, training, config)


def _write(session: Session, outcome: Outcome) -> None:
    folder, is_over = session.folder, outcome.status != "interrupted"
    if session.training.snapshot_every:
        outcome.snapshots = {path.name: model_checksum(folder, path.name) for path in snapshots(folder)}
    session.write_batch_loss()
    files.write_arrays(folder / "model.npz", model_arrays(session.training))
    files.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})
    if is_over:
        checkpoint.drop_previous(folder)
        with files.forgive(folder / "curves.png", f"cifarmlp report {quote(str(folder))}"):
            _draw(session)


def _draw(session: Session) -> None:
    training, config = session.training, session.config
    eta = eta_by_step(training.schedule, training.step, 1001)
    title, loss = f"{config.name}, seed {config.seed}", words.loss_label([config])
    figure = draw_training(session.rows, eta, title, session.batch_loss(), loss)
    files.write_png(session.folder / "curves.png", figure)
