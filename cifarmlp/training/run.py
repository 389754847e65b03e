"""Where data, engine and disk meet: trainings become run folders and outcomes."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cifarmlp import files
from cifarmlp.config import Config, digest, to_yaml
from cifarmlp.data import Dataset, Split
from cifarmlp.errors import RunFolderError
from cifarmlp.render.curves import draw_training
from cifarmlp.training import checkpoint, environment
from cifarmlp.training.build import build_training, eta_by_step, model_arrays, split_images
from cifarmlp.training.checkpoint import Checkpoint, Keeper
from cifarmlp.training.cost import check_memory
from cifarmlp.training.diagnosis import explain_chance, explain_divergence, stays_at_chance
from cifarmlp.training.loop import CHUNK, Metrics, Record, Stopped, Training
from cifarmlp.training.outcome import PARTS, QUANTITIES, Outcome, model_checksum
from cifarmlp.training.threads import BlasThreads


@np.errstate(all="ignore")  # absurd numbers overflow; the loss tells
def train_into(
    folder: Path,
    config: Config,
    dataset: Dataset,
    threads: int | None = None,
    watch: Callable[[Training, Record], None] = lambda training, record: None,
    stop: Callable[[], bool] = lambda: False,
    strict: bool = False,
) -> Outcome:
    """Train one config in its run folder, from the last checkpoint there or from the beginning.

    `watch` sees every record, `stop` may end it early. threads: for BLAS; None adapts, see
    `blas.BlasThreads`. Raises RunFolderError where the folder can't be written, another process is at work in
    it or, if `strict`, its checkpoint was made where other bits may come out; ConfigError where that is of
    another config.
    """
    check_memory(config)
    with files.lock(folder):
        images = split_images(config, dataset)
        training = build_training([config], images)
        blas = BlasThreads(threads, training.network.sizes, training.batch_size, CHUNK)
        described = environment.describe(dataset, blas.most)
        here = environment.fingerprint(described, None if blas.same_bits else blas.most)
        keeper = Keeper(folder, to_yaml(config), here)
        saved = keeper.take_up(strict)
        if saved:
            _restore(training, saved, folder)
        files.write_text(folder / "config.yaml", keeper.config)
        files.write_json(folder / "environment.json", {**described, "config": digest(config)})
        training.stop = stop
        rows, started = saved.rows if saved else [], time.perf_counter() - (saved.seconds if saved else 0)
        if rows:
            files.write_rows(folder / "metrics.csv", rows)  # there may be later rows, or a torn one
        for record in training.records():
            rows.append(row_of(record))
            files.write_rows(folder / "metrics.csv", rows)
            if keeper.is_due() and not training.all_diverged:
                keeper.save(training.state(), rows, time.perf_counter() - started)
            watch(training, record)
            blas.adapt()
        seconds = time.perf_counter() - started
        if not training.over and not training.all_diverged:
            keeper.save(training.state(), rows, seconds)  # before anything folds the weights
        outcome = _outcome(config, training, images, rows, seconds)
        _save(folder, config, training, rows, outcome)
        return outcome


def _restore(training: Training, saved: Checkpoint, folder: Path) -> None:
    try:
        training.restore(saved.arrays)
    except ValueError as error:
        raise RunFolderError(f"{folder}: its checkpoint cannot be used: {error}; train it anew") from error


@np.errstate(all="ignore")
def train_together(
    configs: Sequence[Config], dataset: Dataset, stop: Callable[[], bool] = lambda: False
) -> list[Outcome]:
    """Train a population, in one BLAS thread; an outcome for each config, or none where `stop` ended it.

    For comparing configs: nothing is evaluated on the way, and the test images not at all. An outcome's
    seconds are its share of the population's.
    """
    check_memory(configs[0], len(configs))
    images = split_images(configs[0], dataset)
    training = build_training(configs, images)
    training.evaluate_every, training.evaluate_images = max(1, training.steps), CHUNK
    training.stop = stop
    BlasThreads(1, training.network.sizes, training.batch_size, CHUNK)
    started = time.perf_counter()
    records = list(training.records())
    if not training.over:
        return []
    seconds, last = (time.perf_counter() - started) / len(configs), records[-1]
    return [_outcome_of_member(training, last, k, config.seed, seconds) for k, config in enumerate(configs)]


def _outcome_of_member(training: Training, last: Record, member: int, seed: int, seconds: float) -> Outcome:
    diverged = int(training.diverged[member])
    metrics = {part: _of_member(getattr(last, part), member) for part in PARTS[:2]}
    status = "finished" if diverged < 0 else "diverged"
    return Outcome(
        status, last.step, last.epoch, seconds, metrics, seed, diverged_at=max(diverged, 0) or None
    )


def row_of(record: Record, member: int = 0) -> dict[str, float]:
    """A row of metrics.csv."""
    row = {"step": record.step, "epoch": record.epoch, "eta": float(record.eta[member])}
    for part in ("train", "validation"):
        metrics = _of_member(getattr(record, part), member)
        row.update({f"{part}_{quantity}": value for quantity, value in metrics.items()})
    return row


def _of_member(metrics: Metrics, member: int = 0) -> dict[str, float]:
    return {quantity: float(getattr(metrics, quantity)[member]) for quantity in QUANTITIES}


def _outcome(
    config: Config, training: Training, images: Split, rows: list[dict[str, float]], seconds: float
) -> Outcome:
    diverged = int(training.diverged[0])
    status = "interrupted" if not training.over else "diverged" if diverged >= 0 else "finished"
    metrics = {p: {q: rows[-1][f"{p}_{q}"] for q in QUANTITIES} for p in PARTS[:2]} if rows else {}
    if status != "interrupted":
        try:
            metrics["test"] = _of_member(training.evaluate(images.test))
        except Stopped:
            status = "interrupted"
    epochs = training.step / training.steps_per_epoch
    outcome = Outcome(status, training.step, epochs, seconds, metrics, config.seed)
    if status == "diverged":
        explain_divergence(outcome, training, diverged, config)
    learnt = not stays_at_chance(rows, images.train, training.evaluate_images)
    if status == "finished" and epochs >= 1 and not learnt:
        explain_chance(outcome, training, config)
    return outcome


def _save(
    folder: Path, config: Config, training: Training, rows: list[dict[str, float]], outcome: Outcome
) -> None:
    files.write_arrays(folder / "model.npz", model_arrays(training))
    if outcome.status != "interrupted":
        _draw(folder, config, training, rows)
    files.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})
    if outcome.status != "interrupted":
        checkpoint.forget(folder)


def _draw(folder: Path, config: Config, training: Training, rows: list[dict[str, float]]) -> None:
    eta = eta_by_step(training.schedule, training.step, 1001)
    figure = draw_training(rows, eta, f"{config.name}, seed {config.seed}")
    files.write_png(folder / "curves.png", figure)
