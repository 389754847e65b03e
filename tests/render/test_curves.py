"""Curves: axes named, legend outside, what diverged leaves at the top, mean and std over seeds."""

import math
from pathlib import Path

import pytest
from helpers.rows import PARTS, ROWS, STEPS, row

from cifarmlp.render.curves import COLOURS, draw_seeds, draw_training


def test_every_panel_is_named_and_holds_both_sets() -> None:
    figure = draw_training(ROWS, {0: 0.0, 10: 0.1, 20: 0.0}, "a title")
    cost, loss, accuracy, eta = figure.axes
    assert [axes.get_ylabel().split()[0] for axes in figure.axes] == ["cost", "loss", "accuracy", "eta"]
    assert "step" in eta.get_xlabel()
    for panel in (cost, loss, accuracy):
        assert {line.get_color() for line in panel.lines} == {COLOURS[part] for part in PARTS}
        assert list(panel.lines[0].get_xdata()) == [0, 10, 20]
    assert list(eta.lines[0].get_ydata()) == [0.0, 0.1, 0.0]


def test_the_legend_stands_outside_the_curves() -> None:
    figure = draw_training(ROWS, {0: 0.0, 20: 0.1}, "a title")
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    title = figure.axes[0].title.get_window_extent()
    assert not any(axes.get_window_extent().overlaps(legend) for axes in figure.axes)
    assert not legend.overlaps(title)


def test_what_is_not_finite_leaves_a_gap(tmp_path: Path) -> None:
    draw_training([*ROWS, row(30, math.nan)], {0: 0.1}, "diverged").savefig(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


# Parts of the data, and the loss of the mini-batches


@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "validation", "test")])
def test_only_the_parts_that_were_measured_are_drawn(parts: tuple[str, ...]) -> None:
    rows = [row(step, step + 1.0, parts) for step in STEPS]
    for figure in (draw_training(rows, {0: 0.1}, "a"), draw_seeds([rows, rows], {0: 0.1}, "a")):
        assert {line.get_color() for line in figure.axes[0].lines} == {COLOURS[part] for part in parts}
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("test (looked at during training)" in texts) == ("test" in parts)


def test_the_loss_of_the_mini_batches_lies_light_behind_the_others() -> None:
    batches = [{"step": step, "loss": 2.0 + step} for step in (2, 4, 6)]
    for figure in (
        draw_training(ROWS, {0: 0.1}, "a", batches),
        draw_seeds([ROWS, ROWS], {0: 0.1}, "a", [batches, [{**each, "loss": 4.0} for each in batches]]),
    ):
        (light,) = [line for line in figure.axes[1].lines if line.get_label() == "mini-batches in training"]
        assert list(light.get_xdata()) == [2, 4, 6]
        assert light.get_zorder() < min(
            line.get_zorder() for line in figure.axes[1].lines if line is not light
        )
        assert "mini-batches in training" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert list(light.get_ydata()) == [4.0, 5.0, 6.0]


def test_a_legend_of_all_curves_fits_the_figure() -> None:
    rows = [row(step, step + 1.0, ("train", "validation", "test")) for step in STEPS]
    figure = draw_training(rows, {0: 0.1}, "a title", [{"step": 5, "loss": 2.0}])
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1


# Trainings that diverged

LOST = [*ROWS[:2], row(20, 1e30), row(25, math.nan)]


def test_the_axes_follow_the_seeds_that_did_not_diverge_and_the_other_is_marked_at_the_top() -> None:
    alone, with_lost = draw_seeds([ROWS, ROWS], {0: 0.1}, "a"), draw_seeds([ROWS, ROWS, LOST], {0: 0.1}, "a")
    for panel, before in zip(with_lost.axes[:2], alone.axes, strict=False):
        assert panel.get_ylim() == pytest.approx(before.get_ylim())
        marks = [line for line in panel.lines if line.get_marker() == "x"]
        assert [list(mark.get_ydata()) for mark in marks] == [[1], [1]]
        assert all(10 < mark.get_xdata()[0] <= 20 for mark in marks)
    assert "1 of 3 seeds diverged" in [text.get_text() for text in with_lost.legends[0].get_texts()]


def test_alone_it_is_drawn_as_far_as_its_first_loss_and_a_little_more() -> None:
    for figure in (
        draw_training(LOST, {0: 0.1}, "a", [{"step": 5, "loss": 1e30}]),
        draw_seeds([LOST], {}, "a"),
    ):
        low, top = figure.axes[1].get_ylim()
        assert low < 1 < top < 3
        assert figure.axes[2].get_ylim()[1] > 1e29  # of accuracies none is left out
        assert {line.get_color() for line in figure.axes[0].lines} >= {COLOURS[part] for part in PARTS}
