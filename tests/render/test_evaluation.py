"""Figures of an evaluation: confusion matrix, first-layer weights, mistakes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from cifarmlp.render.evaluation import draw_confusion, draw_images, draw_weights

NAMES = list("abcdefghij")


def pixels(figure: Figure, panel: int = 0) -> np.ndarray:
    """The image that a panel shows."""
    return np.asarray(figure.axes[panel].images[0].get_array())


def test_the_confusion_matrix_has_names_and_numbers() -> None:
    figure = draw_confusion(np.arange(100.0).reshape(10, 10), NAMES, "a title")
    panel, bar = figure.axes
    assert [text.get_text() for text in panel.texts] == [str(n) for n in range(100)]
    assert panel.texts[1].get_position() == (1, 0)  # column 1, row 0
    for ticks in (panel.get_xticklabels(), panel.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == NAMES
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("predicted class", "true class")
    assert "share" in bar.get_ylabel()
    assert np.allclose(pixels(figure).sum(axis=1), 1)


def test_weights_are_pictures_unit_by_unit() -> None:
    W1 = np.zeros((3072, 12), np.float32)
    W1[0, 0], W1[1024 + 33, 11] = 2.0, -0.5
    figure = draw_weights(W1, (), "a title")
    mosaic = pixels(figure)
    assert mosaic[2, 2].tolist() == [1, 0.5, 0.5]  # unit 1, first pixel, red
    assert mosaic[34 + 3, 34 + 3].tolist() == [0.5, 0, 0.5]  # unit 12: second row, second column, green
    assert np.all(mosaic[40:60, 80:] == 1)  # there is no unit 13
    assert "hidden unit" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(("width", "units"), [(1, 1), (50, 50), (1000, 400)])
def test_any_number_of_units_can_be_drawn(width: int, units: int) -> None:
    figure = draw_weights(np.ones((3072, width), np.float32), (), "a title")
    assert np.sum(np.all(pixels(figure)[2::34, 2::34] == 1, axis=2)) >= units
    assert max(figure.get_size_inches()) < 20


def test_a_linear_classifiers_units_are_its_classes() -> None:
    figure = draw_weights(np.ones((3072, 10), np.float32), NAMES, "a title")
    assert [text.get_text() for text in figure.axes[0].texts] == NAMES


def test_mistakes_show_the_image_and_what_was_said() -> None:
    images = np.zeros((7, 3072), np.uint8)
    images[6, 2048] = 200
    figure = draw_images(images, [f"a → {n}" for n in range(7)], "a title")
    assert figure.axes[6].get_title() == "a → 6"
    assert pixels(figure, 6)[0, 0].tolist() == [0, 0, 200]
