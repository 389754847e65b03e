"""Trials of a search as a figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cifarmlp.files import own_settings
from cifarmlp.text import natural_key, yaml_line

Row = Mapping[str, Any]

LONGEST = 28  # letters of a value below an axis
STAGES = {"coarse": ("#1f5fa8", "o"), "fine": ("#d9730d", "^")}


@own_settings()
def draw_trials(stages: Mapping[str, Sequence[Row]], logarithmic: Mapping[str, bool], title: str) -> Figure:
    """Draw validation accuracy against each searched field, all stages together, the best trial marked.

    stages: rows of trials.csv by stage. logarithmic: for each searched field, whether its axis is
    logarithmic; a field with values that are no numbers has these as ticks, evenly spaced. A trial that was
    stopped on the way is an empty mark; one without an accuracy (it diverged or failed) is a cross on the
    lower edge.
    """
    columns = min(2, len(logarithmic))
    rows = math.ceil(len(logarithmic) / columns)
    figure = Figure(figsize=(7.5 if columns == 1 else 10, 0.8 + 4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, (key, is_log) in zip(axes, logarithmic.items(), strict=False):
        ticks = _ticks([row[key] for rows in stages.values() for row in rows])
        _field(panel, stages, key, ticks)
        panel.set(xlabel=key, xscale="log" if is_log else "linear")
        if ticks:
            _label(panel, ticks)
    for panel in axes[len(logarithmic) :]:
        panel.remove()
    for first in axes[::columns]:
        first.set_ylabel("validation accuracy (fraction)")
    figure.suptitle(title, x=0.01, ha="left")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _ticks(values: Sequence[Any]) -> dict[str, int]:
    """Return the place of each value, by its text, on an axis of values; empty where all are numbers.

    >>> _ticks([[100, 50], [20, 20], [100, 50]]), _ticks([0.1, 0.2])
    ({'[20, 20]': 0, '[100, 50]': 1}, {})
    """
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return {}
    return {text: place for place, text in enumerate(sorted({*map(yaml_line, values)}, key=natural_key))}


def _field(panel: Axes, stages: Mapping[str, Sequence[Row]], key: str, ticks: Mapping[str, int]) -> None:
    def place(row: Row) -> float:
        return ticks[yaml_line(row[key])] if ticks else float(row[key])

    ended = [row for rows in stages.values() for row in rows if row["status"] == "finished"]
    for stage, (colour, marker) in STAGES.items():
        rows = [row for row in stages.get(stage, ()) if row["status"] == "finished"]
        if rows:
            panel.scatter(
                [place(row) for row in rows], [row["validation_accuracy"] for row in rows],
                s=22, marker=marker, color=colour, alpha=0.75, linewidths=0, label=stage,
            )  # fmt: skip
    stopped = [row for rows in stages.values() for row in rows if row["status"] == "stopped"]
    if stopped:
        panel.scatter(
            [place(row) for row in stopped], [row["validation_accuracy"] for row in stopped],
            s=20, marker="o", facecolors="none", edgecolors="#8a8a8a", linewidths=1,
            label="stopped on the way",
        )  # fmt: skip
    lost = [place(row) for rows in stages.values() for row in rows if row["status"] in ("diverged", "failed")]
    if lost:
        panel.plot(lost, [0.02] * len(lost), "x", color="#b02020", markersize=6, label="diverged or failed",
                   transform=panel.get_xaxis_transform())  # fmt: skip
    if ended:
        best = max(ended, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
        panel.plot(place(best), best["validation_accuracy"], "*", color="black", markersize=15,
                   markerfacecolor="none", label=f"best: trial {best['trial']:g}")  # fmt: skip
    panel.grid(alpha=0.3)


def _label(panel: Axes, ticks: Mapping[str, int]) -> None:
    """Write the values below an axis, slanted where they are long together."""
    labels = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in ticks]
    slanted = len(labels) * max(map(len, labels)) > 2 * LONGEST
    panel.set_xticks([*ticks.values()], labels, rotation=30 * slanted, ha="right" if slanted else "center")
    panel.set_xlim(-0.5, len(ticks) - 0.5)
