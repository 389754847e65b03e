"""Every kind that a config may name can be built, and the rates of a plot are those of the training."""

from typing import get_args

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import Config, LossConfig, OptimiserConfig, ScheduleConfig
from cifarmlp.config.network_section import ActivationConfig
from cifarmlp.data import Images, Split
from cifarmlp.training import build
from cifarmlp.training.loop import Training


@pytest.mark.parametrize(
    ("configs", "table"),
    [
        (OptimiserConfig, build.OPTIMISERS),
        (ScheduleConfig, build.SCHEDULES),
        (LossConfig, build.LOSSES),
    ],
)
def test_each_kind_of_the_config_is_in_the_table_of_builders(configs: type, table: dict) -> None:
    kinds = [get_args(kind.model_fields["kind"].annotation) for kind in get_args(configs)]
    assert {name for names in kinds for name in names} == set(table)


@pytest.mark.parametrize("kind", build.SCHEDULES)
def test_a_schedule_names_its_rates_with_the_highest_last(kind: str) -> None:
    configs = [tiny.config(f"training.schedule={{kind: {kind}}}")]
    schedule, steps = configs[0].training.schedule, range(0, 5000, 10)
    highest = max(float(np.ravel(build.build_schedule(configs, 100)(step))[0]) for step in steps)
    assert getattr(schedule, schedule.rates[-1]) == pytest.approx(highest, rel=0.01)


def test_the_curve_of_a_plot_has_the_steps_that_there_are() -> None:
    eta = build.eta_by_step(lambda step: np.array([step, 0]), last_step=3, points=1001)
    assert eta == {0: 0, 1: 1, 2: 2, 3: 3}


def test_each_activation_of_the_config_can_be_built() -> None:
    assert set(get_args(ActivationConfig.model_fields["kind"].annotation)) == set(build.ACTIVATIONS)


DROPOUT = (
    "network.dropout={input: 0.2, hidden: [0.5, 0.3]}",
    "network.activation=gelu",
    "network.batch_norm={position: after}",
)


def training_of(configs: list[Config]) -> Training:
    images = tiny.images(200, 1)
    held_out = Images(images.pixels[:50], images.labels[:50])
    return build.build_training(configs, Split(images, held_out, held_out))


def trained(configs: list[Config], steps: int) -> Training:
    training = training_of(configs)
    training.run_until(lambda: training.step >= steps)
    return training


def test_a_training_with_dropout_goes_on_to_the_same_bits() -> None:
    configs = [tiny.config(*DROPOUT)]
    whole, resumed = trained(configs, 25), training_of(configs)
    resumed.restore(trained(configs, 12).state())
    resumed.run_until(lambda: resumed.step >= 25)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, resumed.state()[name])


def test_a_member_with_dropout_is_the_same_alone() -> None:
    configs = [tiny.config(*DROPOUT, f"training.lambda={lam}") for lam in (0.0, 0.1)]
    together, alone = trained(configs, 5), trained(configs[1:], 5)
    for name, parameter in alone.network.parameters().items():
        np.testing.assert_allclose(together.network.parameters()[name][1], parameter[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "binary_cross_entropy", "{label_smoothing: 0.1}"])
def test_the_loss_that_is_reported_is_the_one_that_falls(loss: str) -> None:
    training = training_of([tiny.config(f"training.loss={loss}", "training.lambda=0")])
    first, *_, last = [record.train.loss[0] for record in training.records()]
    assert last < 0.9 * first
