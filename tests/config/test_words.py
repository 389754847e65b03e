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
