"""Histories as figures. Nothing here saves a file or holds state."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"train": "#1f5fa8", "validation": "#d9730d"}  # told apart in print and by the colour-blind
DASHES = {"train": "-", "validation": "--"}
QUANTITIES = {"cost": "cost (loss + L2)", "loss": "loss (nats)", "accuracy": "accuracy (fraction)"}


def curves(rows: Sequence[Mapping[str, float]], eta: Mapping[int, float], title: str) -> Figure:
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
