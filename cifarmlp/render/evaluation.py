"""Figures of an evaluation: confusion matrix, first-layer weights, mistakes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifarmlp.files import own_settings

MOST_UNITS = 400


@own_settings()
def draw_confusion(counts: NDArray[np.floating[Any]], names: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix (10, 10), rows true, columns predicted, shaded by share of the row."""
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


@own_settings()
def draw_weights(W1: NDArray[np.floating[Any]], names: Sequence[str], title: str) -> Figure:
    """Draw the weights W1 (3072, width) into each of the first 400 units as an image of 32x32 pixels.

    Each unit has its own scale: 0 is grey, its largest weight is fully bright or dark. names: of the units,
    empty if they have none.
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


def _mosaic(W1: NDArray[np.floating[Any]], rows: int, columns: int) -> NDArray[np.float64]:
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


@own_settings()
def draw_images(
    pixels: NDArray[np.uint8], words: Sequence[str], title: str, colours: Sequence[str] = ()
) -> Figure:
    """Draw images (n, 3072), five a row, with words above each, black or in these colours, under a title."""
    rows = math.ceil(len(words) / 5)
    figure = Figure(figsize=(8, 0.5 + 1.95 * rows), layout="constrained")
    panels = figure.subplots(rows, 5, squeeze=False).ravel()
    for panel in panels:
        panel.axis("off")
    inks = colours or ["black"] * len(words)
    for panel, image, word, ink in zip(panels, pixels, words, inks, strict=False):
        panel.imshow(image.reshape(3, 32, 32).transpose(1, 2, 0), interpolation="nearest")
        panel.set_title(word, fontsize=9, color=ink, parse_math=False)
    figure.suptitle(title, parse_math=False, fontsize=11)
    return figure


def _title(panel: Axes, title: str) -> None:
    panel.set_title(title, loc="left", fontsize=11, parse_math=False)
