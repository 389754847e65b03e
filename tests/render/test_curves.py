"""Curves: axes named, legend outside, gaps where nothing is finite, mean and std over seeds."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cifarmlp.render.curves import COLOURS, draw_seeds, draw_training
from cifarmlp.render.means import MeanCurve, mean_and_std_by_step
from cifarmlp.render.overlay import draw_overlay

STEPS = (0, 10, 20)


PARTS = ("train", "validation")


def row(step: float, value: float, parts: Sequence[str] = PARTS) -> dict[str, float]:
    """A row of metrics.csv with one value in all columns."""
    columns = [f"{part}_{quantity}" for part in parts for quantity in ("cost", "loss", "accuracy")]
    return {"step": step, "eta": 0.1, **dict.fromkeys(columns, value)}


ROWS = [row(step, step + 1.0) for step in STEPS]


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


# Means over seeds


def test_a_mean_curve_has_the_steps_that_all_seeds_reached() -> None:
    curve = MeanCurve.of([ROWS, [row(10, 5.0), row(20, 7.0), row(30, 9.0)], []])
    assert (curve.steps, curve.n) == ((10, 20), 2)
    for column in curve.mean:
        assert curve.mean[column].tolist() == [8.0, 14.0]
        assert curve.std[column] == pytest.approx(np.std([[11, 21], [5, 7]], axis=0, ddof=1))
    alone = MeanCurve.of([ROWS])
    assert (alone.steps, alone.std, alone.n) == (STEPS, {}, 1)
    assert MeanCurve.of([[], []]).n == 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mean_curve_has_a_gap_where_a_seed_has_no_number(value: float) -> None:
    curve = MeanCurve.of([ROWS, [*ROWS[:2], row(20, value)]])
    assert np.isnan(curve.mean["train_loss"]).tolist() == [False, False, True]


def test_a_mean_curve_leaves_out_rows_that_are_not_whole() -> None:
    short = {"step": 10.0, "train_loss": 1.0}
    assert MeanCurve.of([[ROWS[0], short, row(math.nan, 1.0), ROWS[2]]]).steps == (0, 20)


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


def test_the_band_is_the_standard_deviation_over_the_seeds_that_got_there() -> None:
    one = [{"step": 0.0, "x": 1.0}, {"step": 10.0, "x": 2.0}]
    two = [{"step": 0.0, "x": 3.0}]
    steps, mean, std = mean_and_std_by_step([one, two], "x")
    assert [*steps] == [0, 10]
    assert [*mean] == [2, 2]
    assert std[0] == pytest.approx(2**0.5)
    assert std[1] != std[1]


# Parts of the data, and the loss of the mini-batches


@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "validation", "test")])
def test_only_the_parts_that_were_measured_are_drawn(parts: tuple[str, ...]) -> None:
    rows = [row(step, step + 1.0, parts) for step in STEPS]
    for figure in (draw_training(rows, {0: 0.1}, "a"), draw_seeds([rows, rows], {0: 0.1}, "a")):
        assert {line.get_color() for line in figure.axes[0].lines} == {COLOURS[part] for part in parts}
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("test (looked at during training)" in texts) == ("test" in parts)
    assert set(MeanCurve.of([rows]).mean) == {f"{part}_{q}" for part in parts for q in ("loss", "accuracy")}


def test_a_mean_over_seeds_has_only_what_all_were_measured_on() -> None:
    curve = MeanCurve.of([ROWS, [row(step, 1.0, ("train",)) for step in STEPS]])
    assert set(curve.mean) == {"train_loss", "train_accuracy"}


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
