"""Every kind that a config may name can be built, and the rates of a plot are those of the training."""

from typing import get_args

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import OptimiserConfig, ScheduleConfig
from cifarmlp.training import build


@pytest.mark.parametrize(
    ("configs", "table"), [(OptimiserConfig, build.OPTIMISERS), (ScheduleConfig, build.SCHEDULES)]
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
