"""Correct gradients pass the check, planted wrong ones don't."""

from collections.abc import Callable

import numpy as np
import pytest

from cifarmlp.nn.activations import ReLU
from cifarmlp.nn.gradcheck import Difference, check_gradients, checkable_network, relative_difference
from cifarmlp.nn.layers import BatchNorm, Linear
from cifarmlp.nn.losses import Loss, softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float, Labels

NORM = (1e-12, 0.9)
HIDDEN = [12, 10, 10, 8, 8, 8, 6, 6]
LIMIT = 1e-7
CAUGHT = 1e-3
Norm = tuple[float, float] | None


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
