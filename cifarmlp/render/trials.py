"""Trials of a search as a figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifarmlp.files import own_settings

Row = Mapping[str, Any]

STAGES = {"coarse": ("#1f5fa8", "o"), "fine": ("#d9730d", "^")}


@own_settings()
def draw_trials(stages: Mapping[str, Sequence[Row]], logarithmic: Mapping[str, bool], title: str) -> Figure:
    """Draw validation accuracy against each searched field, all stages together, the best trial marked.

    stages: rows of trials.csv by stage. logarithmic: for each searched field, whether its axis is
    logarithmic. A trial without an accuracy (it diverged or failed) is a cross on the lower edge.
    """
    columns = min(2, len(logarithmic))
    rows = math.ceil(len(logarithmic) / columns)
    figure = Figure(figsize=(7.5 if columns == 1 else 10, 0.8 + 4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, (key, is_log) in zip(axes, logarithmic.items(), strict=False):
        _field(panel, stages, key)
        panel.set(xlabel=key, xscale="log" if is_log else "linear")
    for panel in axes[len(logarithmic) :]:
        panel.remove()
    for first in axes[::columns]:
        first.set_ylabel("validation accuracy (fraction)")
    figure.suptitle(title, x=0.01, ha="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _field(panel: Axes, stages: Mapping[str, Sequence[Row]], key: str) -> None:
    ended = [row for rows in stages.values() for row in rows if row["status"] == "finished"]
    for stage, (colour, marker) in STAGES.items():
        rows = [row for row in stages.get(stage, ()) if row["status"] == "finished"]
        if rows:
            x, y = ([row[name] for row in rows] for name in (key, "validation_accuracy"))
            panel.scatter(x, y, s=22, marker=marker, color=colour, alpha=0.75, linewidths=0, label=stage)
    lost = [row[key] for rows in stages.values() for row in rows if row["status"] != "finished"]
    if lost:
        panel.plot(lost, [0.02] * len(lost), "x", color="#b02020", markersize=6, label="diverged or failed",
                   transform=panel.get_xaxis_transform())  # fmt: skip
    if ended:
        best = max(ended, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
        panel.plot(best[key], best["validation_accuracy"], "*", color="black", markersize=15,
                   markerfacecolor="none", label=f"best: trial {best['trial']:g}")  # fmt: skip
    panel.grid(alpha=0.3)
