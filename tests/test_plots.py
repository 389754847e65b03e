"""Figures: axes named, both sets in colours of their own, gaps where nothing is finite."""

import math

from cifarmlp.plots import COLOURS, curves

ROWS = [
    {"step": step, "eta": 0.1}
    | {f"{part}_{q}": step + 1.0 for part in COLOURS for q in ("cost", "loss", "accuracy")}
    for step in (0, 10, 20)
]


def test_every_panel_is_named_and_holds_both_sets():
    figure = curves(ROWS, {0: 0.0, 10: 0.1, 20: 0.0}, "a title")
    cost, loss, accuracy, eta = figure.axes
    assert [axes.get_ylabel().split()[0] for axes in figure.axes] == ["cost", "loss", "accuracy", "eta"]
    assert "step" in eta.get_xlabel()
    for panel in (cost, loss, accuracy):
        assert {line.get_color() for line in panel.lines} == set(COLOURS.values())
        assert list(panel.lines[0].get_xdata()) == [0, 10, 20]
    assert list(eta.lines[0].get_ydata()) == [0.0, 0.1, 0.0]


def test_the_legend_stands_outside_the_curves(tmp_path):
    figure = curves(ROWS, {0: 0.0, 20: 0.1}, "a title")
    figure.savefig(tmp_path / "curves.png")
    legend = figure.legends[0].get_window_extent()
    title = figure.axes[0].title.get_window_extent()
    assert not any(axes.get_window_extent().overlaps(legend) for axes in figure.axes)
    assert not legend.overlaps(title)


def test_what_is_not_finite_leaves_a_gap(tmp_path):
    rows = [*ROWS, {key: math.nan if key not in ("step", "eta") else 30 for key in ROWS[0]}]
    curves(rows, {0: 0.1}, "diverged").savefig(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
