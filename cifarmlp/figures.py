"""A training over its seeds as a figure. Nothing here saves a file or holds state."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifarmlp.plots import COLOURS, DASHES, QUANTITIES

Row = Mapping[str, float]
Curve = NDArray[np.float64]
STEP = "step (mini-batch updates)"


def seeds(trainings: Sequence[Sequence[Row]], eta: Mapping[int, float], title: str) -> Figure:
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
    _name(figure, panels, panels[2:])
    figure.suptitle(written(title), x=0.01, ha="left", fontsize="large")
    return figure


def written(text: str) -> str:
    """Text that is drawn as it is: no mathematics between dollars, not hidden for its underscore."""
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


def _name(figure: Figure, panels: Iterable[Axes], lowest: Iterable[Axes]) -> None:
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
    steps, mean, std = mean_and_std(trainings, column)
    marker = "." if len(steps) < 40 else ""
    panel.plot(steps, mean, dash, color=colour, label=written(label), marker=marker, markersize=4)
    if np.isfinite(std).any():
        panel.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)


@np.errstate(all="ignore")  # of what grows without bounds there is no deviation
def mean_and_std(trainings: Sequence[Sequence[Row]], column: str) -> tuple[Curve, Curve, Curve]:
    """Steps, and over the seeds that got there the mean of a column and its std (n - 1; nan for one)."""
    found: dict[float, list[float]] = {}
    for row in (row for rows in trainings for row in rows):
        found.setdefault(row["step"], []).append(row.get(column, math.nan))
    steps = sorted(found)
    mean = [float(np.mean(found[step])) for step in steps]
    std = [float(np.std(found[step], ddof=1)) if len(found[step]) > 1 else math.nan for step in steps]
    return np.array(steps), np.array(mean), np.array(std)
