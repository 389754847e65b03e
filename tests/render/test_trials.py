"""The figure of a search: all trials in their places, the best marked, nothing overlapping."""

import itertools
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cifarmlp.render.trials import draw_trials

LAMBDA, ETA, SIZE = "training.lambda", "training.schedule.eta_max", "training.batch_size"


def trial(number: int, accuracy: float, loss: float = 1.0, status: str = "finished") -> dict[str, Any]:
    """A row of trials.csv."""
    fields = {LAMBDA: 10.0**-number, ETA: 0.1 * number, SIZE: 50 + number}
    measured = {"train_accuracy": 0.9, "validation_accuracy": accuracy, "validation_loss": loss}
    return {"trial": number, "status": status, **fields, **measured, "seconds": 1.0}


def lost(number: int, status: str = "diverged") -> dict[str, Any]:
    return trial(number, math.nan, math.nan, status)


COARSE = [trial(1, 0.4), lost(2), trial(3, 0.5, 1.3), trial(4, 0.2)]
FINE = [trial(5, 0.5, 1.2), trial(6, 0.45), lost(7, "failed")]
BOTH = {"coarse": COARSE, "fine": FINE}
SHORT, LONG = "report-2-search", "a-name-of-forty-letters-is-not-too-long-"
LOGARITHMIC = {LAMBDA: True, ETA: False, SIZE: False}


@cache
def drawn(fields: int, title: str) -> Figure:
    """The figure of the first so many fields, laid out."""
    figure = draw_trials(BOTH, dict(list(LOGARITHMIC.items())[:fields]), title)
    figure.draw_without_rendering()
    return figure


def points(panel: Axes, label: str) -> list[tuple[float, float]]:
    """What one kind of marks stands at; scattered, or drawn as a line without a line."""
    for artist in panel.get_children():
        if artist.get_label() == label and isinstance(artist, PathCollection):
            return [(float(x), float(y)) for x, y in np.asarray(artist.get_offsets())]
        if artist.get_label() == label and isinstance(artist, Line2D):
            return [(float(x), float(y)) for x, y in zip(*artist.get_data(), strict=True)]
    return []


@pytest.mark.parametrize("fields", [1, 2, 3])
def test_each_searched_field_has_a_panel_with_named_axes(fields: int) -> None:
    figure = drawn(fields, SHORT)
    assert [axes.get_xlabel() for axes in figure.axes] == list(LOGARITHMIC)[:fields]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear", "linear"][:fields]
    lefts = [figure.axes[n] for n in range(0, fields, 2)]
    assert {axes.get_ylabel() for axes in lefts} == {"validation accuracy (fraction)"}
    assert figure.get_suptitle() == SHORT


def test_every_trial_stands_at_its_value_and_accuracy() -> None:
    for panel, key in zip(drawn(3, SHORT).axes, LOGARITHMIC, strict=True):
        for stage, rows in BOTH.items():
            ended = [(row[key], row["validation_accuracy"]) for row in rows if row["status"] == "finished"]
            assert points(panel, stage) == ended


def test_the_best_is_marked_by_accuracy_and_then_by_loss() -> None:
    for panel, key in zip(drawn(3, SHORT).axes, LOGARITHMIC, strict=True):
        assert points(panel, "best: trial 5") == [(FINE[0][key], 0.5)]
    coarse = draw_trials({"coarse": COARSE, "fine": []}, {LAMBDA: True}, "a coarse search")
    assert points(coarse.axes[0], "best: trial 3") == [(1e-3, 0.5)]
    assert [text.get_text() for text in coarse.legends[0].texts] == [
        "coarse",
        "diverged or failed",
        "best: trial 3",
    ]


def test_those_without_an_accuracy_stand_on_the_lower_edge() -> None:
    for panel, key in zip(drawn(3, SHORT).axes, LOGARITHMIC, strict=True):
        crosses = points(panel, "diverged or failed")
        assert [x for x, _ in crosses] == [COARSE[1][key], FINE[2][key]]
        (mark,) = [line for line in panel.lines if line.get_label() == "diverged or failed"]
        low, high = panel.get_ylim()
        for x, y in mark.get_transform().transform(crosses):
            _, height = panel.transData.inverted().transform((x, y))
            assert low <= height < low + 0.05 * (high - low)


def test_a_figure_without_an_accuracy_can_be_drawn(tmp_path: Path) -> None:
    figure = draw_trials({"coarse": [lost(1), lost(2)], "fine": []}, LOGARITHMIC, "all lost")
    figure.savefig(tmp_path / "search.png")
    assert [text.get_text() for text in figure.legends[0].texts] == ["diverged or failed"]


@pytest.mark.parametrize("fields", [1, 2, 3])
def test_the_legend_of_a_search_stands_outside_the_axes_and_names_all_marks(fields: int) -> None:
    figure = drawn(fields, SHORT)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [
        "coarse",
        "fine",
        "diverged or failed",
        "best: trial 5",
    ]
    box = legend.get_window_extent()
    assert not any(axes.get_tightbbox().overlaps(box) for axes in figure.axes)
    assert figure.bbox.containsx(box.x0)
    assert figure.bbox.containsx(box.x1)


@pytest.mark.parametrize("fields", [1, 2, 3])
@pytest.mark.parametrize("title", [SHORT, LONG], ids=["short", "long"])
def test_the_title_of_a_search_stands_clear_of_all_else(fields: int, title: str) -> None:
    figure = drawn(fields, title)
    (text,) = [each for each in figure.texts if each.get_text()]
    box = text.get_window_extent()
    assert not box.overlaps(figure.legends[0].get_window_extent())
    assert not any(axes.get_tightbbox().overlaps(box) for axes in figure.axes)


def test_panels_do_not_overlap() -> None:
    panels = [axes.get_tightbbox() for axes in drawn(3, SHORT).axes]
    assert len(panels) == 3
    assert not any(one.overlaps(other) for one, other in itertools.combinations(panels, 2))


HIDDEN = "network.hidden"


def test_values_that_are_no_numbers_are_ticks_in_order_with_their_trials_above_them() -> None:
    widths: list[Any] = [[100, 50], [20, 20], [100, 50], [20, 20]]
    coarse = [{**row, HIDDEN: value} for row, value in zip(COARSE, widths, strict=True)]
    figure = draw_trials({"coarse": coarse, "fine": []}, {HIDDEN: False}, "widths")
    figure.draw_without_rendering()
    (panel,) = figure.axes
    assert [label.get_text() for label in panel.get_xticklabels()] == ["[20, 20]", "[100, 50]"]
    assert points(panel, "coarse") == [(1, 0.4), (1, 0.5), (0, 0.2)]
    assert points(panel, "diverged or failed") == [(0, 0.02)]
    assert points(panel, "best: trial 3") == [(1, 0.5)]


def test_long_values_are_slanted_and_cut() -> None:
    values: list[Any] = [[50] * 20, [60] * 20, True]
    coarse = [{**trial(n, 0.5), HIDDEN: value} for n, value in enumerate(values, start=1)]
    figure = draw_trials({"coarse": coarse, "fine": []}, {HIDDEN: False}, "widths")
    labels = figure.axes[0].get_xticklabels()
    assert [len(label.get_text()) for label in labels] == [28, 28, 4]
    assert {label.get_rotation() for label in labels} == {30}
