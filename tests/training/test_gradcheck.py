"""A deliberate mistake in the gradient is seen where it has an effect, and nowhere else."""

from typing import Any

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import NetworkConfig, override_with
from cifarmlp.nn import Network
from cifarmlp.training import gradcheck
from cifarmlp.training.gradcheck import NetworkCheck

NORM = (1e-12, 0.9)


def network_of(*hidden: int, **settings: Any) -> NetworkConfig:
    return NetworkConfig.model_validate({"hidden": hidden, "batch_norm": True, **settings})


def wrong(check: NetworkCheck) -> list[str]:
    ((_, differences),) = gradcheck.run_checks([check], tiny.dataset())
    return sorted(gradcheck.wrong_parameters(differences))


@pytest.mark.parametrize(
    ("hidden", "below"),
    [
        ((8,), ["W1"]),
        ((8, 6), ["W1", "W2", "beta1", "gamma1"]),
        ((8, 6, 5), ["W1", "W2", "W3", "beta1", "beta2", "gamma1", "gamma2"]),
    ],
)
def test_the_mistake_is_seen_below_a_normalisation_and_nowhere_else(
    hidden: tuple[int, ...], below: list[str]
) -> None:
    assert wrong(NetworkCheck(network_of(*hidden), mistake="constant statistics")) == below
    assert wrong(NetworkCheck(network_of(*hidden))) == []


def test_the_mistake_takes_both_statistics_for_given_numbers() -> None:
    rng = np.random.default_rng(1)
    net = Network([5, 4, 3], [rng], ["he"], NORM, np.float64)
    gradcheck._hold_statistics(net)
    x, dlogits = rng.standard_normal((7, 5)), rng.standard_normal((7, 1, 3))
    net.forward(x)
    net.backward(dlogits.copy())
    W1, W2 = (net.parameters()[name][0] for name in ("W1", "W2"))
    s = x @ W1
    normed = (s - s.mean(axis=0)) / s.std(axis=0)
    dy = (dlogits[:, 0] @ W2.T) * (normed > 0)
    by_hand = {"W1": x.T @ (dy / s.std(axis=0)), "gamma1": (dy * normed).sum(axis=0), "beta1": dy.sum(axis=0)}
    for name, gradient in by_hand.items():
        np.testing.assert_allclose(net.gradients()[name][0], gradient, rtol=1e-9, atol=1e-12)


def test_without_a_normalisation_there_is_no_such_mistake() -> None:
    assert wrong(NetworkCheck(network_of(8, 6, batch_norm=False), mistake="constant statistics")) == []


def test_the_mistake_does_not_stay() -> None:
    checks = [NetworkCheck(network_of(8), mistake="constant statistics"), NetworkCheck(network_of(8))]
    (_, mistaken), (_, right) = gradcheck.run_checks(checks, tiny.dataset())
    assert gradcheck.wrong_parameters(mistaken) == ["W1"]
    assert gradcheck.wrong_parameters(right) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"network.activation": "gelu", "network.dropout": 0.3},
        {"network.batch_norm": {"position": "after"}, "network.activation": {"leaky_relu": 0.1}},
        {"network.dropout": {"input": 0.2, "hidden": [0.5, 0.2]}, "training.loss": "binary_cross_entropy"},
        {"training.loss": "hinge", "network.activation": "elu"},
        {"training.loss": {"label_smoothing": 0.1}, "network.activation": "sigmoid", "training.lambda": 10.0},
    ],
)
def test_a_check_has_the_blocks_and_the_loss_of_the_config(settings: dict[str, Any]) -> None:
    check = gradcheck.check_of(override_with(tiny.config(), settings))
    ((_, differences),) = gradcheck.run_checks([check], tiny.dataset())
    assert gradcheck.wrong_parameters(differences) == []
    after_norm = settings.get("network.batch_norm") == {"position": "after"}
    assert ("b1" in {difference.name for difference in differences}) == after_norm


def test_a_title_names_what_is_not_the_default() -> None:
    config = tiny.config("network.activation=tanh", "network.dropout=0.5", "training.loss=hinge")
    words = "3 layers (8-6), batch norm, tanh, dropout 0.5, hinge (multi-class SVM, margin 1), lambda 0.5"
    assert gradcheck.check_of(config).title == words
    assert gradcheck.check_of(tiny.config()).title == "3 layers (8-6), batch norm, lambda 0.5"
    linear = gradcheck.check_of(tiny.config("network.hidden=[]", "network.batch_norm=false"))
    assert linear.title == "linear classifier, no batch norm, lambda 0.5"


def test_initial_weights_that_are_not_used_are_told() -> None:
    assert gradcheck.check_of(tiny.config()).note == ""
    note = gradcheck.check_of(tiny.config("network.init={sigma: 0.001}")).note
    assert note == "checked at He's initial weights, not at network.init (sigma 0.001)"
