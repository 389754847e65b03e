"""Configs in words, as pages have them."""

from helpers import tiny

from cifarmlp.config import words


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
    normed = tiny.config("network.batch_norm={eps: 1.0e-5, momentum: 0.99}")
    assert words.network(normed) == "3 layers (8-6), batch norm (eps 1e-05, momentum 0.99), He"


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
    assert words.images(tiny.config("data.validation=0")) == "synthetic images, no validation images"
