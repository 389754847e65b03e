"""Where data, engine and disk meet: configs become populations, trainings become run folders."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cifarmlp import checkpoint, environment, memory, plots, runs
from cifarmlp.blas import BlasThreads
from cifarmlp.checkpoint import Checkpoint, Keeper
from cifarmlp.config import Config, Constant, to_yaml
from cifarmlp.data import Dataset, Images, Split, pixel_statistics, split, standardiser
from cifarmlp.errors import RunFolderError
from cifarmlp.nn.diagnosis import first_not_finite, layer_health, pulls
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.schedules import Schedule, constant, cyclic
from cifarmlp.nn.types import Float
from cifarmlp.outcome import PARTS, QUANTITIES, Outcome, model_checksum
from cifarmlp.train import CHUNK, Metrics, Record, Stopped, Training


def population(
    configs: Sequence[Config],
    images: Split,
    dtype: type[np.floating] = np.float32,
    statistics: Sequence[Float] | None = None,
) -> Training:
    """The training of K configs in lockstep, one member each.

    They may differ in seed (of the weights), init, lambda and the rates; everything else, and the order of
    the mini-batches, is the first one's. statistics: mean and standard deviation of the pixels, (3072,)
    each, where they are not to be those of the training images.
    """
    first, norm = configs[0], configs[0].network.batch_norm
    sizes = [images.train.pixels.shape[1], *first.network.hidden, 10]
    generators = [np.random.default_rng([config.seed, 0]) for config in configs]
    network = Network(
        sizes, generators, [_init(c) for c in configs], (norm.eps, norm.momentum) if norm else None, dtype
    )
    mean, std = statistics or pixel_statistics(images.train.pixels)
    return Training(
        network=network,
        optimiser=SGD(network, first.training.optimiser.rho or 0.0),
        schedule=schedule_of(configs, steps_per_epoch(first, images)),
        lam=np.array([config.training.lam for config in configs]),
        train=images.train,
        validation=images.validation,
        mean=mean,
        std=std,
        steps=total_steps(first, images),
        batch_size=first.training.batch_size,
        order_seed=first.seed,
        evaluate_every=first.training.evaluate_every,
        evaluate_images=first.training.evaluate_images,
    )


def steps_per_epoch(config: Config, images: Split) -> int:
    """Whole mini-batches in the training set."""
    return len(images.train) // config.training.batch_size


def total_steps(config: Config, images: Split) -> int:
    """`training.steps` where given, else the length of the schedule."""
    schedule = config.training.schedule
    if config.training.steps is not None:
        return config.training.steps
    if isinstance(schedule, Constant):
        return schedule.epochs * steps_per_epoch(config, images)
    return 2 * schedule.n_s * schedule.cycles


def schedule_of(configs: Sequence[Config], epoch: int) -> Schedule:
    """step -> eta (K,), for `epoch` steps an epoch."""
    schedules = [config.training.schedule for config in configs]
    first = schedules[0]

    def rates(name: str) -> Float:
        return np.array([getattr(schedule, name) for schedule in schedules])

    if isinstance(first, Constant):
        return constant(rates("eta"), first.decay, epoch)
    return cyclic(rates("eta_min"), rates("eta_max"), first.n_s)


def _init(config: Config) -> str | float:
    init = config.network.init
    return init.kind if init.sigma is None else init.sigma


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
    memory.check(config)
    with runs.own(folder):
        images = split_of(config, dataset)
        training = population([config], images)
        blas = BlasThreads(threads, training.network.sizes, training.batch_size, CHUNK)
        described = environment.describe(dataset, blas.most)
        here = environment.fingerprint(described, None if blas.same_bits else blas.most)
        keeper = Keeper(folder, to_yaml(config), here)
        saved = keeper.take_up(strict)
        if saved:
            _restore(training, saved, folder)
        runs.write_text(folder / "config.yaml", keeper.config)
        runs.write_json(folder / "environment.json", described)
        training.stop = stop
        rows, started = saved.rows if saved else [], time.perf_counter() - (saved.seconds if saved else 0)
        if rows:
            runs.write_rows(folder / "metrics.csv", rows)  # there may be later rows, or a torn one
        for record in training.records():
            rows.append(row_of(record))
            runs.write_rows(folder / "metrics.csv", rows)
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
    memory.check(configs[0], len(configs))
    images = split_of(configs[0], dataset)
    training = population(configs, images)
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


def split_of(config: Config, dataset: Dataset) -> Split:
    """The split that the config asks for."""
    data = config.data
    return split(dataset, data.validation, data.train_batches, data.validation_batches)


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
        _explain_divergence(outcome, training, diverged, _remedies(config))
    learnt = not stays_at_chance(rows, images.train, training.evaluate_images)
    if status == "finished" and epochs >= 1 and not learnt:
        _explain_chance(outcome, training, _remedies(config))
    return outcome


def _remedies(config: Config) -> str:
    network = config.network
    norm = ["batch_norm: true"] if network.hidden and not network.batch_norm else []
    init = ["init: he"] if network.init.kind != "he" else []
    return ", ".join([*norm, *init, "an eta ten times smaller"])


def stays_at_chance(rows: Sequence[dict[str, float]], train: Images, evaluated: int | None = None) -> bool:
    """Whether training brought no more than always naming the commonest class, by three standard errors.

    rows: of metrics.csv, whose accuracies are of the first `evaluated` training images (None: all).
    """
    share = float(np.bincount(train.labels).max()) / len(train)
    limit = share + 3 * (share * (1 - share) / (evaluated or len(train))) ** 0.5
    return all(not row["train_accuracy"] > limit for row in rows if row["step"] > 0)


def _explain_divergence(outcome: Outcome, training: Training, step: int, remedies: str) -> None:
    where = first_not_finite(training.network, _sample(training))
    outcome.diverged_at = step
    outcome.advice = [
        f"diverged at step {step}: the loss is not finite; first not finite: {where}",
        f"what usually helps: {remedies}",
    ]


def _explain_chance(outcome: Outcome, training: Training, remedies: str) -> None:
    health = layer_health(training.network, _sample(training))
    outcome.at_chance = True
    outcome.layers = [layer.as_dict() for layer in health]
    outcome.advice = [
        "never left chance level; its layers, from the input (share of dead ReLUs, spread of the outputs):",
        *(f"  layer {h.layer}: {h.dead:.0%} dead, spread {h.spread:.2g}" for h in health),
        f"what usually helps: {remedies}",
    ]


@np.errstate(all="ignore")
def pulls_on_the_way(
    config: Config, dataset: Dataset, steps: Sequence[int], stop: Callable[[], bool] = lambda: False
) -> list[dict[str, float]]:
    """What pulls at the weights of each layer after so many steps, see `diagnosis.pulls`: a row a step and
    layer, with the columns step, layer, gradient, decay. It ends early where the training diverges, or is
    stopped.
    """
    training = population([config], split_of(config, dataset))
    training.evaluate_every, training.evaluate_images = max(1, training.steps), CHUNK
    x = _sample(training)[: config.training.batch_size]
    rows = []
    for target in sorted(set(steps)):
        training.stop = lambda target=target: training.step >= target or stop()  # type: ignore[misc]
        if target and training.step < training.steps:
            list(training.records())
        found = pulls(training.network, x, training.train.labels[: len(x)], config.training.lam)
        names = ("step", "layer", "gradient", "decay")
        rows += [
            dict(zip(names, (training.step, layer, *pair), strict=True))
            for layer, pair in enumerate(found, 1)
        ]
        if training.step < target:  # it has ended before, or diverged
            break
    return rows


def _sample(training: Training) -> Float:
    rows = np.arange(min(1000, len(training.train)))
    x = np.empty((len(rows), training.train.pixels.shape[1]), training.network.dtype)
    standardiser(training.mean, training.std, training.network.dtype)(training.train.pixels, rows, x)
    return x


def _save(
    folder: Path, config: Config, training: Training, rows: list[dict[str, float]], outcome: Outcome
) -> None:
    runs.write_arrays(folder / "model.npz", model_arrays(training))
    if outcome.status != "interrupted":
        _draw(folder, config, training, rows)
    runs.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})
    if outcome.status != "interrupted":
        checkpoint.forget(folder)


def _draw(folder: Path, config: Config, training: Training, rows: list[dict[str, float]]) -> None:
    steps = np.unique(np.linspace(0, training.step, 1001).astype(int))
    eta = {int(step): float(np.ravel(training.schedule(int(step)))[0]) for step in steps}
    figure = plots.curves(rows, eta, f"{config.name}, seed {config.seed}")
    runs.write(folder / "curves.png", lambda file: figure.savefig(file, format="png", dpi=150))


def model_arrays(training: Training, member: int = 0) -> dict[str, Float]:
    """The arrays of model.npz, float32: parameters and running averages by name, and the pixel statistics."""
    network = training.network
    arrays = {**network.parameters(), **network.running_averages()}
    members = {name: np.ascontiguousarray(array[member], np.float32) for name, array in arrays.items()}
    return {**members, "pixel_mean": training.mean, "pixel_std": training.std}


def trained(config: Config, images: Split, model: Mapping[str, Float]) -> Training:
    """The training whose network has the arrays of a model.npz, to evaluate it.

    Raises ValueError where they are not those of such a network, by name, shape and type.
    """
    pixels = images.train.pixels.shape[1]
    training = population([config], images, statistics=[np.zeros(pixels, np.float32)] * 2)
    wanted = {name: _kind(array) for name, array in model_arrays(training).items()}
    there = {name: _kind(array) for name, array in model.items()}
    for name in {**wanted, **there}:
        if wanted.get(name) != there.get(name):
            raise ValueError(f"{name} is {there.get(name, 'missing')}, not {wanted.get(name, 'there')}")
    for name, view in {**training.network.parameters(), **training.network.running_averages()}.items():
        view[0] = model[name]
    training.mean, training.std = model["pixel_mean"], model["pixel_std"]
    return training


def _kind(array: Float) -> str:
    return f"{array.dtype} {array.shape}"
