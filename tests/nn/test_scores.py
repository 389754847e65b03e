"""Scores of a confusion matrix worked by hand."""

import numpy as np
import pytest

from cifarmlp.nn.scores import confusion, scores


def test_scores_by_hand() -> None:
    #        predicted   0  1  2  3     images
    counts = np.array([[5, 1, 0, 0],  # 6
                       [2, 2, 0, 0],  # 4
                       [1, 1, 0, 0],  # 2, never predicted
                       [0, 0, 0, 0]])  # none, never predicted  # fmt: skip
    found = scores(counts)
    np.testing.assert_allclose(found.precision, [5 / 8, 2 / 4, 0, 0])
    np.testing.assert_allclose(found.recall, [5 / 6, 2 / 4, 0, 0])
    np.testing.assert_allclose(found.f1, [10 / 14, 4 / 8, 0, 0])
    assert found.macro_f1 == pytest.approx((10 / 14 + 4 / 8 + 0) / 3)  # of the three classes that occur


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    found = scores(np.random.default_rng(1).integers(1, 50, (10, 10)))
    np.testing.assert_allclose(found.f1, 2 / (1 / found.precision + 1 / found.recall))
    assert found.macro_f1 == pytest.approx(found.f1.mean())


def test_a_class_that_is_only_predicted_counts_as_0() -> None:
    assert scores(np.array([[3, 1], [0, 0]])).macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_without_images_there_is_no_f1() -> None:
    assert np.isnan(scores(np.zeros((10, 10), int)).macro_f1)


def test_all_right_is_1() -> None:
    labels = np.random.default_rng(1).integers(0, 10, 500)
    found = scores(confusion(labels, labels))
    assert found.macro_f1 == 1
    np.testing.assert_array_equal([found.precision, found.recall, found.f1], np.ones((3, 10)))


def test_scores_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(0, 8, 60), rng.integers(1, 9, 60)
    ours = scores(confusion(labels, predicted))
    assert ours.macro_f1 == pytest.approx(
        metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    )
