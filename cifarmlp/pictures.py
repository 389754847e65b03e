"""Runs overlaid, and what an evaluation found, as figures. Nothing here saves a file or holds state."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifarmlp.data import Pixels
from cifarmlp.nn.types import Float

SETS = {"train": "training set", "validation": "validation set"}
COMPARED = {"loss": "loss (nats)", "accuracy": "accuracy (fraction)"}
# Of runs, so not those of the parts of the data; told apart in print by the dashes.
COLOURS = ("#7b3fa0", "#1b8a5a", "#b5357a", "#8a6d00", "#00808a", "#a3402a", "#444444")
DASHES = ("-", "--", "-.", ":")
MOST_UNITS = 400
WIDE = 30  # a loss this many times as large as another asks for a logarithmic axis


@dataclass(frozen=True)
class Course:
    """How n seeds went. mean, std: by `train_loss`, ...; (len(steps),). std: empty where n is 1."""

    steps: tuple[float, ...]
    mean: Mapping[str, Float]
    std: Mapping[str, Float]
    n: int


def overlaid(courses: Mapping[str, Course]) -> Figure:
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


def _overlay(panel: Axes, courses: Sequence[Course], name: str) -> None:
    styles = zip(itertools.cycle(COLOURS), itertools.cycle(DASHES), strict=False)  # 28 before one comes again
    for course, (colour, dash) in zip(courses, styles, strict=False):
        mean = course.mean.get(name, np.empty(0))
        panel.plot(course.steps, mean, dash, color=colour, marker=".", markersize=4, linewidth=1.4)
        if name in course.std:
            std = course.std[name]
            panel.fill_between(course.steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)
    panel.grid(alpha=0.3)


def _scale(panel: Axes, courses: Sequence[Course]) -> None:
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


def confusion(counts: Float, names: Sequence[str], title: str) -> Figure:
    """A confusion matrix (10, 10), rows true, columns predicted; shaded by share of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8, 7), layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, j), share in np.ndenumerate(shares):
        panel.text(j, i, f"{counts[i, j]:.0f}", ha="center", va="center", fontsize=9,
                   color="white" if share > 0.5 else "black")  # fmt: skip
    panel.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    panel.set_yticks(range(len(names)), names)
    panel.set(xlabel="predicted class", ylabel="true class")
    _title(panel, title)
    figure.colorbar(image, label="share of the true class (fraction)", shrink=0.85)
    return figure


def weights(W1: Float, names: Sequence[str], title: str) -> Figure:
    """The weights W1 (3072, width) into each unit of the first layer as a picture of 32x32 pixels.

    Grey is 0, and a unit's largest weight is fully bright or dark: each has its own scale. names: of the
    units, where they have some. Of more than 400, the first.
    """
    W1 = W1[:, :MOST_UNITS]
    width = W1.shape[1]
    columns = 20 if width > 100 else max(5, min(10, width))
    rows = math.ceil(width / columns)
    figure = Figure(figsize=(9, 0.9 + 8.4 * rows / columns), layout="constrained")
    panel = figure.subplots()
    panel.imshow(_mosaic(W1, rows, columns), interpolation="nearest")
    if names:
        _name_tiles(panel, names, columns)
    else:
        _number_tiles(panel, rows, columns)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    _title(panel, f"{title}: first-layer weights, grey is 0, each unit on its own scale")
    return figure


def _mosaic(W1: Float, rows: int, columns: int) -> NDArray[np.float64]:
    mosaic = np.ones((34 * rows + 2, 34 * columns + 2, 3))
    largest = np.maximum(np.abs(W1).max(axis=0), np.finfo(W1.dtype).tiny)
    for n, weights in enumerate((W1 / largest).T):
        top, left = 34 * (n // columns) + 2, 34 * (n % columns) + 2
        mosaic[top : top + 32, left : left + 32] = (1 + weights.reshape(3, 32, 32).transpose(1, 2, 0)) / 2
    return mosaic


def _number_tiles(panel: Axes, rows: int, columns: int) -> None:
    panel.set_xticks(34 * np.arange(columns) + 17, [f"+{n}" for n in range(columns)])
    panel.set_yticks(34 * np.arange(rows) + 17, [str(columns * n + 1) for n in range(rows)])
    panel.set(xlabel="hidden unit: the row's number + the column's", ylabel="first unit of the row")


def _name_tiles(panel: Axes, names: Sequence[str], columns: int) -> None:
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_xlabel("output unit, by its class")
    for n, name in enumerate(names):
        place = 34 * (n % columns) + 4, 34 * (n // columns) + 4
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        panel.text(*place, name, fontsize=9, va="top", bbox=box)


def mistakes(pixels: Pixels, words: Sequence[str], title: str) -> Figure:
    """Images (n, 3072), five a row, with words above each."""
    rows = math.ceil(len(words) / 5)
    figure = Figure(figsize=(8, 0.5 + 1.95 * rows), layout="constrained")
    panels = figure.subplots(rows, 5, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    for panel, image, word in zip(panels, pixels, words, strict=False):
        panel.imshow(image.reshape(3, 32, 32).transpose(1, 2, 0), interpolation="nearest")
        panel.set_title(word, fontsize=9)
    figure.suptitle(f"{title}: true → predicted class, and its probability", parse_math=False, fontsize=11)
    return figure


def _title(panel: Axes, title: str) -> None:
    panel.set_title(title, loc="left", fontsize=11, parse_math=False)
