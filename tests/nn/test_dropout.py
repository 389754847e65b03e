"""Dropout: its masks, its scale, and what they do not depend on."""

import numpy as np
import pytest

from cifarmlp.nn.dropout import Dropout
from cifarmlp.nn.network import HiddenBlocks, Network
from cifarmlp.nn.types import Float

SIZES = [20, 12, 8, 10]


def network(
    seeds: list[int], dropout: tuple[float, ...], batch_norm: bool = False, norm_first: bool = True
) -> Network:
    hidden = HiddenBlocks(dropout=dropout, seeds=seeds, norm_first=norm_first)
    generators = [np.random.default_rng([seed, 0]) for seed in seeds]
    return Network(
        SIZES, generators, ["he"] * len(seeds), (1e-12, 0.9) if batch_norm else None, np.float64, hidden
    )


def images(rows: int = 25) -> Float:
    return np.random.default_rng(3).standard_normal((rows, SIZES[0]))


def test_what_is_kept_is_scaled_so_that_the_mean_stays() -> None:
    x = np.ones((1000, 50), np.float32)
    y = Dropout(0.2, [1], 1).forward(x)
    assert y.dtype == np.float32
    assert set(np.unique(y)) == {np.float32(0), np.float32(1.25)}
    assert np.mean(y == 0) == pytest.approx(0.2, abs=0.01)
    assert (x == 1).all()  # left as it is


def test_the_gradient_passes_where_the_value_did() -> None:
    block = Dropout(0.5, [1], 1)
    y = block.forward(np.ones((10, 8)))
    np.testing.assert_array_equal(block.backward(np.full((10, 8), 3.0)), 3 * y)


def test_an_evaluation_leaves_nothing_out_and_no_trace() -> None:
    block, twin = Dropout(0.5, [1], 1), Dropout(0.5, [1], 1)
    x = np.ones((10, 8))
    np.testing.assert_array_equal(block.forward(x, training=False), x)
    np.testing.assert_array_equal(block.forward(x), twin.forward(x))


def test_steps_layers_and_seeds_have_masks_of_their_own() -> None:
    x = np.ones((10, 8))
    block = Dropout(0.5, [1], 1)
    masks = [
        block.forward(x),
        block.forward(x),
        Dropout(0.5, [1], 2).forward(x),
        Dropout(0.5, [2], 1).forward(x),
    ]
    assert len({mask.tobytes() for mask in masks}) == 4


def test_a_training_that_goes_on_at_a_step_has_that_steps_masks() -> None:
    whole, resumed = Dropout(0.5, [1], 1), Dropout(0.5, [1], 1)
    x = np.ones((10, 8))
    masks = [whole.forward(x) for _ in range(4)]
    resumed.resume(3)
    np.testing.assert_array_equal(resumed.forward(x), masks[3])


def test_both_precisions_have_the_same_masks() -> None:
    single, double = (
        Dropout(0.3, [1], 1).forward(np.ones((10, 8), dtype)) for dtype in (np.float32, np.float64)
    )
    np.testing.assert_array_equal(single == 0, double == 0)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("seeds", [[4, 5, 6], [4, 4]])
def test_a_member_has_its_masks_whoever_it_is_with(
    seeds: list[int], batch_norm: bool, norm_first: bool
) -> None:
    rates = (0.0, 0.5, 0.3)
    together = network(seeds, rates, batch_norm, norm_first)
    logits = [together.forward(images()) for _ in range(3)][-1]
    for member, seed in enumerate(seeds):
        alone = network([seed], rates, batch_norm, norm_first)
        its_own = [alone.forward(images()) for _ in range(3)][-1]
        np.testing.assert_allclose(logits[:, member], its_own[:, 0], rtol=1e-10, atol=1e-12)


def test_members_share_the_mask_of_their_images_as_they_share_the_images() -> None:
    net, x = network([4, 5], (0.5, 0.0, 0.0)), images()
    before = x.copy()
    net.forward(x)
    np.testing.assert_array_equal(x, before)
    seen = net.linears[0].x[0]
    np.testing.assert_array_equal(seen, Dropout(0.5, [4], 0).forward(x))


def test_a_rate_of_zero_makes_no_block() -> None:
    net = network([1], (0.0, 0.0, 0.5))
    assert [isinstance(block, Dropout) for block in net.blocks].count(True) == 1


@pytest.mark.parametrize("norm_first", [True, False])
def test_running_averages_are_those_of_what_was_normalised(norm_first: bool) -> None:
    net = network([1], (0.2, 0.5, 0.5), batch_norm=True, norm_first=norm_first)
    x = images(50)
    net.forward(x)
    seen = Dropout(0.2, [1], 0).forward(x) @ net.weights()["W1"][0]
    if not norm_first:
        seen = np.maximum(seen, 0)
    np.testing.assert_allclose(net.running_averages()["mean1"][0], seen.mean(axis=0), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(net.running_averages()["var1"][0], seen.var(axis=0), rtol=1e-10)
