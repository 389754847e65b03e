"""Curves of trainings that diverged: the axes follow the others, and these leave at the top, marked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cifarmlp.render.means import Curve

MARK: dict[str, Any] = {
    "marker": "x", "markersize": 8, "markeredgewidth": 2, "linestyle": "none", "clip_on": False, "zorder": 4,
}  # fmt: skip


@dataclass(frozen=True)
class LostCurve:
    """A curve that is not finite in the end, and how its line and its mark are drawn."""

    steps: Sequence[float] | Curve
    values: Curve
    line: dict[str, Any]
    mark: dict[str, Any]


def hold_limits(panels: Sequence[Axes], lost: Iterable[LostCurve]) -> None:
    """Fix the limits of panels that share one axis to what is drawn there; without it, to the lost ones.

    Of these, to their lowest value and a little above their first one.
    """
    values = [curve.values[np.isfinite(curve.values)] for curve in lost]
    values = [each for each in values if len(each)]
    if not values:
        return
    if any(np.isfinite(panel.dataLim.get_points()).all() for panel in panels):
        panels[0].set_ylim(*panels[0].get_ylim())
        return
    low, first = float(min(each.min() for each in values)), float(max(each[0] for each in values))
    span = max(first - low, 0.1 * abs(first)) or 1.0
    panels[0].set_ylim(low - 0.15 * span, first + 0.5 * span)


def draw_lost(panel: Axes, curve: LostCurve, leaves: bool) -> None:
    """Draw a curve that ends: marked at its last value or, if it `leaves`, where it has left at the top."""
    known = np.isfinite(curve.values)
    if not known.any():
        return
    steps, values = np.asarray(curve.steps, float), curve.values
    if not leaves:
        panel.plot(steps[known], values[known], **curve.line)
        panel.plot(steps[known][-1:], values[known][-1:], **MARK, **curve.mark)
        return
    scale = np.log if panel.get_yscale() == "log" else np.asarray
    low, top = (float(scale(limit)) for limit in panel.get_ylim())
    heights = np.where(known, np.minimum(scale(values), 2 * top - low), 2 * top - low)
    out = int(np.argmax(heights >= top))  # the first, and there is one: it is not finite in the end
    before = max(0, out - 1)
    way = np.clip((top - heights[before]) / max(heights[out] - heights[before], 1e-12), 0, 1)
    left = steps[before] + way * (steps[out] - steps[before])
    panel.plot([*steps[:out], left], [*values[:out], panel.get_ylim()[1]], **curve.line)
    panel.plot([left], [1], **MARK, **curve.mark, transform=panel.get_xaxis_transform())
