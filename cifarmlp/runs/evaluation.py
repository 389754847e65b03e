"""A saved model evaluated anew: read with suspicion, run through the engine, looked at class by class."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.data import Dataset, Images
from cifarmlp.errors import CifarmlpWarning, ConfigError, RunFolderError
from cifarmlp.nn.types import Float
from cifarmlp.render.evaluation import draw_confusion, draw_mistakes, draw_weights
from cifarmlp.runs.folder import Seed, load_training
from cifarmlp.runs.model import _damaged, read_model
from cifarmlp.stats import mean_and_std
from cifarmlp.text import escape
from cifarmlp.training.build import split_images, training_from_model
from cifarmlp.training.cost import check_memory
from cifarmlp.training.environment import read_environment
from cifarmlp.training.loop import Training, predictions
from cifarmlp.training.outcome import MODEL, QUANTITIES

CLASSES = 10
MOST_MISTAKES = 25
MOST_PAIRS = 5


@dataclass(frozen=True)
class Evaluation:
    """A network on a part of the data. probabilities: (n, 10), nan where its outputs are not finite.

    metrics: cost, loss, accuracy. W1: (3072, width), of the first layer.
    """

    seed: Seed
    metrics: Mapping[str, float]
    images: Images
    probabilities: Float
    W1: Float

    @property
    def is_finite(self) -> bool:
        """Whether there is an accuracy; a network that diverged has none."""
        return bool(np.isfinite(self.metrics["accuracy"]))

    def confusion(self) -> NDArray[np.int64]:
        """(10, 10): how many images of the class of the row were taken for that of the column."""
        counts = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(counts, (self.images.labels, self.probabilities.argmax(axis=1)), 1)
        return counts

    def mistakes(self, most: int = MOST_MISTAKES) -> NDArray[np.intp]:
        """The rows of wrong answers, the most confident first."""
        predicted = self.probabilities.argmax(axis=1)
        wrong = np.flatnonzero(predicted != self.images.labels)
        confidence = self.probabilities[wrong, predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")][:most]


@dataclass(frozen=True)
class Report:
    """The seeds of one run, evaluated. part: train, validation or test. names: of the classes."""

    folder: Path
    part: str
    names: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]

    @property
    def finite(self) -> list[Evaluation]:
        """Those that did not diverge."""
        return [each for each in self.evaluations if each.is_finite]

    def metrics(self) -> dict[str, dict[str, float]]:
        """Cost, loss and accuracy: mean, std and n over the seeds."""
        return {q: mean_and_std([each.metrics[q] for each in self.evaluations]) for q in QUANTITIES}

    def confusion(self) -> Float:
        """(10, 10), mean over the seeds that did not diverge."""
        counts: Float = np.mean([each.confusion() for each in self.finite], axis=0)
        return counts

    def classes(self) -> list[dict[str, Any]]:
        """Of each class its name, how many images it has, and mean, std and n of the accuracy on them."""
        counts = [each.confusion() for each in self.finite]
        totals = counts[0].sum(axis=1)
        shares = [np.where(totals, c.diagonal() / np.maximum(totals, 1), np.nan) for c in counts]
        return [
            {"name": name, "images": int(totals[k]), "accuracy": mean_and_std([share[k] for share in shares])}
            for k, name in enumerate(self.names)
        ]

    def most_confused(self, most: int = MOST_PAIRS) -> list[dict[str, Any]]:
        """The commonest mistakes: classes, mean count over the seeds, share of the true class."""
        counts = self.confusion()
        off = [(i, j) for i in range(CLASSES) for j in range(CLASSES) if i != j and counts[i, j]]
        worst = sorted(off, key=lambda pair: -counts[pair])[:most]
        return [
            {"true": self.names[i], "predicted": self.names[j], "count": float(counts[i, j]),
             "share": float(counts[i, j] / counts[i].sum())}
            for i, j in worst
        ]  # fmt: skip


def choose_seeds(path: Path, seed: int | None = None) -> tuple[Path, list[Seed]]:
    """The run's folder and the trainings in it that have a model, or the one of a seed.

    path: a run folder, or the model.npz in one. Raises ConfigError for a search, a study or a seed that isn't
    there, RunFolderError for a folder that is none, damaged, or without a model.
    """
    folder = path.parent if path.name == MODEL else path
    run = load_training(folder)
    seeds = [each for each in run.seeds if seed is None or each.config.seed == seed]
    if seed is not None and not seeds:
        there = ", ".join(str(each.config.seed) for each in run.seeds) or "none"
        raise ConfigError(f"{escape(str(folder))}: has no seed {seed}; its seeds: {there}")
    with_model = [each for each in seeds if (each.folder / MODEL).exists()]
    if not with_model:
        told = escape(str(folder))
        raise RunFolderError(f"{told}: has no {MODEL} yet; cifarmlp train --resume {told}")
    return seeds[0].folder if seed is not None else folder, with_model


def evaluate(folder: Path, seeds: Sequence[Seed], dataset: Dataset, part: str) -> Report:
    """Evaluate the models of these seeds on train, validation or test. Raises RunFolderError."""
    evaluations = tuple(_evaluate(seed, dataset, part) for seed in seeds)
    return Report(folder, part, dataset.names, evaluations)


@np.errstate(all="ignore")  # a network that diverged overflows; its loss tells
def _evaluate(seed: Seed, dataset: Dataset, part: str) -> Evaluation:
    from scipy.special import softmax

    check_memory(seed.config)
    _warn_of_other_images(seed.folder, dataset)
    split = split_images(seed.config, dataset)
    try:
        training = training_from_model(seed.config, split, read_model(seed.folder, seed.config))
    except ValueError as error:
        raise _damaged(seed.folder, f"does not fit config.yaml: {error}") from error
    images: Images = getattr(split, part)
    found = training.evaluate(images)
    metrics = {quantity: float(getattr(found, quantity)[0]) for quantity in QUANTITIES}
    probabilities = softmax(_logits(training, images), axis=1)
    return Evaluation(seed, metrics, images, probabilities, training.network.parameters()["W1"][0])


def _logits(training: Training, images: Images) -> Float:
    chunks = predictions(training.network, images, training.mean, training.std)
    return np.concatenate([logits[:, 0] for logits, _ in chunks])


def _warn_of_other_images(folder: Path, dataset: Dataset) -> None:
    environment = read_environment(folder)
    if environment and environment.data.sha256 != dataset.checksum:
        told = f"{escape(str(folder))}: trained on other images than those here, by their checksum"
        warnings.warn(told, CifarmlpWarning, stacklevel=2)


# Pictures


def draw_report(report: Report) -> list[Path]:
    """Write the pictures into the run's folder, and say where: confusion.png, and of one network weights.png
    and mistakes.png. Those of the training or validation set say so in their names. Raises RunFolderError.
    """
    if not report.finite:
        return []
    suffix = "" if report.part == "test" else f"-{report.part}"
    config, seeds = report.evaluations[0].seed.config, len(report.evaluations)
    who = f"seed {config.seed}" if seeds == 1 else f"mean over {len(report.finite)} seeds"
    name, title = f"{config.name}, {who}", f"{config.name}, {who}, {report.part} images"
    figures = {f"confusion{suffix}": draw_confusion(report.confusion(), report.names, title)}
    if seeds == 1:
        one = report.evaluations[0]
        units = () if config.network.hidden else report.names
        figures["weights"] = draw_weights(one.W1, units, name)
        if len(one.mistakes()):
            figures[f"mistakes{suffix}"] = _mistakes(one, report.names, title)
    paths = {report.folder / f"{name}.png": figure for name, figure in figures.items()}
    for path, figure in paths.items():
        files.write_png(path, figure)
    return list(paths)


def _mistakes(evaluation: Evaluation, names: Sequence[str], title: str) -> Any:
    rows = evaluation.mistakes()
    predicted = evaluation.probabilities[rows].argmax(axis=1)
    labels, shares = evaluation.images.labels[rows], evaluation.probabilities[rows, predicted]
    words = [
        f"{names[true]} → {names[taken]}\n{share:.3f}"
        for true, taken, share in zip(labels, predicted, shares, strict=True)
    ]
    return draw_mistakes(evaluation.images.pixels[rows], words, title)
