"""Ensembles: saved models whose class probabilities are averaged.

    runs -> choose_seeds -> Evaluation of each -> Ensemble: mean probabilities -> loss, accuracy, F1

The members may be seeds, other networks or, as in Huang et al. 2017, 'Snapshot Ensembles', one network at the
ends of its cycles. Networks of the hinge loss have scores in place of probabilities.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarmlp.config import Config, CrossEntropyConfig
from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpWarning, ConfigError
from cifarmlp.nn.scores import confusion
from cifarmlp.nn.types import Float
from cifarmlp.runs.evaluation import Evaluation, choose_seeds, evaluate_views, macro_f1
from cifarmlp.runs.folder import Seed
from cifarmlp.runs.views import AS_IT_IS, views
from cifarmlp.text import escape
from cifarmlp.training.build import build_loss
from cifarmlp.training.environment import read_environment
from cifarmlp.training.outcome import MODEL


@dataclass(frozen=True)
class Ensemble:
    """Networks on the same images of a part of the data, none diverged. names: of the classes."""

    part: str
    names: tuple[str, ...]
    members: tuple[Evaluation, ...]

    def probabilities(self) -> Float:
        """Return the mean of the members' class probabilities, (n, 10) float64."""
        mean: Float = np.mean([member.probabilities for member in self.members], axis=0, dtype=np.float64)
        return mean

    def confusion(self) -> NDArray[np.int64]:
        """Return the confusion matrix (10, 10) of the mean probabilities."""
        return confusion(self.members[0].images.labels, self.probabilities().argmax(axis=1))

    def metrics(self) -> dict[str, float]:
        """Return loss, accuracy and f1, macro F1, of the mean.

        The loss is that of the members; without label smoothing if they differ in that.
        """
        found, images = self.probabilities(), self.members[0].images
        losses = [member.seed.config.training.loss for member in self.members]
        config = losses[0] if all(each == losses[0] for each in losses) else CrossEntropyConfig()
        loss, _ = build_loss(config)(logits_of(found, config.kind)[:, None], images.labels, np.ones(1))
        return {
            "loss": float(loss[0]),
            "accuracy": float(np.mean(found.argmax(axis=1) == images.labels)),
            "f1": macro_f1(images, found),
        }


def logits_of(probabilities: Float, kind: str) -> Float:
    """Return logits with these probabilities, see `model.probabilities`, by the kind of the loss.

    >>> logits_of(np.array([[0.5, 0.75]]), "binary_cross_entropy").round(4)
    array([[0.    , 1.0986]])
    """
    from scipy.special import logit

    inside = np.clip(probabilities, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg)
    logits: dict[str, Float] = {"hinge": probabilities, "binary_cross_entropy": logit(inside)}
    return logits.get(kind, np.log(inside))


def evaluate_ensemble(
    paths: Sequence[Path],
    load: Callable[[Config], Dataset],
    part: str,
    seed: int | None = None,
    mirror: bool = False,
    shift: int = 0,
    snapshots: bool = True,
) -> Ensemble:
    """Evaluate the models of runs, of all their seeds or one, on a part of the data, and as an ensemble.

    load: returns the images of a config. mirror, shift: each model is a member for each of `views`.
    snapshots: a training with snapshots is an ensemble of these, in place of its model. A snapshot's path is
    that one alone. Diverged members are left out, with a warning. Raises ConfigError if fewer than two are
    left, a model is given twice or they are not of the same images and kind of loss; else as `evaluate`.
    """
    seeds = [each for path in paths for each in choose_seeds(path, seed)[1]]
    if snapshots:
        seeds = [model for each in seeds for model in _models_of(each)]
    _check_members(seeds)
    datasets = {each.config.data.source: each.config for each in seeds}
    loaded = {source: load(config) for source, config in datasets.items()}
    members = [
        member
        for each in seeds
        for member in evaluate_views(each, loaded[each.config.data.source], part, views(mirror, shift))
    ]
    for member in members:
        _check_same_images(members[0], member, part)
        if not member.is_finite and member.view == AS_IT_IS:  # once a model
            message = f"{escape(str(model_path(member.seed)))}: diverged; left out of the ensemble"
            warnings.warn(message, CifarmlpWarning, stacklevel=2)
    finite = tuple(member for member in members if member.is_finite)
    if len(finite) < 2:
        raise ConfigError(
            f"an ensemble of {len(finite)}: give --ensemble two models or more, --mirror or --shift"
        )
    return Ensemble(part, loaded[finite[0].seed.config.data.source].names, finite)


def _models_of(seed: Seed) -> tuple[Seed, ...]:
    return (seed.model_file == MODEL and seed.snapshots()) or (seed,)


def model_path(seed: Seed) -> Path:
    """Return the path by which a model is named: a training's folder, or a snapshot's file."""
    return seed.folder if seed.model_file == MODEL else seed.folder / seed.model_file


def _check_members(seeds: Sequence[Seed]) -> None:
    places = [(seed.folder.resolve(), seed.model_file) for seed in seeds]
    twice = next((seed for seed, place in zip(seeds, places, strict=True) if places.count(place) > 1), None)
    if twice:
        raise ConfigError(f"{escape(str(model_path(twice)))}: given twice; once is enough")
    kind = seeds[0].config.training.loss.kind
    if unlike := next((seed for seed in seeds if seed.config.training.loss.kind != kind), None):
        loss, first = unlike.config.training.loss.kind, escape(str(model_path(seeds[0])))
        raise ConfigError(
            f"{escape(str(model_path(unlike)))}: its outputs are those of {loss}, and {first} has {kind}; "
            "an ensemble is of runs with one training.loss"
        )
    environments = {seed.folder: read_environment(seed.folder) for seed in seeds}
    images = {folder: found.data.sha256 for folder, found in environments.items() if found}
    other = next((folder for folder in images if images[folder] != next(iter(images.values()))), None)
    if other:
        raise ConfigError(
            f"{escape(str(other))}: trained on other images than {escape(str(next(iter(images))))}, "
            "by their checksum; an ensemble is of runs on the same images"
        )


def _check_same_images(first: Evaluation, other: Evaluation, part: str) -> None:
    if not all(
        np.array_equal(getattr(first.images, name), getattr(other.images, name))
        for name in ("labels", "pixels")
    ):
        here, there = (escape(str(each.seed.folder)) for each in (other, first))
        raise ConfigError(f"{here}: its {part} images are not those of {there}; an ensemble needs the same")
