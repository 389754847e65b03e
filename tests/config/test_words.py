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
    assert "loss" not in described
    normed = tiny.config("network.batch_norm={eps: 1.0e-5, momentum: 0.99}")
    assert words.network(normed) == "3 layers (8-6), batch norm (eps 1e-05, momentum 0.99), He"


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
