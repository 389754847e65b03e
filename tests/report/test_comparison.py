"""The section that compares trainings: settings that differ, results, differences seed by seed."""

import shutil
from pathlib import Path

import pytest
from helpers.origins import change_images, change_numpy
from helpers.reports import table, trained, words

from cifarmlp.render.document import Table, Verdict, blocks
from cifarmlp.report.build import build_page


def test_several_runs_are_compared_with_the_first(place: Path) -> None:
    page = build_page([place / "plain-001", place / "bare-001"], place)
    assert table(page, "comparison-settings").header == ("run", "network")
    results = table(page, "comparison").rows
    assert [row[2] for row in results] == [
        Verdict("finished", "good"), Verdict("1 of 2 did not learn", "bad"),
    ]  # fmt: skip
    differences = table(page, "comparison-differences").rows
    assert [row[:2] for row in differences] == [
        ("bare-001", "train"), ("bare-001", "validation"), ("bare-001", "test"),
    ]  # fmt: skip
    plain, bare = (float(str(row[4]).split()[0]) for row in results)
    assert float(str(differences[1][2])) == pytest.approx(bare - plain, abs=1.1e-4)
    assert {row[5].words for row in differences} <= {"higher", "lower", "not significant"}  # type: ignore[union-attr]


def test_runs_without_a_seed_in_common_have_no_differences(place: Path, tmp_path: Path) -> None:
    other = trained(tmp_path, "other", "seed=9", "training.steps=10")
    page = build_page([place / "plain-001", other], place)
    assert "No two of them have a seed in common" in words(page)


def test_to_a_run_on_other_images_no_difference_is_taken(place: Path, tmp_path: Path) -> None:
    runs = [Path(shutil.copytree(place / name, tmp_path / name)) for name in ("plain-001", "bare-001")]
    change_images(runs[1])
    page = build_page(runs, tmp_path)
    assert "bare-001: other images than plain-001, so no differences to it." in words(page, "note")
    assert "have a seed in common" not in words(page)
    assert not any(
        block.name == "comparison-differences" for block in blocks(page) if isinstance(block, Table)
    )
    assert len(table(page, "comparison").rows) == 2


def test_another_numpy_is_told(place: Path, tmp_path: Path) -> None:
    runs = [Path(shutil.copytree(place / name, tmp_path / name)) for name in ("plain-001", "bare-001")]
    change_numpy(runs[0])
    page = build_page(runs, tmp_path)
    assert "bare-001 and plain-001: other numerics (numpy was 1.0, is " in words(page, "note")
    assert table(page, "comparison-differences").rows


def test_runs_of_another_loss_are_told(place: Path, tmp_path: Path) -> None:
    hinge = trained(tmp_path, "hinge", "training.loss=hinge")
    page = build_page([place / "plain-001", hinge], tmp_path)
    assert (
        "hinge-001 and plain-001: their losses are not comparable (hinge (multi-class SVM, margin 1); "
        "cross-entropy, nats), only accuracies are."
    ) in words(page, "note")
    assert "loss (of different kinds)" in table(page, "comparison").caption
    assert "loss (hinge (multi-class SVM, margin 1)) at the end" in table(page, "hinge-001-results").caption


def test_many_settings_that_differ_are_rows(place: Path, tmp_path: Path) -> None:
    other = trained(
        tmp_path, "other", "network.batch_norm=false", "training.lambda=0.1", "data.validation=50"
    )
    found = table(build_page([place / "plain-001", other], tmp_path), "comparison-settings")
    assert found.header == ("setting", "plain-001", "other-001")
    assert ("lambda (L2)", "0.5", "0.1") in found.rows
    assert len(found.rows) > 2
