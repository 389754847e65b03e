"""The network as a whole: golden values, populations, dtypes, deep networks."""

import math

import numpy as np
import pytest

from cifarmlp.nn.layers import BatchNorm
from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.types import Float, Labels

NORM = (1e-12, 0.9)
INITS: list[str | float] = ["he", "xavier", 0.3]


def population(
    members: range,
    sizes: list[int],
    batch_norm: tuple[float, float] | None = None,
    dtype: type[np.floating] = np.float64,
) -> Network:
    """Members by number: each has a seed and an init of its own, whoever it is with."""
    generators = [np.random.default_rng(member) for member in members]
    return Network(sizes, generators, [INITS[m % 3] for m in members], batch_norm, dtype)


def step(net: Network, optimiser: SGD, x: Float, labels: Labels, eta: Float, lam: Float) -> Float:
    loss, dlogits = softmax_cross_entropy(net.forward(x), labels, eta)
    net.backward(dlogits)
    optimiser.step(eta, lam)
    return loss


def batches(count: int, width: int, dtype: type[np.floating], size: int = 25) -> list[tuple[Float, Labels]]:
    rng = np.random.default_rng(99)
    xs = rng.standard_normal((count, size, width)).astype(dtype)
    return list(zip(xs, rng.integers(0, 10, (count, size)).astype(np.uint8), strict=True))


def trained(
    members: range, batch_norm: tuple[float, float] | None, dtype: type[np.floating], rho: float
) -> tuple[Network, Float]:
    """Members after 200 steps, each with its own eta and lambda, and their losses (steps, members)."""
    net = population(members, [20, 12, 8, 10], batch_norm, dtype)
    number = np.array(members)
    eta = (0.01 * (1 + number % 4)).astype(dtype)
    lam = (1e-3 * (number % 5)).astype(dtype)
    optimiser = SGD(net, rho)
    return net, np.array([step(net, optimiser, x, y, eta, lam) for x, y in batches(200, 20, dtype)])


def assert_close(a: Float, b: Float, tolerance: float) -> None:
    assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b)


def test_a_tiny_linear_network_by_hand() -> None:
    net = Network([2, 2], [np.random.default_rng(1)], ["he"], None, np.float64)
    net.parameters()["W1"][0] = [[1, 0], [0, 2]]
    net.parameters()["b1"][0] = [0, math.log(3) - 2]
    x, labels = np.array([[0.0, 1.0], [math.log(3), 1.0]]), np.array([0, 1], np.uint8)
    logits = net.forward(x)
    np.testing.assert_allclose(logits[:, 0], [[0, math.log(3)], [math.log(3), math.log(3)]], rtol=1e-14)
    loss, dlogits = softmax_cross_entropy(logits, labels, np.ones(1))
    np.testing.assert_allclose(loss, [(math.log(4) + math.log(2)) / 2], rtol=1e-14)
    net.backward(dlogits)  # p - y is (-3/4, 3/4), (1/2, -1/2), over two images
    np.testing.assert_allclose(net.gradients()["b1"][0], [-1 / 8, 1 / 8], rtol=1e-14)
    first = math.log(3) / 4
    np.testing.assert_allclose(net.gradients()["W1"][0], [[first, -first], [-1 / 8, 1 / 8]], rtol=1e-14)


def test_a_hidden_layer_by_hand() -> None:
    net = Network([1, 2, 2], [np.random.default_rng(1)], ["he"], None, np.float64)
    parameters = net.parameters()
    parameters["W1"][0], parameters["b1"][0] = [[1, -1]], [0.5, 0.5]
    parameters["W2"][0] = [[1, 2], [3, 4]]
    hidden, logits = net.activations(np.array([[2.0]]))
    np.testing.assert_array_equal(hidden, [[2.5, 0]])
    np.testing.assert_array_equal(logits, [[2.5, 5]])
    net.backward(np.array([[[1.0, -1.0]]]))
    np.testing.assert_array_equal(net.gradients()["W2"][0], [[2.5, -2.5], [0, 0]])
    np.testing.assert_array_equal(net.gradients()["W1"][0], [[-2, 0]])  # 1 - 2, and a unit that is off
    np.testing.assert_array_equal(net.gradients()["b1"][0], [-1, 0])


def test_normalised_layers_have_gamma_and_beta_in_place_of_b() -> None:
    shapes = {name: p.shape for name, p in population(range(3), [20, 8, 6, 10], NORM).parameters().items()}
    assert shapes == {
        "W1": (3, 20, 8),
        "W2": (3, 8, 6),
        "W3": (3, 6, 10),
        "b3": (3, 10),
        "gamma1": (3, 8),
        "beta1": (3, 8),
        "gamma2": (3, 6),
        "beta2": (3, 6),
    }


def test_without_batch_norm_every_layer_has_a_bias_that_starts_at_zero() -> None:
    parameters = population(range(1), [20, 8, 10]).parameters()
    assert list(parameters) == ["W1", "b1", "W2", "b2"]
    assert not parameters["b1"].any()
    assert not parameters["b2"].any()


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("batch_norm", [None, NORM])
def test_gradients_go_by_the_names_and_shapes_of_parameters(
    members: int, batch_norm: tuple[float, float] | None
) -> None:
    net = population(range(members), [20, 8, 6, 10], batch_norm)
    net.backward(np.zeros_like(net.forward(np.ones((4, 20)))))
    parameters, gradients = net.parameters(), net.gradients()
    assert {n: p.shape for n, p in parameters.items()} == {n: g.shape for n, g in gradients.items()}


@pytest.mark.parametrize("members", [1, 2, 5])
def test_parameters_are_views_of_what_the_network_computes_with(members: int) -> None:
    net = population(range(members), [20, 8, 10])
    for parameter in net.parameters().values():
        parameter[...] = 0
    net.parameters()["b2"][-1] = np.arange(10)
    logits = net.forward(np.ones((4, 20)))
    np.testing.assert_array_equal(logits[:, -1], np.tile(np.arange(10.0), (4, 1)))
    assert not logits[:, :-1].any()


def test_weights_depend_on_the_members_generator_alone() -> None:
    together = population(range(7), [20, 8, 10]).parameters()
    for member in range(7):
        for name, parameter in population(range(member, member + 1), [20, 8, 10]).parameters().items():
            np.testing.assert_array_equal(together[name][member], parameter[0])


def test_both_precisions_start_from_the_same_weights() -> None:
    single = population(range(2), [20, 8, 10], dtype=np.float32).parameters()
    for name, parameter in population(range(2), [20, 8, 10]).parameters().items():
        np.testing.assert_array_equal(single[name], parameter.astype(np.float32))


def test_one_generator_and_one_init_a_member_are_asked_for() -> None:
    with pytest.raises(ValueError, match="zip"):
        Network([20, 10], [np.random.default_rng(1)], ["he", "he"])


@pytest.mark.parametrize("members", [1, 3])
def test_squared_weights_leave_out_all_but_weights(members: int) -> None:
    net = population(range(members), [2, 3, 2], NORM)
    for name, parameter in net.parameters().items():
        parameter[...] = 2 if name[0] == "W" else 100
    np.testing.assert_allclose(net.squared_weights(), [4 * (6 + 6)] * members)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_norm", [None, NORM])
@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("members", [1, 3])
def test_everything_keeps_its_dtype_over_steps(
    dtype: type[np.floating], batch_norm: tuple[float, float] | None, rho: float, members: int
) -> None:
    net = population(range(members), [20, 8, 6, 10], batch_norm, dtype)
    optimiser = SGD(net, rho)
    eta, lam = np.linspace(0.1, 0.2, members, dtype=dtype), np.full(members, 0.01, dtype)
    for x, labels in batches(2, 20, dtype):
        assert step(net, optimiser, x, labels, eta, lam).dtype == dtype
    named = {**net.parameters(), **net.gradients(), **net.running_averages()}
    assert {name for name, a in named.items() if a.dtype != dtype} == set()
    assert {v.dtype for v in optimiser.velocities} <= {np.dtype(dtype)}
    assert net.forward(x).dtype == net.forward(x, training=False).dtype == dtype
    assert net.squared_weights().dtype == dtype
    assert {a.dtype for a in net.activations(x, training=True)} == {np.dtype(dtype)}


@pytest.mark.parametrize("members", [1, 2, 7, 16])
@pytest.mark.parametrize("batch_norm", [None, NORM])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-10)], ids=["float32", "float64"]
)
def test_members_trained_together_are_those_trained_alone(
    members: int, batch_norm: tuple[float, float] | None, dtype: type[np.floating], tolerance: float
) -> None:
    rho = 0.5 if members == 7 else 0.0
    together, losses = trained(range(members), batch_norm, dtype, rho)
    x, _ = batches(1, 20, dtype)[0]
    logits = together.forward(x, training=False)
    for member in range(members):
        alone, its_losses = trained(range(member, member + 1), batch_norm, dtype, rho)
        assert_close(losses[:, member], its_losses[:, 0], tolerance)
        assert_close(logits[:, member], alone.forward(x, training=False)[:, 0], tolerance)
        for name, parameter in alone.parameters().items():
            assert_close(together.parameters()[name][member], parameter[0], tolerance)
        for name, average in alone.running_averages().items():
            assert_close(together.running_averages()[name][member], average[0], tolerance)


def test_training_lowers_every_members_loss() -> None:
    net = population(range(3), [20, 12, 10], NORM)
    optimiser = SGD(net)
    x, labels = batches(1, 20, np.float64)[0]
    losses = [step(net, optimiser, x, labels, np.full(3, 0.2), np.zeros(3)) for _ in range(200)]
    assert np.all(losses[-1] < 0.1)


def test_evaluation_does_not_move_the_running_averages() -> None:
    net = population(range(2), [20, 8, 10], NORM)
    (first, _), (second, _) = batches(2, 20, np.float64)
    net.forward(first)
    before = {name: average.copy() for name, average in net.running_averages().items()}
    net.forward(second, training=False)
    for name, average in net.running_averages().items():
        np.testing.assert_array_equal(average, before[name])


def test_evaluation_of_an_image_does_not_depend_on_the_images_beside_it() -> None:
    net = population(range(2), [20, 8, 10], NORM)
    (first, _), (second, _) = batches(2, 20, np.float64)
    net.forward(first)
    whole = net.forward(second, training=False)
    np.testing.assert_allclose(net.forward(second[3:4], training=False), whole[3:4], rtol=1e-12)


DEEP = [3072, 50, 30, 20, 20, 10, 10, 10, 10, 10]


def stds_before_relu(eps: float) -> list[float]:
    """Of the normalised layers of a 9-layer network at sigma 1e-4, over a batch of 100."""
    net = Network(DEEP, [np.random.default_rng(1)], [1e-4], (eps, 0.9), np.float32)
    net.forward(np.random.default_rng(2).standard_normal((100, 3072)).astype(np.float32))
    norms = [block for block in net.blocks if isinstance(block, BatchNorm)]
    return [float((norm.centred * norm.inverse_std).std()) for norm in norms]


def test_with_a_tiny_eps_a_badly_scaled_deep_network_has_healthy_activations() -> None:
    np.testing.assert_allclose(stds_before_relu(1e-12), 1, atol=0.01)


def test_with_an_eps_of_1e_5_its_activations_vanish() -> None:
    stds = stds_before_relu(1e-5)
    assert stds[0] > 0.8
    assert max(stds[1:]) < 0.2
    assert stds[-1] < 0.01


def test_without_batch_norm_a_badly_scaled_deep_network_tells_no_images_apart() -> None:
    net = Network(DEEP, [np.random.default_rng(1)], [1e-4], None, np.float32)
    logits = net.forward(np.random.default_rng(2).standard_normal((100, 3072)).astype(np.float32))
    assert np.ptp(logits) < 1e-20


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_after_dead_units_put_out_beta(dtype: type[np.floating]) -> None:
    net = Network([20, 12, 8, 10], [np.random.default_rng(1)], ["he"], NORM, dtype)
    parameters = net.parameters()
    parameters["gamma1"][...] = 0  # the first layer's output is its beta, whatever the image
    parameters["beta1"][...] = np.linspace(1, 100, 12)
    parameters["beta2"][...] = 0.5
    x, labels = batches(1, 20, dtype, size=100)[0]
    hidden = list(net.activations(x, training=True))[1]
    np.testing.assert_array_equal(hidden, dtype(0.5))
    _, dlogits = softmax_cross_entropy(net.forward(x), labels, np.ones(1, dtype))
    net.backward(dlogits)
    assert not net.gradients()["W2"].any()
    assert not net.gradients()["W1"].any()


def test_a_deep_network_whose_gradient_vanishes_computes_with_no_denormal_numbers() -> None:
    sizes = [20, *[50] * 24, 10]
    net = Network(sizes, [np.random.default_rng(1)], [0.01], None, np.float32)
    for x, labels in batches(20, 20, np.float32):
        step(net, SGD(net), x, labels, np.full(1, 1e-5, np.float32), np.full(1, 0.005, np.float32))
    smallest = np.finfo(np.float32).smallest_normal
    for linear in net.linears:
        assert not np.any((linear.ds != 0) & (np.abs(linear.ds) < smallest))
    assert net.linears[-1].ds.any()
