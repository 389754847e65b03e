"""The training loop: which records, which batches, how it ends, how it goes on."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cifarmlp.data import Images, pixel_statistics
from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.schedules import Schedule, constant, cyclic
from cifarmlp.nn.types import Float
from cifarmlp.training.loop import Record, Training, predictions

NORM = (1e-12, 0.9)
N_TRAIN, BATCH = 230, 20  # 11 steps an epoch, 10 images left over
EPOCH = N_TRAIN // BATCH


def images(n: int, seed: int = 5) -> Images:
    """Bright and dark images of ten levels, and noise, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n).astype(np.uint8)
    noise = rng.integers(0, 40, (n, 3072))
    return Images((15 * labels[:, None] + noise).astype(np.uint8), labels)


TRAIN, VALIDATION = images(N_TRAIN), images(70, seed=6)
MEAN, STD = pixel_statistics(TRAIN.pixels)


def training(
    members: int = 1,
    steps: int = 3 * EPOCH,
    schedule: Schedule | None = None,
    batch_norm: tuple[float, float] | None = NORM,
    rho: float = 0.0,
    dtype: type[np.floating] = np.float32,
    **changes: object,
) -> Training:
    generators = [np.random.default_rng(seed) for seed in range(members)]
    net = Network([3072, 8, 6, 10], generators, ["he"] * members, batch_norm, dtype)
    whole = Training(
        net,
        SGD(net, rho),
        softmax_cross_entropy,
        schedule or cyclic(1e-5, 0.1, 10),
        np.full(members, 0.001),
        TRAIN,
        VALIDATION,
        MEAN,
        STD,
        steps,
        BATCH,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def arrays(run: Training) -> list[Float]:
    net = run.network
    named = {**net.parameters(), **net.running_averages()}
    return [*named.values(), *run.optimiser.stored().values()]


def assert_same_bits(one: Training, other: Training) -> None:
    for a, b in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same_record(one: Record, other: Record) -> None:
    assert (one.step, one.epoch) == (other.step, other.epoch)
    np.testing.assert_array_equal(one.eta, other.eta)
    for a, b in ((one.train, other.train), (one.validation, other.validation)):
        for name in ("cost", "loss", "accuracy"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def continued(run: Training, rho: float = 0.0) -> Training:
    """A new training with the arrays of another, as from a checkpoint."""
    new = training(run.network.members, run.steps, run.schedule, rho=rho, step=run.step)
    for a, b in zip(stored(new), stored(run), strict=True):
        a[...] = b
    new.network.resume(run.step)
    return new


def stored(run: Training) -> list[Float]:
    """Every array that a training changes, as it is kept."""
    return [*run.network.stored().values(), *run.optimiser.stored().values()]


def test_no_steps_give_one_record_of_the_untrained_network() -> None:
    run = training(steps=0)
    before = [a.copy() for a in arrays(run)]
    (record,) = run.records()
    assert (record.step, record.epoch) == (0, 0)
    assert np.isfinite(record.train.loss)
    for a, b in zip(arrays(run), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_records_come_before_the_first_step_after_epochs_and_at_the_end() -> None:
    steps = [record.step for record in training(steps=3 * EPOCH).records()]
    assert steps == [0, EPOCH, 2 * EPOCH, 3 * EPOCH]


def test_a_training_that_ends_within_an_epoch_has_its_record_there() -> None:
    records = list(training(steps=EPOCH + 4).records())
    assert [record.step for record in records] == [0, EPOCH, EPOCH + 4]
    assert records[-1].epoch == pytest.approx(1 + 4 / EPOCH)


def test_records_can_be_every_second_epoch() -> None:
    steps = [record.step for record in training(steps=5 * EPOCH, evaluate_every=2 * EPOCH).records()]
    assert steps == [0, 2 * EPOCH, 4 * EPOCH, 5 * EPOCH]


def test_the_last_record_is_over_all_training_images_and_those_before_over_the_first_few() -> None:
    run = training(steps=2 * EPOCH, evaluate_images=30)
    for record in run.records():
        some = TRAIN if record.step == run.steps else Images(TRAIN.pixels[:30], TRAIN.labels[:30])
        np.testing.assert_array_equal(record.train.loss, run.evaluate(some).loss)
        np.testing.assert_array_equal(record.validation.loss, run.evaluate(VALIDATION).loss)
        assert run.evaluate(TRAIN).loss != run.evaluate(Images(TRAIN.pixels[:30], TRAIN.labels[:30])).loss


def test_a_record_has_the_rate_of_the_coming_step() -> None:
    run = training(2, 2 * EPOCH, cyclic(np.zeros(2), np.array([1, 2]), EPOCH))
    etas = [record.eta for record in run.records()]
    np.testing.assert_allclose(etas, [[0, 0], [1, 2], [0, 0]], atol=1e-6)
    assert etas[0].dtype == np.float32


def test_metrics_are_mean_loss_cost_with_l2_and_share_of_right_answers() -> None:
    run = training(2, steps=EPOCH, lam=np.array([0.0, 0.5]))
    record = list(run.records())[-1]
    x = ((VALIDATION.pixels - MEAN) / STD).astype(np.float32)
    logits = run.network.forward(x, training=False)
    loss, _ = softmax_cross_entropy(logits, VALIDATION.labels, np.ones(2, np.float32))
    np.testing.assert_allclose(record.validation.loss, loss, rtol=1e-4)
    cost = loss + np.array([0, 0.5]) * run.network.squared_weights()
    np.testing.assert_allclose(record.validation.cost, cost, rtol=1e-4)
    right = (logits.argmax(axis=2) == VALIDATION.labels[:, None]).mean(axis=0)
    np.testing.assert_allclose(record.validation.accuracy, right)
    assert {m.dtype for m in vars(record.validation).values()} == {np.dtype(np.float64)}


def test_an_evaluation_in_several_chunks_is_over_every_image_once() -> None:
    many = images(1203)
    run = training(steps=0)
    parts = list(predictions(run.network, many, MEAN, STD))
    assert [len(logits) for logits, _ in parts] == [500, 500, 203]
    right = sum((logits[:, 0].argmax(axis=1) == labels).sum() for logits, labels in parts)
    np.testing.assert_allclose(run.evaluate(many).accuracy, right / 1203)


def test_there_is_something_to_learn_and_it_is_learnt() -> None:
    first, *_, last = training(steps=20 * EPOCH, schedule=constant(0.05)).records()
    assert last.validation.accuracy > 0.35 > first.validation.accuracy


def test_a_mini_batch_holds_each_image_once_an_epoch_in_an_order_that_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    update = Training.update

    def watch(self: Training, x: Float, labels: Float) -> Float:
        seen.extend(row.tobytes() for row in x)
        return update(self, x, labels)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "update", watch)
    list(training(steps=2 * EPOCH).records())
    first, second = seen[: EPOCH * BATCH], seen[EPOCH * BATCH :]
    assert len(set(first)) == len(set(second)) == EPOCH * BATCH
    assert first != second
    assert set(first) != set(second)  # those left over are others in each epoch


def test_labels_go_with_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ((TRAIN.pixels - MEAN) / STD).astype(np.float32)
    label_of: dict[int, int] = {}
    update = Training.update

    def watch(self: Training, batch: Float, labels: np.ndarray) -> Float:
        for row, label in zip(batch, labels, strict=True):
            index = int(np.argmin(np.abs(x - row).sum(axis=1)))
            label_of[index] = int(label)
        return update(self, batch, labels)

    monkeypatch.setattr(Training, "update", watch)
    list(training(steps=EPOCH).records())
    assert len(label_of) == EPOCH * BATCH
    assert all(TRAIN.labels[index] == label for index, label in label_of.items())


def test_the_same_seed_gives_the_same_bits() -> None:
    one, other = training(3), training(3)
    for a, b in zip(one.records(), other.records(), strict=True):
        assert_same_record(a, b)
    assert_same_bits(one, other)


def test_another_order_gives_another_network() -> None:
    one, other = training(), training(order_seed=2)
    list(one.records()), list(other.records())
    assert not np.array_equal(arrays(one)[0], arrays(other)[0])


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("at", [1, EPOCH - 1, EPOCH, EPOCH + 5, 2 * EPOCH])
def test_going_on_from_a_step_gives_the_same_bits_as_going_through(at: int, rho: float) -> None:
    through = training(2, rho=rho)
    records = list(through.records())
    part = training(2, rho=rho)
    part.stop = lambda: part.step == at
    before = list(part.records())
    rest = continued(part, rho)
    after = list(rest.records())
    assert_same_bits(rest, through)
    assert (before[0].step, after[-1].step) == (0, through.steps)
    assert_same_record(after[-1], records[-1])


@pytest.mark.parametrize(
    "at",
    [1, EPOCH - 1, EPOCH, EPOCH + 5, 2 * EPOCH],
)
def test_records_of_the_parts_are_those_of_the_whole(at: int) -> None:
    records = list(training(2).records())
    part = training(2)
    part.stop = lambda: part.step == at
    both = [*part.records(), *continued(part).records()]
    assert [record.step for record in both] == [record.step for record in records]
    for a, b in zip(both, records, strict=True):
        assert_same_record(a, b)


def test_going_on_at_the_end_gives_the_last_record_again() -> None:
    through = training()
    *_, last = through.records()
    (again,) = continued(through).records()
    assert_same_record(again, last)


def test_stop_ends_the_training_after_the_step_without_a_last_record() -> None:
    run = training()
    run.stop = lambda: run.step == EPOCH + 3
    assert [record.step for record in run.records()] == [0, EPOCH]
    assert run.step == EPOCH + 3


def test_a_stop_in_the_last_evaluation_leaves_a_training_that_is_not_over_until_it_is_made() -> None:
    run = training()
    run.stop = lambda: run.step == run.steps
    assert [record.step for record in run.records()] == [0, EPOCH, 2 * EPOCH]
    assert run.step == run.steps
    assert not run.over
    run.stop = lambda: False
    assert [record.step for record in run.records()] == [run.steps]
    assert run.over
    assert list(run.records()) == []


def test_records_can_be_taken_one_at_a_time() -> None:
    run = training()
    steps = [(record.step, run.step) for record in run.records()]
    assert all(at == now for at, now in steps)
    assert all(a < b for (a, _), (b, _) in pairwise(steps))


def etas_of(members: int, diverging: int) -> Schedule:
    eta = np.full(members, 0.01)
    eta[diverging] = 1e20
    return constant(eta)


def test_a_member_that_diverges_does_not_touch_the_others() -> None:
    calm, wild = training(3, schedule=constant(np.full(3, 0.01))), training(3, schedule=etas_of(3, 1))
    *_, last_calm = calm.records()
    *_, last = wild.records()
    assert 0 < wild.diverged[1] < 5  # where it began, not where it was last seen
    assert wild.diverged[0] == wild.diverged[2] == -1
    assert list(calm.diverged) == [-1, -1, -1]
    for member in (0, 2):
        for a, b in zip(arrays(calm), arrays(wild), strict=True):
            np.testing.assert_array_equal(a[member], b[member])
        assert last.train.loss[member] == last_calm.train.loss[member]
    assert np.isnan([last.train.loss[1], last.train.cost[1], last.train.accuracy[1]]).all()
    assert last.step == wild.steps


@pytest.mark.parametrize("batch_norm", [None, NORM])
def test_a_training_ends_where_all_members_have_diverged(batch_norm: tuple[float, float] | None) -> None:
    run = training(2, schedule=constant(np.array([1e20, 1e25])), batch_norm=batch_norm)
    *_, last = run.records()
    assert np.all(run.diverged > 0)
    assert last.step == run.step == run.diverged.max() < EPOCH
    assert np.isnan(last.train.loss).all()


def test_divergence_in_the_very_last_step_shows() -> None:
    run = training(steps=1, schedule=constant(1e38), batch_norm=None)
    *_, last = run.records()
    assert np.isnan(last.train.loss)
    assert run.diverged[0] == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_keeps_its_dtype_in_training(dtype: type[np.floating]) -> None:
    schedule = cyclic(np.array([1e-5, 1e-4]), np.array([0.1, 0.2]), 10)
    run = training(2, EPOCH, schedule, rho=0.9, dtype=dtype, lam=np.array([0.1, 0.01]))
    list(run.records())
    assert {a.dtype for a in arrays(run)} == {np.dtype(dtype)}
    assert run.eta().dtype == run.lam.dtype == dtype


def test_the_training_set_is_left_as_it_is() -> None:
    pixels = TRAIN.pixels.copy()
    pixels.flags.writeable = False
    list(training(train=Images(pixels, TRAIN.labels)).records())
    np.testing.assert_array_equal(pixels, TRAIN.pixels)


def test_an_untrained_network_with_tiny_weights_has_a_loss_of_log_10() -> None:
    net = Network([3072, 8, 10], [np.random.default_rng(1)], [1e-6], None)
    run = training(steps=0, network=net, optimiser=SGD(net))
    (record,) = run.records()
    np.testing.assert_allclose(record.train.loss, math.log(10), rtol=1e-5)


@pytest.mark.parametrize("at", [0, 1, EPOCH, EPOCH + 3, 3 * EPOCH])
def test_a_training_that_ran_without_records_has_the_same_bits(at: int) -> None:
    through, ran = training(2, rho=0.9), training(2, rho=0.9)
    records = list(through.records())
    ran.run_until(lambda: ran.step == at)
    assert (ran.step, ran.last_recorded_step) == (at, -1)
    *_, last = ran.records()
    assert_same_record(last, records[-1])
    assert_same_bits(ran, through)


def test_a_training_without_records_ends_at_its_last_step_and_where_all_diverge() -> None:
    calm, wild = training(), training(schedule=constant(1e20))
    calm.run_until(lambda: False)
    wild.run_until(lambda: False)
    assert calm.step == calm.steps
    assert 0 < wild.diverged[0] == wild.step < EPOCH


def test_the_loss_is_the_one_handed_in() -> None:
    def twice(logits: Float, labels: np.ndarray, scale: Float) -> tuple[Float, Float]:
        loss, gradient = softmax_cross_entropy(logits, labels, scale)
        return 2 * loss, 2 * gradient

    once = training(schedule=constant(0.02))
    double = training(schedule=constant(0.01), loss=twice, lam=np.array([0.002]))
    for a, b in zip(once.records(), double.records(), strict=True):
        np.testing.assert_allclose(b.train.loss, 2 * a.train.loss, rtol=1e-3)


def test_the_optimiser_says_which_factor_gradients_carry() -> None:
    class Look(SGD):
        def loss_scale(self, eta: Float) -> Float:
            return np.full_like(eta, 3)

    one, other = training(), training()
    other.optimiser = Look(other.network)
    x = np.random.default_rng(1).standard_normal((BATCH, 3072)).astype(np.float32)
    for run in (one, other):
        run.update(x, TRAIN.labels[:BATCH])
    of_one, of_other = (run.network.gradients()["b3"] for run in (one, other))
    np.testing.assert_allclose(of_other, 3 / one.eta() * of_one, rtol=1e-4)
