"""Runs overlaid: one colour each, names as they are, axes that follow those that did not diverge."""

import math

import pytest
from helpers.rows import ROWS, row
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cifarmlp.render.means import MeanCurve
from cifarmlp.render.overlay import draw_overlay


def overlaid(*names: str, n: int = 2) -> Figure:
    """The figure of runs with so many seeds, laid out."""
    figure = draw_overlay({name: MeanCurve.of([ROWS] * n) for name in names})
    figure.draw_without_rendering()
    return figure


def test_a_run_has_one_colour_in_all_panels() -> None:
    figure = overlaid("one", "two", "three")
    colours = [[to_hex(line.get_color()) for line in panel.lines] for panel in figure.axes]
    assert all(each == colours[0] for each in colours)
    assert len(set(colours[0])) == 3
    assert to_hex(figure.axes[0].collections[1].get_facecolor()[0]) == colours[0][1]


def test_panels_are_named_and_the_legend_is_outside() -> None:
    names = ("plain-001", "normal-001", "linear-001", "lost-001")
    figure = overlaid(*names)
    assert [axes.get_ylabel().split(" ")[0] for axes in figure.axes] == ["loss", "", "accuracy", ""]
    assert [axes.get_title() for axes in figure.axes] == ["training set", "validation set", "", ""]
    assert all("step" in axes.get_xlabel() for axes in figure.axes[2:])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{name}, n = 2" for name in names]
    box = legend.get_window_extent()
    assert not any(axes.get_tightbbox().overlaps(box) for axes in figure.axes)
    assert (figure.bbox.containsx(box.x0), figure.bbox.containsx(box.x1)) == (True, True)


@pytest.mark.parametrize("name", ["_hidden-001", "$x$-001", "100-%_{-001", "long-" * 40])
def test_a_legend_shows_names_as_they_are(name: str) -> None:
    figure = overlaid(name, "other", n=1)
    assert f"{name}, n = 1".endswith(figure.legends[0].get_texts()[0].get_text().removeprefix("…"))
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1


def test_a_run_that_diverged_leaves_at_the_top_and_changes_no_axis() -> None:
    lost = [*ROWS[:2], row(20, 1e30), row(25, math.nan)]
    curves = {
        "fine": MeanCurve.of([ROWS]),
        "mixed": MeanCurve.of_finite([ROWS, lost]),
        "lost": MeanCurve.of_finite([lost]),
    }
    figure, alone = draw_overlay(curves), draw_overlay({"fine": MeanCurve.of([ROWS])})
    for panel, before in zip(figure.axes[:2], alone.axes, strict=False):
        assert panel.get_yscale() == "linear"
        assert panel.get_ylim() == pytest.approx(before.get_ylim())
        marks = [line for line in panel.lines if line.get_marker() == "x"]
        assert [mark.get_ydata()[0] for mark in marks] == [1, 1]
        assert [to_hex(m.get_color()) for m in marks] == [
            to_hex(line.get_color()) for line in panel.lines[1:3]
        ]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["fine, n = 1", "mixed, n = 1, and 1 diverged (×)", "lost, diverged (×)"]
