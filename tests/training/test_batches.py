"""Mini-batches of a training: each image once an epoch, the rest kept or dropped, augmented by the step."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from hypothesis import given
from hypothesis import strategies as st

from cifarmlp.data import Images, Split, pixel_statistics
from cifarmlp.errors import ConfigError
from cifarmlp.nn.types import Float
from cifarmlp.training.batches import Batching, count_batches, mini_batches, order_of
from cifarmlp.training.build import build_training, split_images, steps_per_epoch, total_steps
from cifarmlp.training.loop import Training

AUGMENT = "data.augment={flip: 0.5, shift: 3, noise: 0.1, cutout: 5, mixup: 0.3}"
SOFT = "data.augment={flip: 0.5, shift: 3, noise: 0.1, cutout: 5}"


def numbered(n: int) -> Images:
    return Images(np.arange(n, dtype=np.uint8)[:, None].repeat(2, axis=1), np.arange(n, dtype=np.uint8))


def batches_of(n: int, steps: range, **rules: Any) -> list[list[int]]:
    """The images of each mini-batch, by their labels, which are their numbers; x holds them as well."""
    found = []
    zero, one = np.zeros(2, np.float32), np.ones(2, np.float32)
    for x, labels in mini_batches(numbered(n), zero, one, np.float32, Batching(**rules), steps):
        assert x[:, 0].tolist() == labels.tolist()
        found.append(labels.tolist())
    return found


@given(st.integers(1, 250), st.integers(1, 250), st.booleans(), st.integers(0, 99))
def test_an_epoch_holds_each_image_once(n: int, size: int, keep: bool, seed: int) -> None:
    if size > n:
        with pytest.raises(ConfigError, match="batch_size"):
            count_batches(n, size, keep)
        return
    an_epoch = count_batches(n, size, keep)
    batches = batches_of(n, range(2 * an_epoch), size=size, seed=seed, keep_last=keep)
    for epoch in (batches[:an_epoch], batches[an_epoch:]):
        images = [image for batch in epoch for image in batch]
        assert len(set(images)) == len(images) == (n if keep else n // size * size)
        assert {len(batch) for batch in epoch[: n // size]} == {size}
    assert batches == batches_of(n, range(2 * an_epoch), size=size, seed=seed, keep_last=keep)


def test_the_order_changes_with_the_epoch_and_the_seed() -> None:
    orders = {tuple(order_of(epoch, 50, seed)) for epoch in range(3) for seed in range(3)}
    assert len(orders) == 9


def test_going_on_within_an_epoch_is_as_going_through() -> None:
    through = batches_of(23, range(12), size=5, keep_last=True)
    for start in range(12):
        assert batches_of(23, range(start, 12), size=5, keep_last=True) == through[start:]


def training(*settings: str, members: int = 1, dtype: Any = np.float32) -> Training:
    config = tiny.config(*settings)
    configs = [config] * members
    return build_training(configs, split_images(config, tiny.dataset()), dtype)


def arrays(run: Training) -> dict[str, Any]:
    return run.state()


@pytest.mark.parametrize("settings", [(SOFT,), (SOFT, "data.last_batch=keep", "training.batch_size=27")])
@pytest.mark.parametrize("at", [1, 15, 22])
def test_an_augmented_training_goes_on_to_the_same_bits(settings: tuple[str, ...], at: int) -> None:
    steps = "training.steps=30"
    whole, part, rest = (training(steps, *settings) for _ in range(3))
    whole.run_until(lambda: False)
    part.run_until(lambda: part.step == at)
    rest.restore(part.state())
    rest.run_until(lambda: False)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, rest.state()[name], err_msg=name)


def test_members_of_a_population_see_what_one_alone_sees() -> None:
    def seen(members: int) -> list[tuple[Float, Any]]:
        return [(x.copy(), y) for x, y in islice(training(AUGMENT, members=members)._batches(), 20)]

    for (x, labels), (same, same_labels) in zip(seen(1), seen(3), strict=True):
        np.testing.assert_array_equal(x, same)
        np.testing.assert_array_equal(labels, same_labels)


def test_images_differ_from_epoch_to_epoch_and_an_evaluation_sees_none_of_it() -> None:
    one = training(SOFT, "training.batch_size=300", "network.batch_norm=false")
    first, second = (x[labels.argsort(kind="stable")].copy() for x, labels in islice(one._batches(), 2))
    assert not np.array_equal(np.sort(first, axis=None), np.sort(second, axis=None))
    plain = training("training.batch_size=300", "network.batch_norm=false")
    assert one.evaluate(one.train).loss == plain.evaluate(plain.train).loss


def test_steps_an_epoch_round_up_where_the_last_batch_is_kept() -> None:
    config = tiny.config("data.last_batch=keep", "training.batch_size=27", "training.steps=24")
    images = split_images(config, tiny.dataset())
    assert steps_per_epoch(config, images) == 12  # of 300 images
    run = build_training([config], images)
    assert [(r.step, r.epoch) for r in run.records()] == [(0, 0), (12, 1), (24, 2)]
    constant = "training.schedule={kind: constant, eta: 0.01, epochs: 3}"
    settings = ("data.last_batch=keep", "training.batch_size=27", constant)
    assert total_steps(tiny.config(*settings), images) == 36


def test_the_gradient_of_a_smaller_batch_is_the_mean_over_its_images() -> None:
    common = ["network.batch_norm=false", "training.lambda=0"]
    run = training("data.last_batch=keep", "training.batch_size=299", *common, dtype=np.float64)
    alone = training("training.batch_size=1", *common, dtype=np.float64)
    _, (x, labels) = islice(run._batches(), 2)
    assert len(x) == len(labels) == 1
    run.update(x, labels)
    alone.update(x, labels)
    for name, array in run.network.parameters().items():
        np.testing.assert_allclose(array, alone.network.parameters()[name], rtol=1e-12, err_msg=name)


def test_noisy_labels_are_trained_on_and_clean_ones_validate() -> None:
    clean, noisy = (training(f"data.label_noise={share}", "training.batch_size=300") for share in (0, 0.5))
    assert 0.3 < (noisy.train.labels != clean.train.labels).mean() < 0.6
    assert np.array_equal(noisy.validation.labels, clean.validation.labels)
    ((_, first), (_, second)) = islice(noisy._batches(), 2)
    assert sorted(first) == sorted(second) == sorted(noisy.train.labels)


@pytest.mark.parametrize("scaling", ["per_channel", "mean_image", "unit", "none"])
def test_a_scaling_decides_what_stands_in_the_model(scaling: str) -> None:
    run = training(f"data.scaling={scaling}")
    pixels = run.train.pixels
    expected = {"unit": (0, 255), "none": (0, 1), "mean_image": (pixel_statistics(pixels)[0], 1)}
    mean, std = expected.get(scaling, (run.mean, run.std))
    assert np.array_equal(run.mean, np.broadcast_to(mean, 3072))
    assert np.array_equal(run.std, np.broadcast_to(std, 3072))
    assert scaling != "per_channel" or len(np.unique(run.mean)) == 3


def test_statistics_are_those_of_the_images_trained_on() -> None:
    run = training("data.train_images=50")
    assert len(run.train) == 50
    np.testing.assert_array_equal(run.mean, pixel_statistics(run.train.pixels)[0])


def test_more_images_than_the_dataset_has() -> None:
    with pytest.raises(ConfigError, match=r"data.train_images: 301 is more than the 300 images"):
        training("data.train_images=301")


def test_a_validation_set_is_drawn_from_the_seed_of_the_config() -> None:
    def chosen(seed: int) -> Split:
        return split_images(tiny.config("data.validation_from=random", f"seed={seed}"), tiny.dataset())

    assert np.array_equal(chosen(1).validation.pixels, chosen(1).validation.pixels)
    assert not np.array_equal(chosen(1).validation.pixels, chosen(2).validation.pixels)
