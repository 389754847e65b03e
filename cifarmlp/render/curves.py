"""Curves against steps as figures: of one training, mean and std over seeds, or several runs overlaid.

    rows of metrics.csv -> draw_training, draw_seeds -> Figure
    rows of metrics.csv -> MeanCurve.of, one a run -> draw_overlay -> Figure

Two rules for a mean over seeds: `mean_and_std_by_step` has every step that any seed reached, over the seeds
that did; `MeanCurve.of` has only the steps that all seeds reached, so that its n holds along the curve.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifarmlp.files import own_settings

Row = Mapping[str, float]
Curve = NDArray[np.floating[Any]]

STEP = "step (mini-batch updates)"
# Test images are in the rows where they were looked at during training, which the curves then say.
SETS = {
    "train": "training set",
    "validation": "validation set",
    "test": "test set, looked at during training",
}
COLOURS = {"train": "#1f5fa8", "validation": "#d9730d", "test": "#2f7d32"}  # distinct for the colour-blind
DASHES = {"train": "-", "validation": "--", "test": ":"}
LEGEND = {"train": "train", "validation": "validation", "test": "test (looked at during training)"}
BATCHES: dict[str, Any] = {
    "color": "#b4c8e0",
    "linewidth": 0.8,
    "zorder": 1,
    "label": "mini-batches in training",
}
LOSS = "loss (nats)"  # the label of cross-entropy's axis; that of others is handed in
QUANTITIES = {"cost": "cost (loss + L2)", "loss": LOSS, "accuracy": "accuracy (fraction)"}
COMPARED = {"loss": LOSS, "accuracy": "accuracy (fraction)"}
ALWAYS = tuple(f"train_{quantity}" for quantity in COMPARED)
MEAN_COLUMNS = tuple(f"{part}_{quantity}" for part in SETS for quantity in COMPARED)
# Of runs: other colours than those of the parts of the data; the dashes keep them apart in print.
RUN_COLOURS = ("#7b3fa0", "#1b8a5a", "#b5357a", "#8a6d00", "#00808a", "#a3402a", "#444444")
RUN_DASHES = ("-", "--", "-.", ":")
WIDE = 30  # ratio of losses from which on their axis is logarithmic


def parts_in(trainings: Iterable[Sequence[Row]]) -> list[str]:
    """Return the parts of the data that rows of metrics.csv have.

    >>> parts_in([[{"step": 0, "train_loss": 2.3, "test_loss": 2.3}]])
    ['train', 'test']
    """
    columns = {column for rows in trainings for row in rows for column in row}
    return [part for part in SETS if part == "train" or f"{part}_loss" in columns]


@own_settings()
def draw_training(
    rows: Sequence[Row],
    eta: Mapping[int, float],
    title: str,
    batches: Sequence[Row] = (),
    loss: str = LOSS,
) -> Figure:
    """Draw cost, loss and accuracy of the parts of the data against steps, and eta below.

    rows: as in metrics.csv. eta: by step, as densely as it is to be drawn. batches: rows of batch_loss.csv, a
    light curve behind that of the loss. loss: label of its axis. Values that are not finite leave a gap.
    """
    figure = Figure(figsize=(7.5, 9), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[3, 3, 3, 1.4])
    for panel, (quantity, label) in zip(axes, {**QUANTITIES, "loss": loss}.items(), strict=False):
        _quantity(panel, rows, quantity, label)
    if batches:
        axes[1].plot(*_steps_and_losses([batches]), **BATCHES)
    axes[3].plot(list(eta), list(eta.values()), color="#444444")
    axes[3].set(xlabel=STEP, ylabel="eta")
    axes[3].grid(alpha=0.3)
    handles, labels = axes[1 if batches else 0].get_legend_handles_labels()
    axes[0].set_title(title, loc="left")
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)
    return figure


def _steps_and_losses(trainings: Sequence[Sequence[Row]]) -> tuple[Curve, Curve]:
    """Return the steps of several batch_loss.csv, and the mean loss over them."""
    steps, mean, _ = mean_and_std_by_step(trainings, "loss")
    return steps, mean


def _quantity(panel: Axes, rows: Sequence[Row], quantity: str, label: str) -> None:
    steps = [row["step"] for row in rows]
    for part in parts_in([rows]):
        values = [row.get(f"{part}_{quantity}", math.nan) for row in rows]
        dash, colour = DASHES[part], COLOURS[part]
        panel.plot(steps, values, dash, color=colour, label=LEGEND[part], marker=".", markersize=4)
    panel.set_ylabel(label)
    panel.grid(alpha=0.3)


@dataclass(frozen=True)
class MeanCurve:
    """Mean and std over n seeds, by column as `train_loss`, each (len(steps),); std is empty for n = 1.

    A part of the data that a seed was not measured on has no columns.
    """

    steps: tuple[float, ...]
    mean: Mapping[str, Curve]
    std: Mapping[str, Curve]
    n: int

    @classmethod
    def of(cls, trainings: Sequence[Sequence[Row]]) -> "MeanCurve":
        """Return mean and std (n - 1) at the steps that all seeds reached, of the rows of their metrics.csv.

        Rows without a step or without loss and accuracy of the training images are left out, and seeds
        without any other row. The mean is nan where a seed's value is not finite, as after it diverged.

        >>> rows = [{"step": step} | dict.fromkeys(MEAN_COLUMNS, 0.5 * step) for step in (0, 10, 20)]
        >>> MeanCurve.of([rows, rows[:2]]).steps
        (0, 10)
        """
        histories = [history for rows in trainings if (history := _rows_by_step(rows))]
        n = len(histories)
        if n == 0:
            return cls((), {}, {}, 0)
        steps = sorted(set.intersection(*map(set, histories)))
        columns = [c for c in MEAN_COLUMNS if all(c in row for h in histories for row in h.values())]
        values = {c: np.array([[h[step][c] for step in steps] for h in histories]) for c in columns}
        mean = {column: array.mean(axis=0) for column, array in values.items()}
        std = {column: array.std(axis=0, ddof=1) for column, array in values.items()} if n > 1 else {}
        return cls(tuple(steps), mean, std, n)


def _rows_by_step(rows: Sequence[Row]) -> dict[float, dict[str, float]]:
    whole = [row for row in rows if row.keys() >= {"step", *ALWAYS} and math.isfinite(row["step"])]
    return {row["step"]: {c: _finite(row[c]) for c in MEAN_COLUMNS if c in row} for row in whole}


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


@np.errstate(all="ignore")  # values of a diverging seed overflow
def mean_and_std_by_step(trainings: Sequence[Sequence[Row]], column: str) -> tuple[Curve, Curve, Curve]:
    """Return the steps that any seed reached, and the mean and std of a column over the seeds that did.

    std: with n - 1, nan for one seed.

    >>> rows = [{"step": 0, "train_loss": 2.0}, {"step": 10, "train_loss": 1.0}]
    >>> steps, mean, std = mean_and_std_by_step([rows, [{"step": 0, "train_loss": 3.0}]], "train_loss")
    >>> steps.tolist(), mean.tolist()
    ([0, 10], [2.5, 1.0])
    """
    values: dict[float, list[float]] = {}
    for row in (row for rows in trainings for row in rows):
        values.setdefault(row["step"], []).append(row.get(column, math.nan))
    steps = sorted(values)
    mean = [float(np.mean(values[step])) for step in steps]
    std = [float(np.std(values[step], ddof=1)) if len(values[step]) > 1 else math.nan for step in steps]
    return np.array(steps), np.array(mean), np.array(std)


@own_settings()
def draw_overlay(curves: Mapping[str, MeanCurve], loss: str = LOSS) -> Figure:
    """Draw loss and accuracy against steps, a panel for each part of the data, each run in one colour.

    For several seeds the mean, in a band of one standard deviation on each side. loss: label of its axis.
    """
    names = [f"{name}, n = {curve.n}" for name, curve in curves.items()]
    parts = _parts_of_curves(curves.values())
    columns = 2 if max(map(len, names)) <= 50 else 1
    legend = 0.24 * (math.ceil(len(names) / columns) + 1)
    figure = Figure(figsize=(max(7, 5 * len(parts)), 7 + legend), layout="constrained")
    panels = figure.subplots(2, len(parts), sharex=True, sharey="row", squeeze=False)
    for row, (quantity, label) in zip(panels, {**COMPARED, "loss": loss}.items(), strict=True):
        for panel, part in zip(row, parts, strict=True):
            _overlay(panel, list(curves.values()), f"{part}_{quantity}")
        row[0].set_ylabel(label)
    for top, bottom, part in zip(*panels, parts, strict=True):
        top.set_title(SETS[part])
        bottom.set_xlabel(STEP)
    _scale(panels[0, 0], list(curves.values()))
    _name_runs(figure, panels[0, 0], names, columns, any(curve.std for curve in curves.values()))
    return figure


def _parts_of_curves(curves: Iterable[MeanCurve]) -> list[str]:
    columns = {column for curve in curves for column in curve.mean}
    return [part for part in SETS if part == "train" or f"{part}_loss" in columns]


def _overlay(panel: Axes, curves: Sequence[MeanCurve], column: str) -> None:
    colours, dashes = itertools.cycle(RUN_COLOURS), itertools.cycle(RUN_DASHES)  # 28 pairs
    for curve, colour, dash in zip(curves, colours, dashes, strict=False):
        mean = curve.mean.get(column, np.full(len(curve.steps), np.nan))
        panel.plot(curve.steps, mean, dash, color=colour, marker=".", markersize=4, linewidth=1.4)
        if column in curve.std:
            _band(panel, curve.steps, mean, curve.std[column], colour)
    panel.grid(alpha=0.3)


def _band(panel: Axes, steps: Any, mean: Curve, std: Curve, colour: str) -> None:
    panel.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)


def _scale(panel: Axes, curves: Sequence[MeanCurve]) -> None:
    """Set a logarithmic axis if one run's loss would press the others flat."""
    losses = np.concatenate([c.mean[f"{p}_loss"] for c in curves for p in SETS if f"{p}_loss" in c.mean])
    positive = losses[losses > 0]
    if len(positive) and positive.max() > WIDE * positive.min():
        panel.set_yscale("log")


def _name_runs(figure: Figure, panel: Axes, names: Sequence[str], columns: int, bands: bool) -> None:
    title = "mean over n seeds, and a band of one standard deviation on each side" if bands else None
    legend = figure.legend(
        panel.lines, [str(n) for n in range(len(names))], loc="outside lower center", ncols=columns,
        frameon=False, title=title, handlelength=3,
    )  # fmt: skip
    # The names come afterwards, as a legend leaves out labels with a leading "_".
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name if len(name) <= 100 else f"…{name[-100:]}")


@own_settings()
def draw_seeds(
    trainings: Sequence[Sequence[Row]],
    eta: Mapping[int, float],
    title: str,
    batches: Sequence[Sequence[Row]] = (),
    loss: str = LOSS,
) -> Figure:
    """Draw cost, loss and accuracy of the parts of the data, mean and std over seeds, and eta.

    trainings: the rows of each seed's metrics.csv. eta: by step. batches: of each seed's batch_loss.csv,
    whose mean is a light curve behind that of the loss. loss: label of its axis. Values that are not finite
    leave a gap.
    """
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True).ravel()
    for panel, (quantity, label) in zip(panels, {**QUANTITIES, "loss": loss}.items(), strict=False):
        for part in parts_in(trainings):
            _line(panel, trainings, f"{part}_{quantity}", LEGEND[part], COLOURS[part], DASHES[part])
        panel.set_ylabel(label)
    if any(batches):
        panels[1].plot(*_steps_and_losses(batches), **BATCHES)
    panels[3].plot(list(eta), list(eta.values()), color="#444444")
    panels[3].set_ylabel("eta (learning rate)")
    _name_panels(figure, [panels[1], *panels], panels[2:])
    figure.suptitle(literal(title), x=0.01, ha="left", fontsize="large")
    return figure


def literal(text: str) -> str:
    """Return text that Matplotlib draws as it is: dollars start no formula, `_` hides no legend entry.

    >>> literal("costs $5")
    'costs \\\\$5'
    """
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


def _name_panels(figure: Figure, panels: Iterable[Axes], lowest: Iterable[Axes]) -> None:
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.tick_params(labelbottom=True)
        panel.ticklabel_format(useOffset=False)
    for panel in lowest:
        panel.set_xlabel(STEP)
    handles, labels = next(iter(panels)).get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)


def _line(
    panel: Axes, trainings: Sequence[Sequence[Row]], column: str, label: str, colour: str, dash: str
) -> None:
    steps, mean, std = mean_and_std_by_step(trainings, column)
    marker = "." if len(steps) < 40 else ""
    panel.plot(steps, mean, dash, color=colour, label=literal(label), marker=marker, markersize=4)
    if np.isfinite(std).any():
        _band(panel, steps, mean, std, colour)
