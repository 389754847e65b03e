"""Trainings that did not learn: what is told of them."""

from collections.abc import Callable, Sequence

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Dataset, Images
from cifarmlp.nn.diagnosis import first_not_finite, gradient_and_decay, layer_health
from cifarmlp.stats import chance_limit
from cifarmlp.training.advice import remedies, sample
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import Training
from cifarmlp.training.outcome import Outcome


def stays_at_chance(rows: Sequence[dict[str, float]], train: Images, evaluated: int | None = None) -> bool:
    """Return whether no evaluation beat majority-class accuracy by three standard errors.

    rows: of metrics.csv, with accuracies over the first `evaluated` training images (None: all).
    """
    share = float(np.bincount(train.labels).max()) / len(train)
    limit = chance_limit(share, evaluated or len(train))
    return all(not row["train_accuracy"] > limit for row in rows if row["step"] > 0)


def explain_divergence(outcome: Outcome, training: Training, step: int, config: Config) -> None:
    """Record in the outcome the step of the divergence, and the first number that is not finite."""
    where = first_not_finite(training.network, sample(training))
    outcome.diverged_at = step
    outcome.advice = [
        f"diverged at step {step}: the loss is not finite; first not finite: {where}",
        *remedies(config, training),
    ]


def explain_chance(outcome: Outcome, training: Training, config: Config) -> None:
    """Record in the outcome that it is at chance level, and the health of each layer.

    Of less than an epoch that is no failure yet: only what was seen is recorded.
    """
    health = layer_health(training.network, sample(training))
    outcome.at_chance = outcome.epochs >= 1
    if outcome.at_chance:
        outcome.layers = [layer.as_dict() for layer in health]
    seen = "never left chance level" if outcome.at_chance else "at chance level so far"
    outcome.advice = [
        f"{seen}; its layers, from the input (share of dead units, spread of the outputs):",
        *(f"  layer {h.layer}: {h.dead:.0%} dead, spread {h.spread:.2g}" for h in health),
        *remedies(config, training),
    ]


@np.errstate(all="ignore")
def gradient_and_decay_at(
    config: Config, dataset: Dataset, steps: Sequence[int], stop: Callable[[], bool] = lambda: False
) -> list[dict[str, float]]:
    """Return `nn.diagnosis.gradient_and_decay` at these steps of a training.

    A row a step and layer, with the columns step, layer, gradient, decay. Ends early if the training diverges
    or `stop` returns true.
    """
    training = build_training([config], split_images(config, dataset))
    x = sample(training)[: config.training.batch_size]
    rows = []
    for target in sorted(set(steps)):
        training.run_until(lambda target=target: training.step >= target or stop())  # type: ignore[misc]
        labels = training.train.labels[: len(x)]
        pairs = gradient_and_decay(training.network, training.loss, x, labels, config.training.lam)
        training.network.resume(training.step)  # dropout has drawn for the pass above
        rows += [
            {"step": training.step, "layer": layer, "gradient": gradient, "decay": decay}
            for layer, (gradient, decay) in enumerate(pairs, 1)
        ]
        if training.step < target:  # it has ended before, or diverged
            break
    return rows
