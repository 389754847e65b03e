"""Correct gradients pass the check, planted wrong ones don't."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.gradcheck import Difference, check_gradients, checkable_network, relative_difference
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.nn.losses import (
    Loss,
    binary_cross_entropy,
    hinge,
    shares_of,
    smoothed_cross_entropy,
    softmax_cross_entropy,
)
from cifarmlp.nn.network import HiddenBlocks, Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float, Labels

NORM = (1e-12, 0.9)
HIDDEN = [12, 10, 10, 8, 8, 8, 6, 6]
LIMIT = 1e-7
CAUGHT = 1e-3
Norm = tuple[float, float] | None
ACTIVATIONS = [ReLU, partial(LeakyReLU, 0.1), partial(ELU, 1.0), partial(ELU, 0.5), GELU, Tanh, Sigmoid]
LOSSES = [softmax_cross_entropy, smoothed_cross_entropy(0.1), hinge, binary_cross_entropy]


def data(width: int, size: int = 20) -> tuple[Float, Labels]:
    rng = np.random.default_rng(7)
    return rng.standard_normal((size, width)), rng.integers(0, 10, size).astype(np.uint8)


def check(
    net: Network, member: int = 0, coordinates: int = 30, loss: Loss = softmax_cross_entropy
) -> dict[str, Difference]:
    lam = np.linspace(0.01, 0.02, net.members)
    x, labels = data(net.sizes[0])
    rng = np.random.default_rng(11)
    return {d.name: d for d in check_gradients(net, loss, x, labels, lam, rng, member, coordinates)}


def worst(net: Network, coordinates: int = 30) -> dict[str, float]:
    return {name: difference.worst for name, difference in check(net, coordinates=coordinates).items()}


def three_layers(batch_norm: Norm = NORM) -> Network:
    return checkable_network([40, 10, 10, 10], batch_norm, np.random.default_rng(3))


@pytest.mark.parametrize("layers", range(1, 10))
@pytest.mark.parametrize("batch_norm", [None, NORM], ids=["plain", "batch-norm"])
@pytest.mark.parametrize(("members", "member"), [(1, 0), (3, 1)])
def test_every_gradient_is_right(layers: int, batch_norm: Norm, members: int, member: int) -> None:
    sizes = [40, *HIDDEN[: layers - 1], 10]
    net = checkable_network(sizes, batch_norm, np.random.default_rng(layers), members)
    differences = check(net, member)
    assert set(differences) == set(net.parameters())
    assert {name: d.worst for name, d in differences.items() if not d.worst < LIMIT} == {}
    assert all(d.checked > 0 for d in differences.values())


@pytest.mark.parametrize("batch_norm", [None, NORM], ids=["plain", "batch-norm"])
def test_every_gradient_of_a_network_for_images_is_right(batch_norm: Norm) -> None:
    net = checkable_network([3072, 50, 30, 10], batch_norm, np.random.default_rng(1))
    assert max(worst(net, coordinates=40).values()) < LIMIT


def test_every_coordinate_of_a_small_network_is_right() -> None:
    differences = check(three_layers(), coordinates=10_000)
    assert differences["W1"].checked + differences["W1"].kinks == 400
    assert max(d.worst for d in differences.values()) < LIMIT


def test_badly_scaled_weights_can_be_checked() -> None:
    net = three_layers()
    for linear, factor in zip(net.linears, (1e-4, 1e2, 1), strict=True):
        linear.W *= factor
    assert max(worst(net).values()) < 1e-6


def after(cls: type, method: str, alter: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `alter(layer, result)` spoil what a method of a layer has done."""
    original = getattr(cls, method)

    def altered(self: object, *arguments: object) -> object:
        result = original(self, *arguments)
        changed = alter(self, result)
        return result if changed is None else changed

    monkeypatch.setattr(cls, method, altered)


def test_a_beta_gradient_of_the_wrong_sign_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def negate(norm: BatchNorm, ds: Float) -> None:
        norm.dbeta *= -1

    after(BatchNorm, "backward", negate, monkeypatch)
    found = worst(three_layers())
    assert min(found["beta1"], found["beta2"]) > CAUGHT
    assert max(d for name, d in found.items() if name[:4] != "beta") < LIMIT


def test_gradients_of_gamma_and_beta_swapped_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(norm: BatchNorm, ds: Float) -> None:
        norm.dbeta[:], norm.dgamma[:] = norm.dgamma.copy(), norm.dbeta.copy()

    after(BatchNorm, "backward", swap, monkeypatch)
    found = worst(three_layers())
    assert min(found[name] for name in ("beta1", "beta2", "gamma1", "gamma2")) > CAUGHT
    assert max(found[name] for name in ("W1", "W2", "W3", "b3")) < LIMIT


def test_a_batch_norm_without_the_gradient_through_its_mean_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def add_it_back(norm: BatchNorm, ds: Float) -> Float:
        return ds + norm.gamma * norm.inverse_std * norm.dbeta / len(ds)

    after(BatchNorm, "backward", add_it_back, monkeypatch)
    found = worst(three_layers())
    assert found["W1"] > CAUGHT
    assert max(found[name] for name in ("W3", "b3", "gamma2", "beta2")) < LIMIT


def test_a_batch_norm_without_the_gradient_through_its_variance_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def add_it_back(norm: BatchNorm, ds: Float) -> Float:
        return ds + norm.gamma * norm.inverse_std * (norm.centred * norm.inverse_std) * norm.dgamma / len(ds)

    after(BatchNorm, "backward", add_it_back, monkeypatch)
    found = worst(three_layers())
    assert min(found["W1"], found["W2"]) > CAUGHT


def test_a_relu_without_its_mask_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReLU, "backward", lambda relu, dy: dy)
    found = worst(three_layers(None))
    assert min(found[name] for name in ("W1", "b1", "W2", "b2")) > CAUGHT
    assert max(found[name] for name in ("W3", "b3")) < LIMIT


def test_a_loss_gradient_off_by_the_batch_size_is_caught() -> None:
    def times_batch(logits: Float, labels: Labels, scale: Float) -> tuple[Float, Float]:
        loss, gradient = softmax_cross_entropy(logits, labels, scale)
        return loss, gradient * len(labels)

    assert min(d.worst for d in check(three_layers(), loss=times_batch).values()) > CAUGHT


def test_a_missing_bias_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(linear: Linear, ds: Float) -> None:
        if linear.db is not None:
            linear.db[:] = 0

    after(Linear, "backward", forget, monkeypatch)
    found = worst(three_layers(None))
    assert min(found[name] for name in ("b1", "b2", "b3")) > CAUGHT
    assert max(found[name] for name in ("W1", "W2", "W3")) < LIMIT


def test_one_wrong_weight_gradient_is_caught_though_its_coordinate_was_not_picked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoil(linear: Linear, target: Float, alpha: float) -> None:
        add_gradient(linear, target, alpha)
        target[0, 0, 0] += 0.1 * alpha

    add_gradient = Linear.add_gradient
    monkeypatch.setattr(Linear, "add_gradient", spoil)
    found = check(three_layers(), coordinates=1)
    assert max(found["W1"].direction, found["W2"].direction) > CAUGHT


def test_a_missing_l2_term_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self, eta, lam: step(self, eta, 0 * lam))
    found = check(three_layers())
    for name in ("W1", "W2", "W3"):
        assert found[name].update > CAUGHT
        assert found[name].relative < LIMIT
    assert max(d.worst for name, d in found.items() if name[0] != "W") < LIMIT


def test_an_l2_term_without_its_factor_of_two_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    step = SGD.step
    monkeypatch.setattr(SGD, "step", lambda self, eta, lam: step(self, eta, lam / 2))
    assert min(check(three_layers())[name].update for name in ("W1", "W2", "W3")) > CAUGHT


def test_weights_of_equal_shape_swapped_in_the_update_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(self: SGD, eta: Float, lam: Float) -> None:
        step(self, eta, lam)
        gradients, parameters = self.network.gradients(), self.network.parameters()
        parameters["W2"] += gradients["W2"] - gradients["W3"]
        parameters["W3"] += gradients["W3"] - gradients["W2"]

    step = SGD.step
    monkeypatch.setattr(SGD, "step", swapped)
    found = check(three_layers())
    assert min(found["W2"].update, found["W3"].update) > CAUGHT
    assert max(found["W2"].relative, found["W3"].relative, found["W1"].worst) < LIMIT


def test_biases_that_share_their_memory_are_caught() -> None:
    net = three_layers(None)
    net.linears[1].b = net.linears[0].b
    found = worst(net)
    assert min(found["b1"], found["b2"]) > CAUGHT


def test_an_update_by_another_members_rate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    spread = Linear.spread
    monkeypatch.setattr(Linear, "spread", lambda self, values: spread(self, values[::-1]))
    found = check(checkable_network([40, 10, 10], NORM, np.random.default_rng(3), 3), member=2)
    assert min(found["W1"].update, found["W2"].update) > CAUGHT


def test_a_gradient_of_nan_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(linear: Linear, target: Float, alpha: float) -> None:
        target[...] = np.nan

    monkeypatch.setattr(Linear, "add_gradient", spoil)
    assert not any(worst(three_layers())[name] < LIMIT for name in ("W1", "W2", "W3"))


def test_a_cost_of_nan_is_caught() -> None:
    net = three_layers(None)
    net.parameters()["b3"][...] = np.nan
    assert not any(difference < LIMIT for difference in worst(net).values())


def test_a_parameter_of_which_nothing_could_be_checked_does_not_pass() -> None:
    net = three_layers(None)
    net.linears[0].W[...] = 0
    net.parameters()["b1"][...] = 0  # all units of the first layer sit on their kinks
    found = check(net)
    assert found["b1"].checked == 0
    assert not found["b1"].worst < LIMIT


def test_float32_is_refused() -> None:
    net = Network([40, 10], [np.random.default_rng(1)], ["he"], None, np.float32)
    with pytest.raises(ValueError, match="float64"):
        check(net)


def test_kinks_are_left_out_and_counted() -> None:
    net = three_layers(None)
    net.parameters()["W1"][0, :, 4] = 0
    net.parameters()["b1"][0, 4] = 0  # this unit sits on its kink for every image
    found = check(net, coordinates=1000)
    assert found["W1"].kinks >= 40
    assert found["W1"].kinks + found["W1"].checked == 400
    assert (found["b1"].kinks, found["b1"].checked) == (1, 9)
    assert max(difference.worst for difference in found.values()) < LIMIT


def test_relative_difference_is_absolute_where_both_vanish() -> None:
    assert relative_difference(np.zeros(3), np.zeros(3)) == 0
    assert relative_difference(np.array([1e-12]), np.zeros(1)) == 1e-12
    assert relative_difference(np.array([3.0]), np.array([1.0])) == 0.5
    assert relative_difference(np.array([1.0]), np.array([-1.0])) == 1
    assert np.isnan(relative_difference(np.array([np.nan]), np.zeros(1)))


def test_the_worst_of_a_difference_is_nan_where_any_part_is() -> None:
    assert np.isnan(Difference("W1", 5, 0, 0.0, 0.0, np.nan, 0.0).worst)
    assert Difference("W1", 5, 0, 0.0, 1e-9, 3e-9, 2e-9).worst == 3e-9


def test_the_network_is_left_as_it_was() -> None:
    net, twin = three_layers(), three_layers()
    check(net)
    for name, parameter in twin.parameters().items():
        np.testing.assert_array_equal(net.parameters()[name], parameter)


# Every block


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("batch_norm", "norm_first", "members", "rate"),
    [(None, True, 1, 0.0), (NORM, True, 3, 0.3), (NORM, False, 1, 0.3), (NORM, False, 3, 0.0)],
    ids=["plain", "before, dropout", "after, dropout", "after"],
)
def test_every_gradient_of_every_block_is_right(
    activation: Callable[[], ReLU], batch_norm: Norm, norm_first: bool, members: int, rate: float
) -> None:
    hidden = HiddenBlocks(activation, norm_first, dropout=(rate, rate, rate), seeds=range(members))
    net = checkable_network([20, 8, 7, 10], batch_norm, np.random.default_rng(5), members, hidden)
    assert {name: d.worst for name, d in check(net, members - 1, 6).items() if not d.is_right} == {}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("members", "member"), [(1, 0), (3, 1)])
def test_every_loss_is_right(loss: Loss, members: int, member: int) -> None:
    net = checkable_network([20, 8, 10], NORM, np.random.default_rng(5), members)
    assert {name: d.worst for name, d in check(net, member, 10, loss).items() if not d.is_right} == {}


@pytest.mark.parametrize("loss", [softmax_cross_entropy, smoothed_cross_entropy(0.1), binary_cross_entropy])
def test_labels_that_are_mixed_are_right(loss: Loss) -> None:
    net, (x, labels) = three_layers(), data(40)
    shares = shares_of(labels, np.empty((1, 1, 10)))
    mixed = 0.3 * shares + 0.7 * np.roll(shares, 1, axis=0)
    found = check_gradients(net, loss, x, mixed, np.array([0.01]), np.random.default_rng(11), coordinates=10)
    assert all(difference.is_right for difference in found)


def test_a_score_on_the_kink_of_the_hinge_is_left_out() -> None:
    net = checkable_network([40, 10], None, np.random.default_rng(3))
    for parameter in net.parameters().values():
        parameter[...] = 0
    net.parameters()["b1"][0, 4] = -1  # from the others' margin just at 0
    found = check(net, loss=hinge)
    assert found["b1"].kinks == len({4, *data(40)[1].tolist()})


SPOILT = 1 + 1e-5  # relative size of the smallest mistake that is to be caught


def spoil(net: Network, layer: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Spoil the gradients of all parameters of a layer; return their names."""
    names = list(net.parameters(layer))
    for block in net.layers[layer - 1]:
        for _, gradient in block.vectors().values():
            monkeypatch.setattr(block, "backward", spoilt_backward(block.backward, gradient))
    linear = net.linears[layer - 1]
    add = linear.add_gradient
    monkeypatch.setattr(linear, "add_gradient", lambda target, alpha: add(target, alpha * SPOILT))
    return names


def spoilt_backward(backward: Callable[[Float], Float], gradient: Float) -> Callable[[Float], Float]:
    def spoilt(dy: Float) -> Float:
        dx = backward(dy)
        gradient[...] *= SPOILT
        return dx

    return spoilt


def networks(most_layers: int, widths: list[int]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "sizes": st.lists(st.sampled_from(widths), max_size=most_layers - 1),
            "lam": st.just(0.0) | st.floats(1e-6, 100),
            "activation": st.sampled_from(ACTIVATIONS),
            "norm": st.sampled_from([None, NORM, (1e-5, 0.9)]),
            "norm_first": st.booleans(),
            "rate": st.sampled_from([0.0, 0.2, 0.5]),
            "loss": st.sampled_from(LOSSES),
            "members": st.sampled_from([1, 3]),
            "seed": st.integers(0, 1000),
        }
    )


def differences_of(spec: dict[str, Any], net: Network, coordinates: int) -> list[Difference]:
    x, labels = data(net.sizes[0])
    lam, rng = np.full(net.members, spec["lam"]), np.random.default_rng(spec["seed"])
    return check_gradients(net, spec["loss"], x, labels, lam, rng, net.members - 1, coordinates)


def assert_right_and_mistakes_caught(spec: dict[str, Any], inputs: int, coordinates: int) -> None:
    """No false alarm, and a mistake of 1e-5 in one layer's gradients is seen in each of its parameters.

    A parameter whose every coordinate sits on a kink cannot be checked, and one whose gradient vanishes has
    no mistake of any relative size.
    """
    layers = len(spec["sizes"]) + 1
    rates = (spec["rate"],) * layers
    hidden = HiddenBlocks(spec["activation"], spec["norm_first"], rates, range(spec["members"]))
    rng = np.random.default_rng(spec["seed"])
    net = checkable_network([inputs, *spec["sizes"], 10], spec["norm"], rng, spec["members"], hidden)
    right = differences_of(spec, net, coordinates)
    assert [d for d in right if d.checked and not d.is_right] == []
    checked = {d.name for d in right if d.checked}
    gradients = {name: np.linalg.norm(g[-1]) for name, g in net.gradients().items()}
    with pytest.MonkeyPatch.context() as monkeypatch:
        spoilt = spoil(net, spec["seed"] % layers + 1, monkeypatch)
        wrong = {d.name for d in differences_of(spec, net, coordinates) if not d.is_right}
    assert {name for name in spoilt if name in checked and gradients[name] > 1e-3} <= wrong


@given(networks(most_layers=5, widths=[1, 3, 10, 30]))
@settings(max_examples=8, deadline=None)
def test_random_networks_are_right_and_a_small_mistake_is_caught(spec: dict[str, Any]) -> None:
    assert_right_and_mistakes_caught(spec, inputs=30, coordinates=4)


@pytest.mark.slow
@given(networks(most_layers=12, widths=[1, 10, 50, 200]))
@settings(max_examples=int(os.environ.get("CIFARMLP_EXAMPLES", "20")), deadline=None)
def test_many_random_networks_are_right(spec: dict[str, Any]) -> None:
    assert_right_and_mistakes_caught(spec, inputs=300, coordinates=10)


@pytest.mark.slow
@given(networks(most_layers=4, widths=[500, 1000, 2000]))
@settings(max_examples=max(1, int(os.environ.get("CIFARMLP_EXAMPLES", "20")) // 20), deadline=None)
def test_wide_random_networks_are_right(spec: dict[str, Any]) -> None:
    assert_right_and_mistakes_caught(spec, inputs=3072, coordinates=3)


def test_networks_that_were_called_wrong_are_right() -> None:
    for lam, norm, hidden in ((0.1, NORM, [200, 200]), (10.0, None, [50, 50]), (10.0, NORM, [50, 50])):
        net = checkable_network([300, *hidden, 10], norm, np.random.default_rng([1, 2]))
        x, labels = data(300)
        found = check_gradients(
            net, softmax_cross_entropy, x, labels, np.array([lam]), np.random.default_rng(1), coordinates=20
        )
        assert {d.name: d.worst for d in found if not d.is_right} == {}
