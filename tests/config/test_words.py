"""Configs in words, as pages have them."""

import pytest
import yaml
from helpers import tiny

from cifarmlp.config import Config, words


def test_configs_in_words() -> None:
    described = words.describe(
        tiny.config(
            "network.hidden=[]",
            "network.init={sigma: 0.1}",
            "network.batch_norm=false",
            "training.optimiser=momentum",
            "training.schedule={kind: constant, eta: 0.01, decay: 0.95, epochs: 3}",
        )
    )
    assert described["network"] == "linear classifier, sigma 0.1"
    assert described["mini-batches"] == "20 images, SGD with momentum, rho 0.9"
    assert described["learning rate"] == "constant, eta 0.01, times 0.95 after each epoch, 3 epochs"
    assert "loss" not in described
    normed = tiny.config("network.batch_norm={eps: 1.0e-5, momentum: 0.99}")
    assert words.network(normed) == "3 layers (8-6), batch norm (eps 1e-05, momentum 0.99), He"


@pytest.mark.parametrize(
    ("setting", "row", "expected"),
    [
        ("optimiser=nesterov", "mini-batches", "20 images, SGD with Nesterov momentum, rho 0.9"),
        ("optimiser={kind: adam, eps: 1e-6}", "mini-batches", "20 images, Adam eps 1e-06"),
        ("optimiser=adamw", "mini-batches", "20 images, AdamW, lambda as decoupled weight decay"),
        ("schedule={cycles: 1.5}", "learning rate", "cyclic, eta 1e-05 to 0.1, n_s 20, 1.5 cycles"),
        (
            "schedule={kind: constant, decay: 0.1, decay_every: 20}",
            "learning rate",
            "constant, eta 0.01, times 0.1 after every 20 epochs, 10 epochs",
        ),
        (
            "schedule={kind: cosine, eta: 0.2, warmup_epochs: 2}",
            "learning rate",
            "cosine, eta 0.2 to 0, 2 epochs of warm-up, 10 epochs",
        ),
        (
            "schedule={kind: one_cycle, shape: linear}",
            "learning rate",
            "one cycle, eta up to 0.1, from 1/25 of it, to 1/10000 of that, "
            "rising for 0.3 of the steps, linear, 10 epochs",
        ),
    ],
)
def test_optimisers_and_schedules_in_words(setting: str, row: str, expected: str) -> None:
    assert words.describe(tiny.config(f"training.{setting}"))[row] == expected


@pytest.mark.parametrize(
    ("data", "images"),
    [
        ("{}", "synthetic images, the last 1000 training images for validation"),
        ("{validation: 0}", "synthetic images, none for validation"),
        (
            "{validation: 500, validation_from: random}",
            "synthetic images, 500 training images at random for validation",
        ),
        (
            "{validation: 500, validation_from: stratified, train_images: 100, test_images: 50}",
            "synthetic images, 500 training images, by class, for validation, the first 100 for training, "
            "the first 50 for test",
        ),
        (
            "{train_batches: [1], validation_batches: [2], train_images: 100}",
            "synthetic images, file 1 for training, file 2 for validation, the first 100 for training",
        ),
    ],
)
def test_images_in_words(data: str, images: str) -> None:
    config = Config.model_validate({"data": {"source": "synthetic", **yaml.safe_load(data)}})
    assert words.images(config) == images


def test_what_is_done_to_images_is_told_where_it_is_not_the_default() -> None:
    rows = ("scaling", "augmentation", "label noise")
    assert not {*rows} & words.describe(tiny.config()).keys()
    changed = tiny.config(
        "data.scaling=unit",
        "data.augment={flip: 0.5, mixup: 0.2}",
        "data.label_noise=0.2",
        "data.last_batch=keep",
    )
    described = words.describe(changed)
    assert [described[row] for row in rows] == [
        "divided by 255",
        "flip 0.5, mixup 0.2",
        "0.2 of the training labels redrawn",
    ]
    assert described["mini-batches"] == "20 images, the last of an epoch smaller, plain SGD"
    assert "scaling unit, flip 0.5, mixup 0.2, label noise 0.2" in words.in_short(changed)
    kept = words.in_short(tiny.config("training.average=0.9", "training.keep=best"))
    assert "average 0.9, best kept" in kept


def test_settings_that_are_not_the_defaults_are_named() -> None:
    config = tiny.config(
        "network.activation={leaky_relu: 0.1}",
        "network.batch_norm={position: after}",
        "network.dropout={input: 0.2, hidden: [0.5, 0.3]}",
        "network.init={hidden: lecun, output: {sigma: 0.1}}",
        "training.loss={label_smoothing: 0.1}",
    )
    assert words.network(config) == (
        "3 layers (8-6), batch norm (after the activation), leaky_relu 0.1, dropout 0.2 of the input, "
        "0.5-0.3, Lecun, sigma 0.1 in the last layer"
    )
    assert words.describe(config)["loss"] == "cross-entropy, label smoothing 0.1"
    assert words.in_short(config).startswith(
        "8-6, leaky_relu 0.1, batch norm after, dropout 0.2 of the input, 0.5-0.3, "
        "lecun, sigma 0.1 in the last layer, lambda 0.5, label smoothing 0.1, "
    )
    hinge = tiny.config("training.loss=hinge", "network.activation=leaky_relu")
    assert words.describe(hinge)["loss"] == "hinge (multi-class SVM, margin 1)"
    assert "leaky_relu, " in words.in_short(hinge)


def test_only_what_is_not_the_default_is_said_of_the_evaluation() -> None:
    assert "evaluation" not in words.describe(tiny.config())
    settings = (
        "evaluate_every={steps: 100}",
        "evaluate_test=true",
        "keep=best",
        "patience=5",
        "average=0.999",
    )
    described = words.describe(tiny.config(*(f"training.{setting}" for setting in settings)))
    assert described["evaluation"] == (
        "every 100 steps; the test images looked at on the way; kept: the parameters with the best "
        "validation accuracy; ends after 5 without a better validation accuracy; "
        "moving average of the parameters, 0.999"
    )
    assert words.images(tiny.config("data.validation=0")) == "synthetic images, none for validation"


@pytest.mark.parametrize(
    ("losses", "label"),
    [
        (["cross_entropy", "cross_entropy"], "loss (nats)"),
        (["binary_cross_entropy"], "loss (nats)"),
        (["hinge"], "loss (hinge)"),
        (["hinge", "cross_entropy"], "loss (of different kinds)"),
        (["cross_entropy", "{label_smoothing: 0.1}"], "loss (of different kinds)"),
    ],
)
def test_losses_have_a_unit_where_they_are_of_one_kind(losses: list[str], label: str) -> None:
    assert words.loss_label(tiny.config(f"training.loss={loss}") for loss in losses) == label


def test_a_loss_is_named_with_its_unit() -> None:
    assert words.loss(tiny.config()) == "cross-entropy, nats"
    smooth = tiny.config("training.loss={label_smoothing: 0.1}")
    assert words.loss(smooth) == "cross-entropy, label smoothing 0.1, nats"
    assert words.loss(tiny.config("training.loss=hinge")) == "hinge (multi-class SVM, margin 1)"
