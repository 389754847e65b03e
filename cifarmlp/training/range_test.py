"""Learning-rate range test: eta grows step by step, and the accuracy tells between which rates to train.

    config -> measure -> Curve (eta, loss, accuracy) -> suggest -> Suggestion (eta_min, eta_max) -> schedule
    run_range_test: all of that, into a folder with range-test.csv, range-test.json and range-test.png

Smith 2017, 'Cyclical Learning Rates for Training Neural Networks', section 3.3. Each mini-batch is measured
before its update; in the first epoch that is on images that the network has not seen.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.config import Config, CyclicConfig, dotted
from cifarmlp.data import Dataset, Split
from cifarmlp.errors import ConfigError
from cifarmlp.nn import Float, Labels, Loss, Schedule
from cifarmlp.render.range_test import draw_range_test
from cifarmlp.training.build import build_training, split_images, steps_per_epoch, total_steps
from cifarmlp.training.cost import check_memory
from cifarmlp.training.loop import CHUNK
from cifarmlp.training.threads import BlasThreads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 2  # that a test takes by default
BEGINS = 0.1  # share of the rise in accuracy from which on the network is said to learn
LEAST_RISE = 0.05  # in accuracy: less may be the noise of mini-batches
HOPELESS = 4.0  # times the lowest loss, smoothed: there the test stops
WINDOW = 0.05  # share of the steps that a smoothed value is the mean of


@dataclass(frozen=True)
class Range:
    """Rates to test, from `low` to `high` in so many steps, by equal factors or (linear) differences."""

    low: float
    high: float
    steps: int
    linear: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError, see `check_rates`."""
        check_rates(self.low, self.high, self.linear)


def check_rates(low: float, high: float, linear: bool) -> None:
    """Raise ConfigError if the rates do not grow, or begin at 0 where they are multiplied."""
    if not 0 <= low < high < float("inf"):
        finite = "two finite rates, not negative, the smaller one first"
        raise ConfigError(f"eta from {low:g} to {high:g}: give {finite}")
    if low == 0 and not linear:
        raise ConfigError("eta from 0 by factors stays at 0: give --from a small rate, or --linear")


@dataclass(frozen=True)
class Curve:
    """eta, loss and accuracy of the mini-batches in order, (n,) each, and the means around each, smoothed.

    stopped: whether the loss rose so high that the rates above the last one were not tried.
    """

    eta: NDArray[np.float64]
    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    smooth_loss: NDArray[np.float64]
    smooth_accuracy: NDArray[np.float64]
    stopped: bool


@dataclass(frozen=True)
class Suggestion:
    """Bounds of a cyclic schedule.

    eta_min: the last rate before the peak at which the smoothed accuracy had made less than a tenth of its
    rise. eta_max: that at its peak, from which on it falls. steepest: where the smoothed loss falls fastest
    against log eta (eta in a linear test), a hint for a constant rate. is_at_end: the peak is among the last
    rates tested, so larger ones may do better. Rates are rounded to two digits.
    """

    eta_min: float
    eta_max: float
    steepest: float
    is_at_end: bool


@dataclass(frozen=True)
class RangeTest:
    """A range test that was made, in its folder. suggestion, schedule: None if the network never learnt."""

    folder: Path
    config: Config
    tested: Range
    curve: Curve
    suggestion: Suggestion | None
    schedule: CyclicConfig | None


def run_range_test(
    config: Config,
    dataset: Dataset,
    out: Path,
    low: float,
    high: float,
    steps: int | None = None,
    linear: bool = False,
    threads: int | None = None,
) -> RangeTest:
    """Make a range test and write its folder NAME-range-test-001, -002, … in `out`.

    steps: two epochs by default. threads: of BLAS. Raises ConfigError for rates that do not grow,
    RunFolderError, and MemoryError.
    """
    check_memory(config)
    images = split_images(config, dataset)
    tested = Range(low, high, steps or EPOCHS * steps_per_epoch(config, images), linear)
    BlasThreads(threads, config.network.sizes, config.training.batch_size, CHUNK)
    curve = measure(config, images, tested)
    suggestion = suggest(curve, linear)
    schedule = schedule_of(suggestion, config, images) if suggestion else None
    test = RangeTest(
        files.claim(out, f"{config.name}-range-test"), config, tested, curve, suggestion, schedule
    )
    _write(test)
    return test


def _write(test: RangeTest) -> None:
    curve, columns = test.curve, ("eta", "loss", "accuracy", "smooth_loss", "smooth_accuracy")
    values = [getattr(curve, name).tolist() for name in columns]
    rows = [
        {"step": n, **dict(zip(columns, row, strict=True))} for n, row in enumerate(zip(*values, strict=True))
    ]
    files.write_rows(test.folder / "range-test.csv", rows)
    files.write_json(test.folder / "range-test.json", as_dict(test))
    picture = test.folder / "range-test.png"
    if rows:
        with files.forgive(picture, f"cifarmlp range-test {test.config.name}"):
            files.write_png(picture, _figure(test))


def _figure(test: RangeTest) -> "Figure":
    curve = test.curve
    return draw_range_test(
        curve.eta,
        (curve.accuracy, curve.smooth_accuracy),
        (curve.loss, curve.smooth_loss),
        (test.suggestion.eta_min, test.suggestion.eta_max) if test.suggestion else None,
        test.tested.linear,
        f"{test.config.name}, seed {test.config.seed}: learning-rate range test",
    )


def as_dict(test: RangeTest) -> dict[str, Any]:
    """Return what range-test.json holds: the test, the suggestion, the schedule, and the config tested."""
    return {
        "range": asdict(test.tested),
        "steps_made": len(test.curve.eta),
        "stopped": test.curve.stopped,
        "suggestion": test.suggestion and asdict(test.suggestion),
        "schedule": test.schedule and test.schedule.model_dump(),
        "config": dotted(test.config),
    }


def growing(tested: Range) -> Schedule:
    """Return step -> eta, from low to high.

    >>> schedule = growing(Range(0.01, 1.0, steps=3))
    >>> [round(schedule(step), 3) for step in range(3)]
    [0.01, 0.1, 1.0]
    """
    low, high, last = tested.low, tested.high, max(1, tested.steps - 1)
    if tested.linear:
        return lambda step: low + (high - low) * step / last
    return lambda step: low * (high / low) ** (step / last)


def measure(config: Config, images: Split, tested: Range) -> Curve:
    """Train the config's network from its initial weights at the growing rate.

    It ends early where the loss is no longer finite, or hopeless.
    """
    losses: list[float] = []
    accuracies: list[float] = []
    training = replace(build_training([config], images), schedule=growing(tested), steps=tested.steps)
    training.loss = _watched(training.loss, losses, accuracies)
    training.run_until(lambda: is_hopeless(losses))
    finite = [step for step, loss in enumerate(losses) if np.isfinite(loss)]
    eta = np.array([training.schedule(step) for step in finite], np.float64)
    loss, accuracy = np.array(losses)[finite], np.array(accuracies)[finite]
    width = max(1, round(WINDOW * tested.steps))
    stopped = len(eta) < tested.steps
    return Curve(eta, loss, accuracy, smooth(loss, width), smooth(accuracy, width), stopped)


def _watched(loss: Loss, losses: list[float], accuracies: list[float]) -> Loss:
    """Return the same loss, which notes each mini-batch's loss and accuracy of the first member."""

    def noted(logits: Float, labels: Labels, scale: Float) -> tuple[Float, Float]:
        classes = labels if labels.ndim == 1 else labels.argmax(axis=1)
        accuracies.append(float(np.mean(logits[:, 0].argmax(axis=1) == classes)))
        value, gradient = loss(logits, labels, scale)
        losses.append(float(value[0]))
        return value, gradient

    return noted


def is_hopeless(losses: list[float], width: int = 10) -> bool:
    """Return whether the mean of the last losses is more than four times that of the first.

    >>> is_hopeless([2.3] * 20), is_hopeless([2.3] * 20 + [50.0])
    (False, False)
    >>> is_hopeless([2.3] * 20 + [50.0] * 5)
    True
    """
    if len(losses) < 2 * width:
        return False
    return not float(np.mean(losses[-width:])) < HOPELESS * float(np.mean(losses[:width]))


def smooth(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return the mean around each value, over `width` of them and fewer at the ends; it does not lag.

    >>> smooth(np.array([0.0, 3.0, 0.0, 3.0]), 3)
    array([1.5, 1. , 2. , 1.5])
    """
    half, sums = width // 2, np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, end = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    means: NDArray[np.float64] = (sums[end] - sums[first]) / (end - first)
    return means


def suggest(curve: Curve, linear: bool = False) -> Suggestion | None:
    """Return the rates to train between; None if the accuracy never rose by more than its noise."""
    accuracy = curve.smooth_accuracy
    if len(accuracy) < 3:
        return None
    peak = int(accuracy.argmax())
    rise = accuracy[peak] - accuracy[0]
    if rise < LEAST_RISE:
        return None
    low = int(np.flatnonzero(accuracy[:peak] < accuracy[0] + BEGINS * rise)[-1])
    is_at_end = not curve.stopped and peak >= (1 - WINDOW) * len(accuracy)
    eta_min, eta_max, steepest = (_round(curve.eta[n]) for n in (low, peak, _steepest(curve, peak, linear)))
    return Suggestion(eta_min, eta_max, steepest, is_at_end)


def _steepest(curve: Curve, peak: int, linear: bool) -> int:
    """Return the step before the peak at which the loss falls fastest, on the axis along which eta grows."""
    first = int(curve.eta[0] == 0)  # which has no logarithm
    axis = curve.eta[first:] if linear else np.log(curve.eta[first:])
    slope = smooth(np.gradient(curve.smooth_loss[first:], axis), max(1, round(WINDOW * len(axis))))
    return first + int(slope[: max(1, peak - first)].argmin())


def _round(eta: float) -> float:
    return float(f"{eta:.1e}")


def schedule_of(suggestion: Suggestion, config: Config, images: Split) -> CyclicConfig:
    """Return a cyclic schedule between the suggested rates, as long as the config's own."""
    old = config.training.schedule
    if isinstance(old, CyclicConfig):
        return CyclicConfig(
            eta_min=suggestion.eta_min, eta_max=suggestion.eta_max, n_s=old.n_s, cycles=old.cycles
        )
    n_s = max(1, total_steps(config, images) // 4)
    return CyclicConfig(eta_min=suggestion.eta_min, eta_max=suggestion.eta_max, n_s=n_s, cycles=2)
