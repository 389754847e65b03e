"""The range test: what it measures, and the rates that it reads off a curve with a known answer."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import Config, CyclicConfig
from cifarmlp.errors import ConfigError
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.range_test import Curve, Range, growing, measure, run_range_test, schedule_of, suggest

STEPS = 600


def curve(accuracy: np.ndarray, stopped: bool = False, high: float = 1.0) -> Curve:
    """A smooth curve over eta from 1e-6, whose loss falls as the accuracy rises."""
    eta = np.geomspace(1e-6, high, len(accuracy))
    return Curve(eta, 3 - accuracy, accuracy, 3 - accuracy, accuracy, stopped)


def hill(begin: float, top: float, end: float, floor: float = 0.1) -> np.ndarray:
    """Accuracy over log10 eta from -6 to 0: flat, up to 0.4 at `top`, down again."""
    return np.interp(np.linspace(-6, 0, STEPS), [begin, top, end], [floor, 0.4, floor])


def test_the_bounds_are_where_the_accuracy_begins_to_rise_and_where_it_is_highest() -> None:
    suggestion = suggest(curve(hill(-4, -1, -0.5)))
    assert suggestion is not None
    assert suggestion.eta_min == pytest.approx(10**-3.7, rel=0.05)  # a tenth of the rise from -4 to -1
    assert suggestion.eta_max == pytest.approx(0.1, rel=0.05)
    assert suggestion.eta_min < suggestion.steepest < suggestion.eta_max
    assert not suggestion.is_at_end


def test_a_bump_before_the_rise_is_not_its_beginning() -> None:
    accuracy = hill(-3, -1, -0.5)
    accuracy[50:60] += 0.05
    suggestion = suggest(curve(accuracy))
    assert suggestion is not None
    assert suggestion.eta_min == pytest.approx(10**-2.8, rel=0.05)


def test_where_the_accuracy_still_rises_at_the_end_larger_rates_may_do_better() -> None:
    rising = hill(-4, 0, 1)
    assert suggest(curve(rising)).is_at_end  # type: ignore[union-attr]
    assert not suggest(curve(rising, stopped=True)).is_at_end  # type: ignore[union-attr]


def test_the_steepest_rate_is_where_the_loss_falls_fastest() -> None:
    x = np.linspace(-6, 0, STEPS)
    accuracy = 0.1 + 0.3 / (1 + np.exp(-4 * (x + 3)))  # steepest at 1e-3
    assert suggest(curve(accuracy)).steepest == pytest.approx(1e-3, rel=0.1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "accuracy",
    [np.full(STEPS, 0.1), hill(-4, -1, -0.5, floor=0.36), hill(-6, -6, 0), np.array([0.1, 0.5])],
)
def test_a_network_that_never_learns_gets_no_suggestion(accuracy: np.ndarray) -> None:
    assert suggest(curve(accuracy)) is None


def test_each_mini_batch_is_measured_before_its_update() -> None:
    # Where a mini-batch has all 300 training images, its numbers are those of the evaluation before the step.
    config = tiny.config("training.batch_size=300", "network.batch_norm=false")
    images = split_images(config, tiny.dataset())
    measured = measure(config, images, Range(1e-3, 0.1, 20))
    training = replace(build_training([config], images), schedule=growing(Range(1e-3, 0.1, 20)), steps=20)
    *records, _ = training.records()
    np.testing.assert_allclose(measured.eta, np.geomspace(1e-3, 0.1, 20))
    np.testing.assert_allclose(measured.loss, [each.train.loss[0] for each in records], rtol=1e-5)
    np.testing.assert_allclose(measured.accuracy, [each.train.accuracy[0] for each in records], atol=1 / 299)
    assert not measured.stopped


def test_it_stops_where_the_loss_rises_beyond_hope() -> None:
    config = tiny.config("network.batch_norm=false")
    measured = measure(config, split_images(config, tiny.dataset()), Range(1e-4, 1e6, 200))
    assert measured.stopped
    assert 20 < len(measured.eta) < 150
    assert np.isfinite([measured.loss, measured.smooth_loss]).all()


@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 0.01), (0.1, 0.1), (-1, 1), (0, 1), (1, np.inf), (1, np.nan), (np.nan, 1)]
)
def test_rates_that_do_not_grow_are_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match="eta from"):
        Range(low, high, 10)


def test_the_schedule_is_as_long_as_the_configs() -> None:
    suggestion = suggest(curve(hill(-4, -1, -0.5)))
    assert suggestion is not None
    images = split_images(tiny.config(), tiny.dataset())
    cyclic = schedule_of(suggestion, tiny.config("training.schedule.cycles=1.5"), images)
    assert (cyclic.n_s, cyclic.cycles, cyclic.steps(1)) == (20, 1.5, 60)
    constant = schedule_of(suggestion, tiny.config("training.schedule={kind: constant, epochs: 8}"), images)
    assert (constant.n_s, constant.cycles) == (30, 2)  # 8 epochs of 15 steps are 120
    assert (cyclic.eta_min, cyclic.eta_max) == (suggestion.eta_min, suggestion.eta_max)


def test_two_epochs_by_default_whatever_the_configs_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    config: Config = tiny.config("training.steps=3")
    test = run_range_test(config, tiny.dataset(), tmp_path_factory.mktemp("out"), 1e-4, 1e-1, threads=1)
    assert len(test.curve.eta) == 2 * tiny.EPOCH
    assert test.schedule is None or isinstance(test.schedule, CyclicConfig)
