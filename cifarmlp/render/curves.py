"""Curves of a config against steps as figures: of one training, or mean and std over seeds.

    rows of metrics.csv -> draw_training, draw_seeds -> Figure

Seeds that diverged are in no mean; see `lost`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifarmlp.files import own_settings
from cifarmlp.render.lost import LostCurve, draw_lost, hold_limits
from cifarmlp.render.means import Curve, Row, has_diverged, mean_and_std_by_step, parts_in

Trainings = Sequence[Sequence[Row]]

STEP = "step (mini-batch updates)"
COLOURS = {"train": "#1f5fa8", "validation": "#d9730d", "test": "#2f7d32"}  # distinct for the colour-blind
DASHES = {"train": "-", "validation": "--", "test": ":"}
# Test images are in the rows where they were looked at during training, which the curves then say.
LEGEND = {"train": "train", "validation": "validation", "test": "test (looked at during training)"}
LOST = "diverged"
LOST_COLOUR = "#b02020"  # as that of a diverged trial of a search
BATCHES: dict[str, Any] = {
    "color": "#b4c8e0",
    "linewidth": 0.8,
    "zorder": 1,
    "label": "mini-batches in training",
}
LOSS = "loss (nats)"  # the label of cross-entropy's axis; that of others is handed in
QUANTITIES = {"cost": "cost (loss + L2)", "loss": LOSS, "accuracy": "accuracy (fraction)"}


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
    _draw_quantities(axes, [rows], [batches], loss)
    axes[3].plot(list(eta), list(eta.values()), color="#444444")
    axes[3].set(xlabel=STEP, ylabel="eta")
    for panel in axes:
        panel.grid(alpha=0.3)
    handles, labels = _legend(axes)
    axes[0].set_title(literal(title), loc="left")
    figure.legend(handles, labels, loc="outside upper right", ncols=min(4, len(labels)), frameon=False)
    return figure


@own_settings()
def draw_seeds(
    trainings: Trainings,
    eta: Mapping[int, float],
    title: str,
    batches: Trainings = (),
    loss: str = LOSS,
) -> Figure:
    """Draw cost, loss and accuracy of the parts of the data, mean and std over seeds, and eta.

    trainings: the rows of each seed's metrics.csv. eta: by step. batches: of each seed's batch_loss.csv,
    whose mean is a light curve behind that of the loss. loss: label of its axis. Values that are not finite
    leave a gap.
    """
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True).ravel()
    _draw_quantities(panels, trainings, batches, loss)
    panels[3].plot(list(eta), list(eta.values()), color="#444444")
    panels[3].set_ylabel("eta (learning rate)")
    for panel in panels:
        panel.grid(alpha=0.3)
        panel.tick_params(labelbottom=True)
        panel.ticklabel_format(useOffset=False)
    for panel in panels[2:]:
        panel.set_xlabel(STEP)
    handles, labels = _legend(panels)
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
    figure.suptitle(literal(title), x=0.01, ha="left", fontsize="large")
    return figure


def _draw_quantities(panels: Sequence[Axes], trainings: Trainings, batches: Trainings, loss: str) -> None:
    """Draw cost, loss and accuracy, a panel each, and the loss of the mini-batches."""
    lost = [rows for rows in trainings if has_diverged(rows)]
    whole = [rows for rows in trainings if not has_diverged(rows)]
    shown = [b for b, rows in zip(batches, trainings, strict=False) if not (whole and has_diverged(rows))]
    for panel, (quantity, label) in zip(panels, {**QUANTITIES, "loss": loss}.items(), strict=False):
        for part in parts_in(whole) if whole else ():
            _draw_mean(panel, whole, f"{part}_{quantity}", _style(part))
        if quantity == "loss" and whole:
            _draw_batches(panel, shown)
        name = LOST if len(trainings) == 1 else f"{len(lost)} of {len(trainings)} seeds {LOST}"
        _draw_lost(panel, lost, quantity, name, is_alone=not whole)
        if quantity == "loss" and not whole:
            _draw_batches(panel, shown)  # within the limits that are set by now
        panel.set_ylabel(label)


def _style(part: str) -> dict[str, Any]:
    return {"color": COLOURS[part], "linestyle": DASHES[part], "label": literal(LEGEND[part])}


def _draw_mean(panel: Axes, trainings: Trainings, column: str, style: dict[str, Any]) -> None:
    steps, mean, std = mean_and_std_by_step(trainings, column)
    panel.plot(steps, mean, marker="." if len(steps) < 40 else "", markersize=4, **style)
    if np.isfinite(std).any():
        draw_band(panel, steps, mean, std, style["color"])


def draw_band(panel: Axes, steps: Any, mean: Curve, std: Curve, colour: str) -> None:
    """Draw a band of one standard deviation on each side of a mean."""
    panel.fill_between(steps, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)


def _draw_batches(panel: Axes, batches: Trainings) -> None:
    if any(batches):
        steps, mean, _ = mean_and_std_by_step(batches, "loss")
        panel.plot(steps, mean, **BATCHES)


def _draw_lost(panel: Axes, trainings: Trainings, quantity: str, label: str, is_alone: bool) -> None:
    """Draw the curves of seeds that diverged; alone, they are named as any others."""
    curves: list[LostCurve] = []
    for rows in trainings:
        for part in parts_in([rows]):
            style = {**_style(part), "linewidth": 1.4 if is_alone else 0.8}
            line = style if is_alone and rows is trainings[0] else {**style, "label": None}
            steps, values, _ = mean_and_std_by_step([rows], f"{part}_{quantity}")
            mark = {"color": LOST_COLOUR, "label": None if curves else label}
            curves.append(LostCurve(steps, values, line, mark))
    leaves = quantity != "accuracy"
    if leaves:
        hold_limits([panel], curves)
    for curve in curves:
        draw_lost(panel, curve, leaves)


def _legend(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """Return the handles and labels of the panels of the quantities, each label once."""
    found: dict[str, Any] = {}
    for panel in (panels[1], panels[0], panels[2]):
        handles, labels = panel.get_legend_handles_labels()
        found = {**dict(zip(labels, handles, strict=True)), **found}
    order = sorted(found, key=lambda label: (label.endswith(LOST), label == BATCHES["label"]))
    return [found[label] for label in order], order


def literal(text: str) -> str:
    """Return text that Matplotlib draws as it is: dollars start no formula, `_` hides no legend entry.

    >>> literal("costs $5")
    'costs \\\\$5'
    """
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")
