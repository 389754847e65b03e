"""Pages of run folders: which sections they have, their titles, and folders that are none."""

import shutil
from pathlib import Path

import pytest
from helpers.reports import pictures, table

from cifarmlp.errors import RunFolderError
from cifarmlp.report.build import build_page
from cifarmlp.runs.folder import unique_names


def test_the_page_of_a_run_has_its_name_and_a_sentence(place: Path) -> None:
    page = build_page([place / "plain-001"], place)
    assert page.title == "plain-001"
    assert [section.title for section in page.sections] == ["plain-001"]
    assert "test accuracy" in page.summary[0].words  # type: ignore[union-attr]


def test_the_page_of_several_compares_them_first(place: Path) -> None:
    page = build_page([place / name for name in ("plain-001", "bare-001", "lost-001")], place)
    assert page.title == "Report on 3 runs"
    assert [section.title for section in page.sections] == ["Comparison", "plain-001", "bare-001", "lost-001"]
    assert [row[0] for row in table(page, "summary").rows] == ["plain-001", "bare-001", "lost-001"]


def test_one_folder_twice_and_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "x-001", tmp_path / "b" / "x-001", tmp_path / "y", tmp_path / "y"]
    assert len(set(unique_names(folders))) == 4


def test_damaged_rows_and_files_leave_a_page(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain-001"
    shutil.copytree(place / "plain-001", folder)
    (folder / "seed-1" / "metrics.csv").write_text("step,train_loss\n0,2.3\n20,oops\n40\n60,inf\n")
    (folder / "seed-2" / "metrics.csv").write_text("stp,train_loss\n0,2.3\n20,2.2\n")
    (folder / "seed-1" / "environment.json").write_text('{"command": 3, "data": [], "libraries": 1')
    (folder / "summary.json").write_text("[1, 2]")
    page = build_page([folder, place / "plain-001"], tmp_path)
    assert "plain-001" in page.sections[1].title
    for picture in pictures(page):
        picture.draw().savefig(tmp_path / "drawn.png")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("", "", "no config.yaml"),
        ("study.json", "{}", "study.json is damaged"),
        ("search.json", "{}", "damaged"),
        ("config.yaml", "nework: 1\n", "damaged"),
    ],
)
def test_a_folder_that_holds_no_run_is_refused_in_a_line(
    name: str, text: str, fault: str, tmp_path: Path
) -> None:
    if name:
        (tmp_path / name).write_text(text)
    with pytest.raises(RunFolderError, match=fault) as caught:
        build_page([tmp_path], tmp_path)
    assert "\n" not in str(caught.value)
