"""Evaluation of saved models, class by class: model.npz -> probabilities -> confusion, mistakes."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.data import Dataset, Images
from cifarmlp.errors import CifarmlpWarning, ConfigError, RunFolderError
from cifarmlp.nn.scores import confusion, scores
from cifarmlp.nn.types import Float
from cifarmlp.render.evaluation import draw_confusion, draw_images, draw_weights
from cifarmlp.runs.folder import Seed, load_training
from cifarmlp.runs.model import probabilities, rebuild_training
from cifarmlp.runs.views import AS_IT_IS, View
from cifarmlp.stats import mean_and_std
from cifarmlp.text import escape
from cifarmlp.training.build import split_images
from cifarmlp.training.cost import check_memory
from cifarmlp.training.environment import read_environment
from cifarmlp.training.outcome import F1, MODEL, QUANTITIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = 10
SCORES = ("precision", "recall", "f1")
MOST_MISTAKES = 25
MOST_PAIRS = 5


@dataclass(frozen=True)
class Evaluation:
    """One network on one part of the data.

    metrics: cost, loss, accuracy, f1 (macro F1). probabilities: (n, 10), see `model.probabilities`; nan if
    the outputs are not finite. W1: the weights of the first layer, (3072, width). view: as the network saw
    the images.
    """

    seed: Seed
    metrics: Mapping[str, float]
    images: Images
    probabilities: Float
    W1: Float
    view: View = AS_IT_IS

    @property
    def is_finite(self) -> bool:
        """True unless the network diverged: then it has no accuracy."""
        return bool(np.isfinite(self.metrics["accuracy"]))

    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix (10, 10): row i, column j counts the images of class i predicted as class j."""
        return confusion(self.images.labels, self.probabilities.argmax(axis=1))

    def mistakes(self, most: int = MOST_MISTAKES) -> NDArray[np.intp]:
        """Return the indices of the images predicted wrongly, the most confident prediction first."""
        predicted = self.probabilities.argmax(axis=1)
        wrong = np.flatnonzero(predicted != self.images.labels)
        confidence = self.probabilities[wrong, predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")][:most]


@dataclass(frozen=True)
class Report:
    """The evaluations of a run's seeds. part: train, validation or test. names: of the classes."""

    folder: Path
    part: str
    names: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]

    @property
    def finite(self) -> list[Evaluation]:
        """The evaluations of the seeds that did not diverge."""
        return [each for each in self.evaluations if each.is_finite]

    def metrics(self) -> dict[str, dict[str, float]]:
        """Mean, std and n over the seeds of cost, loss, accuracy and macro F1."""
        return {q: mean_and_std([each.metrics[q] for each in self.evaluations]) for q in (*QUANTITIES, F1)}

    def confusion(self) -> Float:
        """Confusion matrix (10, 10), mean over the seeds that did not diverge."""
        counts: Float = np.mean([each.confusion() for each in self.finite], axis=0)
        return counts

    def classes(self) -> list[dict[str, Any]]:
        """Return each class's name, number of images, and mean, std and n of its scores over the seeds.

        The scores: accuracy on its images, nan if there are none; precision, recall and f1, see `nn.scores`.
        """
        counts = [each.confusion() for each in self.finite]
        found, totals = [scores(each) for each in counts], counts[0].sum(axis=1)
        of_class = {name: np.array([getattr(each, name) for each in found]) for name in SCORES}
        of_class = {"accuracy": np.where(totals, of_class["recall"], np.nan), **of_class}
        return [
            {"name": name, "images": int(totals[k])}
            | {score: mean_and_std(values[:, k].tolist()) for score, values in of_class.items()}
            for k, name in enumerate(self.names)
        ]

    def most_confused(self, most: int = MOST_PAIRS) -> list[dict[str, Any]]:
        """Return the commonest mistakes: classes, mean count over the seeds, share of the true class."""
        counts = self.confusion()
        off = [(i, j) for i in range(CLASSES) for j in range(CLASSES) if i != j and counts[i, j]]
        worst = sorted(off, key=lambda pair: -counts[pair])[:most]
        return [
            {"true": self.names[i], "predicted": self.names[j], "count": float(counts[i, j]),
             "share": float(counts[i, j] / counts[i].sum())}
            for i, j in worst
        ]  # fmt: skip


def choose_seeds(path: Path, seed: int | None = None) -> tuple[Path, list[Seed]]:
    """Return the run's folder and its seeds that have a model, or the folder and Seed of the one named.

    path: a run folder, or a model.npz or snapshot in one. Raises ConfigError for a search, a study or a
    missing seed, RunFolderError for a folder that is missing, damaged or has no model.
    """
    run = load_training(path.parent if path.name == MODEL else path)
    folder = run.folder
    seeds = [each for each in run.seeds if seed is None or each.config.seed == seed]
    if seed is not None and not seeds:
        numbers = ", ".join(str(each.config.seed) for each in run.seeds) or "none"
        raise ConfigError(f"{escape(str(folder))}: has no seed {seed}; its seeds: {numbers}")
    with_model = [each for each in seeds if (each.folder / each.model_file).exists()]
    if not with_model:
        name = escape(str(folder))
        raise RunFolderError(f"{name}: has no {MODEL} yet; cifarmlp train --resume {name}")
    return seeds[0].folder if seed is not None else folder, with_model


def choose_model(path: Path, seed: int | None = None) -> Seed:
    """Return the only seed of a run that has a model, or the one named; see `choose_seeds`.

    Raises ConfigError, too, if there are several and none is named.
    """
    folder, seeds = choose_seeds(path, seed)
    if len(seeds) > 1:
        numbers = ", ".join(str(each.config.seed) for each in seeds)
        raise ConfigError(f"{escape(str(folder))}: has seeds {numbers}; choose one with --seed")
    return seeds[0]


def evaluate(folder: Path, seeds: Sequence[Seed], dataset: Dataset, part: str) -> Report:
    """Evaluate the models of these seeds on one part of the data: train, validation or test.

    Warns if they were trained on other images. Raises RunFolderError.
    """
    evaluations = tuple(evaluate_seed(seed, dataset, part) for seed in seeds)
    return Report(folder, part, dataset.names, evaluations)


def evaluate_seed(seed: Seed, dataset: Dataset, part: str) -> Evaluation:
    """Evaluate one saved model on one part of the data; see `evaluate`."""
    return next(evaluate_views(seed, dataset, part, [AS_IT_IS]))


def evaluate_views(seed: Seed, dataset: Dataset, part: str, views: Sequence[View]) -> Iterator[Evaluation]:
    """Evaluate one saved model on views of one part of the data, one after another; see `evaluate`."""
    check_memory(seed.config)
    _warn_of_other_images(seed.folder, dataset)
    split = split_images(seed.config, dataset)
    training = rebuild_training(seed.folder / seed.model_file, seed.config, split)
    images: Images = getattr(split, part)
    if not len(images):
        raise ConfigError(f"{escape(str(seed.folder))}: has no {part} images; evaluate --part train or test")
    blank, W1 = training.mean.round().astype(np.uint8), training.network.parameters()["W1"][0]
    for view in views:
        outputs: list[Float] = []
        measured = training.evaluate(view.of(images, blank), outputs=outputs)
        metrics = {quantity: float(getattr(measured, quantity)[0]) for quantity in QUANTITIES}
        found = probabilities(np.concatenate(outputs)[:, 0], training.loss)
        metrics[F1] = macro_f1(images, found)
        yield Evaluation(seed, metrics, images, found, W1, view)


def macro_f1(images: Images, found: Float) -> float:
    """Return the macro F1 of probabilities (n, 10) of images; nan if one is not finite."""
    if not np.isfinite(found).all():
        return float("nan")
    return scores(confusion(images.labels, found.argmax(axis=1))).macro_f1


def _warn_of_other_images(folder: Path, dataset: Dataset) -> None:
    environment = read_environment(folder)
    if environment and environment.data.sha256 != dataset.checksum:
        message = f"{escape(str(folder))}: trained on other images than those here, by their checksum"
        warnings.warn(message, CifarmlpWarning, stacklevel=2)


# Pictures


def draw_report(report: Report) -> list[Path]:
    """Write the figures of an evaluation into the run's folder, and return their paths.

    confusion.png, and for one network weights.png and mistakes.png; the names of figures of the training or
    validation set, and of a snapshot, end in it. None if all seeds diverged. Raises RunFolderError.
    """
    if not report.finite:
        return []
    model = report.evaluations[0].seed.model_file
    of_model = "" if model == MODEL else f"-{Path(model).stem}"
    suffix = of_model if report.part == "test" else f"-{report.part}{of_model}"
    config, seeds = report.evaluations[0].seed.config, len(report.evaluations)
    name = f"{config.name}, " + (
        f"seed {config.seed}" if seeds == 1 else f"mean over {len(report.finite)} seeds"
    )
    title = f"{name}, {report.part} images"
    drawings = {f"confusion{suffix}": partial(draw_confusion, report.confusion(), report.names, title)}
    if seeds == 1:
        (one,) = report.evaluations
        names = () if config.network.hidden else report.names
        drawings[f"weights{of_model}"] = partial(draw_weights, one.W1, names, name)
        if len(one.mistakes()):
            drawings[f"mistakes{suffix}"] = partial(_draw_mistakes, one, report.names, title)
    paths = []
    for stem, draw in drawings.items():
        path = report.folder / f"{stem}.png"
        with files.forgive(path, f"cifarmlp evaluate {quote(str(report.folder))} --part {report.part}"):
            files.write_png(path, draw())
            paths.append(path)
    return paths


def _draw_mistakes(evaluation: Evaluation, names: Sequence[str], title: str) -> "Figure":
    rows = evaluation.mistakes()
    predicted = evaluation.probabilities[rows].argmax(axis=1)
    labels, shares = evaluation.images.labels[rows], evaluation.probabilities[rows, predicted]
    words = [
        f"{names[true]} → {names[guess]}\n{share:.3f}"
        for true, guess, share in zip(labels, predicted, shares, strict=True)
    ]
    is_hinge = evaluation.seed.config.training.loss.kind == "hinge"
    of_class = f"true → predicted class, and its {'score' if is_hinge else 'probability'}"
    return draw_images(evaluation.images.pixels[rows], words, f"{title}: {of_class}")
