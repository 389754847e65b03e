"""Figure of a learning-rate range test: accuracy and loss against eta."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cifarmlp.files import own_settings

Values = NDArray[np.floating[Any]]


@own_settings()
def draw_range_test(
    eta: Values,
    accuracy: tuple[Values, Values],
    loss: tuple[Values, Values],
    bounds: tuple[float, float] | None,
    linear: bool,
    title: str,
) -> Figure:
    """Draw accuracy and loss of the mini-batches, and their smoothed curves on top, against eta.

    accuracy, loss: raw and smoothed, (n,) each. bounds: eta_min and eta_max, shaded between. linear: the axis
    of eta; else it is logarithmic.
    """
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    _curve(top, eta, *accuracy, "accuracy (fraction)")
    _curve(bottom, eta, *loss, "loss")
    bottom.set_ylim(*_limits(loss[1]))
    if not linear:
        bottom.set_xscale("log")
    bottom.set_xlabel("eta (learning rate)")
    top.set_title(title, loc="left", fontsize=11, parse_math=False)
    for panel, (low, high) in [(top, bounds), (bottom, bounds)] if bounds else []:
        panel.axvspan(low, high, color="#1b8a5a", alpha=0.12, label="eta_min to eta_max")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _curve(panel: Axes, eta: Values, raw: Values, smoothed: Values, label: str) -> None:
    panel.plot(eta, raw, ".", color="#9db4cf", markersize=3, label="a mini-batch before its update")
    panel.plot(eta, smoothed, color="#1f5fa8", label="mean of those around")
    panel.set_ylabel(label)
    panel.grid(alpha=0.3)


def _limits(loss: Values) -> tuple[float, float]:
    """Limits that keep the curve in sight where the loss shoots up in the end."""
    low, first = float(loss.min()), float(loss[0])
    span = max(first - low, 0.1 * first)
    return low - 0.3 * span, first + 0.5 * span
