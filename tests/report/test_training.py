"""The section of a training: its results, settings, curves, and what is said of a bad end."""

from pathlib import Path

import pytest
from helpers.reports import pictures, table, trained, words

from cifarmlp.render.document import Link, Verdict
from cifarmlp.report.build import build_page


def test_a_repeated_training_has_a_row_a_seed_and_the_mean(place: Path) -> None:
    first, second, mean = table(build_page([place / "plain-001"], place), "results").rows
    assert (first[0], first[1], second[0]) == ("1", Verdict("finished", "good"), "2")
    assert mean[0] == "mean ± std, n = 2"
    accuracies = [float(str(row[2])) for row in (first, second)]
    assert float(str(mean[2]).split()[0]) == pytest.approx(sum(accuracies) / 2, abs=1.1e-4)


def test_a_training_is_shown_with_its_settings_command_folder_and_curves(place: Path) -> None:
    page = build_page([place / "plain-001"], place / "elsewhere")
    settings = dict(row for row in table(page, "settings").rows)
    assert settings["network"] == "3 layers (8-6), batch norm, He"
    assert settings["learning rate"] == "cyclic, eta 1e-05 to 0.1, n_s 20, 2 cycles"
    assert settings["trained for"] == "80 steps, 5.3 epochs"
    assert settings["folder"] == Link("plain-001", "../plain-001")
    assert "python" in {row[0] for row in table(page, "environment").rows}
    assert words(page, "command") == "cifarmlp train plain"
    cost, _, accuracy, eta = pictures(page)[0].draw().axes
    assert len(cost.lines[0].get_xdata()) == len(accuracy.lines[1].get_xdata()) == 7  # type: ignore[arg-type]
    assert max(eta.lines[0].get_ydata()) == pytest.approx(0.1)  # type: ignore[type-var]


def test_a_training_that_diverged_says_so_and_what_helps(place: Path) -> None:
    page = build_page([place / "lost-001"], place)
    state = table(page, "results").rows[0][1]
    assert isinstance(state, Verdict)
    assert (state.tone, state.words.split(" at ")[0]) == ("bad", "diverged")
    assert "what usually helps" in words(page, "note")
    assert "diverged" in page.summary[0].words  # type: ignore[union-attr]


def test_a_training_that_has_not_ended_says_how_to_go_on(place: Path) -> None:
    page = build_page([place / "begun-001"], place)
    assert "1 of 2 seeds have ended" in words(page, "note")
    assert f"cifarmlp train --resume {place / 'begun-001'}" in words(page, "command")
    assert table(page, "results").rows[1][1] == Verdict("not ended", "open")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bare-001 without validation images; looked-001 with the test images on the way, and the best kept."""
    out = tmp_path_factory.mktemp("measured")
    trained(out, "bare", "data.validation=0", seeds=2)
    trained(out, "looked", "training.evaluate_test=true", "training.keep=best", "training.patience=2")
    return out


def test_without_validation_images_nothing_is_said_of_them(measured: Path) -> None:
    page = build_page([measured / "bare-001"], measured)
    assert table(page, "results").header[2:6] == (
        "train accuracy",
        "test accuracy",
        "train loss",
        "test loss",
    )
    figure = pictures(page)[0].draw()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "train",
        "mini-batches in training",
    ]


def test_a_page_says_what_was_looked_at_and_which_step_was_kept(measured: Path) -> None:
    page = build_page([measured / "looked-001"], measured)
    results = table(page, "results")
    assert "looked at during training" in results.caption
    assert "at the step with the best validation accuracy" in results.caption
    assert ", kept step " in str(results.rows[0][1])
    assert "the test images looked at on the way" in dict(table(page, "settings").rows)["evaluation"]
    assert len(pictures(page)[0].draw().axes[0].lines) == 3


def test_runs_with_and_without_validation_images_are_compared(measured: Path) -> None:
    page = build_page([measured / "bare-001", measured / "looked-001"], measured)
    comparison = table(page, "comparison")
    assert "validation accuracy" in comparison.header
    assert comparison.caption.endswith("looked at during training: looked-001.")
    assert comparison.rows[0][list(comparison.header).index("validation accuracy")] == "-"
