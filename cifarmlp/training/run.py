"""One training into its run folder, and a population of trainings in lockstep.

    config, images -> Training -> records -> metrics.csv, checkpoint.npz -> Outcome -> result.json

Files of a run folder, in the order in which they are first written:

    file              holds                                    written
    .lock             nothing: locked by the process at work   first; stays
    .owner.json       which process that is                    first; removed at the end
    config.yaml       config, every default written out        before the first step
    environment.json  versions, machine, command, images       before the first step
    metrics.csv       one row per evaluation                   after each evaluation, as a whole
    checkpoint.npz    state to resume from                     after some evaluations, see `Keeper`; when
                                                               interrupted; keeps the one before it as
                                                               checkpoint.previous.npz until the end
    model.npz         parameters, running averages, pixel      when finished, diverged or interrupted
                      statistics
    result.json       outcome, SHA-256 of model.npz            when finished, diverged or interrupted
    curves.png        cost, loss, accuracy, eta                when finished or diverged; last
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import numpy as np

from cifarmlp import files
from cifarmlp.config import Config, digest, to_yaml
from cifarmlp.data import Dataset, Images
from cifarmlp.errors import RunFolderError
from cifarmlp.render.curves import draw_training
from cifarmlp.training import checkpoint, environment
from cifarmlp.training.build import build_training, eta_by_step, model_arrays, split_images
from cifarmlp.training.checkpoint import Keeper
from cifarmlp.training.cost import check_memory
from cifarmlp.training.diagnosis import explain_chance, explain_divergence, stays_at_chance
from cifarmlp.training.loop import CHUNK, Metrics, Record, Stopped, Training
from cifarmlp.training.outcome import PARTS, QUANTITIES, Outcome, Status, model_checksum
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
) -> Outcome:
    """Train a config in its run folder, from the last checkpoint there or from the beginning.

    `watch` sees every record, `stop` may end the training early. threads: of BLAS; None adapts their number,
    see `BlasThreads`. Raises ConfigError if the checkpoint is of another config; RunFolderError if the folder
    cannot be written, another process is at work in it or, with `strict`, the checkpoint is from another
    environment, where other bits may come out.
    """
    check_memory(config)
    with files.lock(folder):
        session = _begin(folder, config, dataset, threads, strict)
        session.training.stop = stop
        for record in session.training.records():
            session.keep(record)
            watch(session.training, record)
            session.blas.adapt()
        return _finish(session)


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
        """Write the record to metrics.csv, and a checkpoint if one is due. Raises RunFolderError."""
        self.rows.append(row_of(record))
        files.write_rows(self.folder / "metrics.csv", self.rows)
        if self.keeper.is_due() and not self.training.all_diverged:
            self.save()

    def save(self) -> None:
        """Save a checkpoint. Raises RunFolderError."""
        self.keeper.save(self.training.state(), self.rows, self.seconds)


def _begin(folder: Path, config: Config, dataset: Dataset, threads: int | None, strict: bool) -> Session:
    """Build the training, restore its checkpoint, and write config.yaml and environment.json."""
    images = split_images(config, dataset)
    training = build_training([config], images)
    blas = BlasThreads(threads, training.network.sizes, training.batch_size, CHUNK)
    here = environment.describe(dataset, blas.most)
    decisive = environment.fingerprint(here, None if blas.same_bits else blas.most)
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
    """Evaluate the test images, explain a failure, and write model, curves and result."""
    training, seconds = session.training, session.seconds
    if not training.over and not training.all_diverged:
        session.save()  # before anything folds the weights
    outcome = _outcome(session.config, training, session.rows[-1] if session.rows else {}, seconds)
    if outcome.status != "interrupted":
        _evaluate_test(session, outcome)
    _explain(session, outcome)
    _write(session, outcome)
    return outcome


def _outcome(
    config: Config, training: Training, row: Mapping[str, float], seconds: float, member: int = 0
) -> Outcome:
    """Return the outcome of a member, whose last row of metrics.csv is `row`; empty if it has none."""
    diverged = int(training.diverged[member])
    status: Status = "interrupted" if not training.over else "diverged" if diverged >= 0 else "finished"
    metrics = {part: {q: row[f"{part}_{q}"] for q in QUANTITIES} for part in PARTS[:2] if row}
    return Outcome(
        status,
        training.step,
        training.step / training.steps_per_epoch,
        seconds,
        metrics,
        config.seed,
        diverged_at=diverged if status == "diverged" else None,
    )


def _evaluate_test(session: Session, outcome: Outcome) -> None:
    try:
        outcome.metrics["test"] = _of_member(session.training.evaluate(session.test))
    except Stopped:
        outcome.status, outcome.diverged_at = "interrupted", None


def _explain(session: Session, outcome: Outcome) -> None:
    """Add to the outcome why the training diverged, or never left chance level in an epoch or more."""
    training, config = session.training, session.config
    if outcome.diverged_at is not None:
        explain_divergence(outcome, training, outcome.diverged_at, config)
        return
    is_long = outcome.status == "finished" and outcome.epochs >= 1
    if is_long and stays_at_chance(session.rows, training.train, training.evaluate_images):
        explain_chance(outcome, training, config)


def _write(session: Session, outcome: Outcome) -> None:
    folder, is_over = session.folder, outcome.status != "interrupted"
    files.write_arrays(folder / "model.npz", model_arrays(session.training))
    files.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})
    if is_over:
        checkpoint.drop_previous(folder)
        with files.forgive(folder / "curves.png", f"cifarmlp report {quote(str(folder))}"):
            _draw(session)


def _draw(session: Session) -> None:
    training, config = session.training, session.config
    eta = eta_by_step(training.schedule, training.step, 1001)
    figure = draw_training(session.rows, eta, f"{config.name}, seed {config.seed}")
    files.write_png(session.folder / "curves.png", figure)


@np.errstate(all="ignore")
def train_together(
    configs: Sequence[Config], dataset: Dataset, stop: Callable[[], bool] = lambda: False
) -> list[Outcome]:
    """Train a population in one BLAS thread. Return an outcome a config, or none if `stop` ended it.

    For comparing configs: evaluated at step 0 and at the end only, and not on the test images. An outcome's
    seconds are its share of the population's.
    """
    check_memory(configs[0], len(configs))
    training = build_training(configs, split_images(configs[0], dataset))
    training.evaluate_every, training.evaluate_images = max(1, training.steps), CHUNK
    training.stop = stop
    BlasThreads(1, training.network.sizes, training.batch_size, CHUNK)
    start = time.perf_counter()
    records = list(training.records())
    if not training.over:
        return []
    seconds = (time.perf_counter() - start) / len(configs)
    rows = [row_of(records[-1], member) for member in range(len(configs))]
    return [_outcome(config, training, rows[k], seconds, k) for k, config in enumerate(configs)]


def row_of(record: Record, member: int = 0) -> dict[str, float]:
    """Return the row of metrics.csv that holds a record."""
    row = {"step": record.step, "epoch": record.epoch, "eta": float(record.eta[member])}
    for part in PARTS[:2]:
        metrics = _of_member(getattr(record, part), member)
        row.update({f"{part}_{quantity}": value for quantity, value in metrics.items()})
    return row


def _of_member(metrics: Metrics, member: int = 0) -> dict[str, float]:
    return {quantity: float(getattr(metrics, quantity)[member]) for quantity in QUANTITIES}
