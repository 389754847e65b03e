"""Several runs in one figure, each in one colour: means over their seeds against steps.

MeanCurve, one a run -> draw_overlay -> Figure
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifarmlp.files import own_settings
from cifarmlp.render.curves import LOSS, STEP, draw_band
from cifarmlp.render.lost import LostCurve, draw_lost, hold_limits
from cifarmlp.render.means import COMPARED, MeanCurve, parts_in

TITLES = {
    "train": "training set",
    "validation": "validation set",
    "test": "test set, looked at during training",
}
# Other colours than those of the parts of the data; the dashes keep them apart in print.
COLOURS = ("#7b3fa0", "#1b8a5a", "#b5357a", "#8a6d00", "#00808a", "#a3402a", "#444444")
DASHES = ("-", "--", "-.", ":")
WIDE = 30  # ratio of losses from which on their axis is logarithmic


@own_settings()
def draw_overlay(curves: Mapping[str, MeanCurve], loss: str = LOSS) -> Figure:
    """Draw loss and accuracy against steps, a panel for each part of the data, each run in one colour.

    For several seeds the mean, in a band of one standard deviation on each side. loss: label of its axis.
    """
    names = [f"{name}, {_seeds(curve)}" for name, curve in curves.items()]
    parts = parts_in([each.mean for each in (curve, *curve.lost)] for curve in curves.values())
    columns = 2 if max(map(len, names)) <= 50 else 1
    legend = 0.24 * (math.ceil(len(names) / columns) + 1)
    figure = Figure(figsize=(max(7, 5 * len(parts)), 7 + legend), layout="constrained")
    panels = figure.subplots(2, len(parts), sharex=True, sharey="row", squeeze=False)
    for row, quantity in zip(panels, COMPARED, strict=True):
        _draw_row(dict(zip(parts, row, strict=True)), list(curves.values()), quantity)
    for panel, label in zip(panels[:, 0], (loss, "accuracy (fraction)"), strict=True):
        panel.set_ylabel(label)
    for top, bottom, part in zip(*panels, parts, strict=True):
        top.set_title(TITLES[part])
        bottom.set_xlabel(STEP)
    _name_runs(figure, panels[0, 0], names, columns, any(curve.std for curve in curves.values()))
    return figure


def _seeds(curve: MeanCurve) -> str:
    """Return how many seeds a curve is of, and how many diverged."""
    if not curve.lost:
        return f"n = {curve.n}"
    if curve.n:
        return f"n = {curve.n}, and {len(curve.lost)} diverged (×)"
    return "diverged (×)" if len(curve.lost) == 1 else f"all {len(curve.lost)} diverged (×)"


def _draw_row(panels: Mapping[str, Axes], curves: Sequence[MeanCurve], quantity: str) -> None:
    """Draw a quantity of all parts: first the means, whose limits the curves of lost seeds then keep."""
    lost: dict[str, list[LostCurve]] = {part: [] for part in panels}
    styles = zip(itertools.cycle(COLOURS), itertools.cycle(DASHES), strict=False)  # 28 pairs
    for curve, (colour, dash) in zip(curves, styles, strict=False):
        for part, panel in panels.items():
            _draw_mean(panel, curve, f"{part}_{quantity}", colour, dash)
            lost[part] += _lost_curves(curve, f"{part}_{quantity}", colour, dash)
    leaves = quantity == "loss"
    if leaves:
        _scale(next(iter(panels.values())), curves)
        hold_limits([*panels.values()], [each for part in panels for each in lost[part]])
    for part, panel in panels.items():
        for each in lost[part]:
            draw_lost(panel, each, leaves)
        panel.grid(alpha=0.3)


def _draw_mean(panel: Axes, curve: MeanCurve, column: str, colour: str, dash: str) -> None:
    mean = curve.mean.get(column, np.full(len(curve.steps), np.nan))
    marker = "." if len(curve.steps) < 40 else ""
    panel.plot(curve.steps, mean, dash, color=colour, marker=marker, markersize=4, linewidth=1.4)
    if column in curve.std:
        draw_band(panel, curve.steps, mean, curve.std[column], colour)


def _lost_curves(curve: MeanCurve, column: str, colour: str, dash: str) -> list[LostCurve]:
    line = {"color": colour, "linestyle": dash, "linewidth": 0.8 if curve.n else 1.4}
    found = [each for each in curve.lost if column in each.mean]
    return [LostCurve(each.steps, each.mean[column], line, {"color": colour}) for each in found]


def _scale(panel: Axes, curves: Sequence[MeanCurve]) -> None:
    """Set a logarithmic axis if one run's loss would press the others flat."""
    losses = [values for curve in curves for column, values in curve.mean.items() if column.endswith("loss")]
    positive = np.concatenate([[], *losses])
    positive = positive[positive > 0]
    if len(positive) and positive.max() > WIDE * positive.min():
        panel.set_yscale("log")


def _name_runs(figure: Figure, panel: Axes, names: Sequence[str], columns: int, bands: bool) -> None:
    title = "mean over n seeds, and a band of one standard deviation on each side" if bands else None
    legend = figure.legend(
        panel.lines[: len(names)], [str(n) for n in range(len(names))], loc="outside lower center",
        ncols=columns, frameon=False, title=title, handlelength=3,
    )  # fmt: skip
    # The names come afterwards, as a legend leaves out labels with a leading "_".
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name if len(name) <= 100 else f"…{name[-100:]}")
