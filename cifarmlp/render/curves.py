"""Curves against steps, as figures: one training, the mean over seeds, several runs overlaid.

Nothing here saves a file or holds state.
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

Row = Mapping[str, float]
Curve = NDArray[np.floating[Any]]

STEP = "step (mini-batch updates)"
SETS = {"train": "training set", "validation": "validation set"}
COLOURS = {"train": "#1f5fa8", "validation": "#d9730d"}  # told apart in print and by the colour-blind
DASHES = {"train": "-", "validation": "--"}
QUANTITIES = {"cost": "cost (loss + L2)", "loss": "loss (nats)", "accuracy": "accuracy (fraction)"}
COMPARED = {"loss": "loss (nats)", "accuracy": "accuracy (fraction)"}
# Of runs, so not those of the parts of the data; told apart in print by the dashes.
RUN_COLOURS = ("#7b3fa0", "#1b8a5a", "#b5357a", "#8a6d00", "#00808a", "#a3402a", "#444444")
RUN_DASHES = ("-", "--", "-.", ":")
WIDE = 30  # a loss this many times as large as another asks for a logarithmic axis


def draw_training(rows: Sequence[Mapping[str, float]], eta: Mapping[int, float], title: str) -> Figure:
    """Cost, loss and accuracy of training and validation set against steps, eta below.

    rows: as in metrics.csv; eta: by step, as densely as it is to be drawn. What is not finite leaves a gap.
    """
    figure = Figure(figsize=(7.5, 9), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[3, 3, 3, 1.4])
    for panel, (quantity, label) in zip(axes, QUANTITIES.items(), strict=False):
        _quantity(panel, rows, quantity, label)
    axes[3].plot(list(eta), list(eta.values()), color="#444444")
    axes[3].set(xlabel="step (mini-batch updates)", ylabel="eta")
    axes[3].grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].set_title(title, loc="left")
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _quantity(panel: Axes, rows: Sequence[Mapping[str, float]], quantity: str, label: str) -> None:
    for part, colour in COLOURS.items():
        values = [row[f"{part}_{quantity}"] for row in rows]
        steps = [row["step"] for row in rows]
        panel.plot(steps, values, DASHES[part], color=colour, label=part, marker=".", markersize=4)
    panel.set_ylabel(label)
    panel.grid(alpha=0.3)


@dataclass(frozen=True)
class MeanCurve:
    """How n seeds went. mean, std: by `train_loss`, ...; (len(steps),). std: empty where n is 1."""

    steps: tuple[float, ...]
    mean: Mapping[str, Curve]
    std: Mapping[str, Curve]
    n: int


def draw_overlay(courses: Mapping[str, MeanCurve]) -> Figure:
    """Loss and accuracy, of training and validation set, against steps; a run has one colour throughout.

    Of several seeds the mean, in a band of one standard deviation on each side.
    """
    names = [f"{name}, n = {course.n}" for name, course in courses.items()]
    columns = 2 if max(map(len, names)) <= 50 else 1
    legend = 0.24 * (math.ceil(len(names) / columns) + 1)
    figure = Figure(figsize=(10, 7 + legend), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, (quantity, label) in zip(panels, COMPARED.items(), strict=True):
        for panel, part in zip(row, SETS, strict=True):
            _overlay(panel, list(courses.values()), f"{part}_{quantity}")
        row[0].set_ylabel(label)
    for top, bottom, title in zip(*panels, SETS.values(), strict=True):
        top.set_title(title)
        bottom.set_xlabel("step (mini-batch updates)")
    _scale(panels[0, 0], list(courses.values()))
    _name_runs(figure, panels[0, 0], names, columns, any(course.std for course in courses.values()))
    return figure


def _overlay(panel: Axes, courses: Sequence[MeanCurve], name: str) -> None:
    styles = zip(
        itertools.cycle(RUN_COLOURS), itertools.cycle(RUN_DASHES), strict=False
    )  # 28 before one comes again
    for course, (colour, dash) in zip(courses, styles, strict=False):
        mean = course.mean.get(name, np.empty(0))
        panel.plot(course.steps, mean, dash, color=colour, marker=".", markersize=4, linewidth=1.4)
        if name in course.std:
            std = course.std[name]
            panel.fill_between(course.steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)
    panel.grid(alpha=0.3)


def _scale(panel: Axes, courses: Sequence[MeanCurve]) -> None:
    """A logarithmic axis where one run's loss would press the others' flat."""
    losses = np.concatenate([c.mean[f"{part}_loss"] for c in courses if c.steps for part in SETS])
    positive = losses[losses > 0]
    if len(positive) and positive.max() > WIDE * positive.min():
        panel.set_yscale("log")


def _name_runs(figure: Figure, panel: Axes, names: Sequence[str], columns: int, bands: bool) -> None:
    title = "mean over n seeds, and a band of one standard deviation on each side" if bands else None
    legend = figure.legend(
        panel.lines, [str(n) for n in range(len(names))], loc="outside lower center", ncols=columns,
        frameon=False, title=title, handlelength=3,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name if len(name) <= 100 else f"…{name[-100:]}")  # here, where no '_' can hide it


def draw_seeds(trainings: Sequence[Sequence[Row]], eta: Mapping[int, float], title: str) -> Figure:
    """Cost, loss and accuracy of training and validation set against steps, and eta: mean and std over seeds.

    trainings: the rows of each seed's metrics.csv. What is not finite leaves a gap.
    """
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True).ravel()
    for panel, (quantity, label) in zip(panels, QUANTITIES.items(), strict=False):
        for part, colour in COLOURS.items():
            _line(panel, trainings, f"{part}_{quantity}", part, colour, DASHES[part])
        panel.set_ylabel(label)
    panels[3].plot(list(eta), list(eta.values()), color="#444444")
    panels[3].set_ylabel("eta (learning rate)")
    _name_panels(figure, panels, panels[2:])
    figure.suptitle(literal(title), x=0.01, ha="left", fontsize="large")
    return figure


def literal(text: str) -> str:
    """Text that is drawn as it is: no mathematics between dollars, not hidden for its underscore."""
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
        panel.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)


@np.errstate(all="ignore")  # of what grows without bounds there is no deviation
def mean_and_std_by_step(trainings: Sequence[Sequence[Row]], column: str) -> tuple[Curve, Curve, Curve]:
    """Steps, and over the seeds that got there the mean of a column and its std (n - 1; nan for one)."""
    found: dict[float, list[float]] = {}
    for row in (row for rows in trainings for row in rows):
        found.setdefault(row["step"], []).append(row.get(column, math.nan))
    steps = sorted(found)
    mean = [float(np.mean(found[step])) for step in steps]
    std = [float(np.std(found[step], ddof=1)) if len(found[step]) > 1 else math.nan for step in steps]
    return np.array(steps), np.array(mean), np.array(std)
