"""A page on disk, with tables and figures beside it; other files are left alone."""

from pathlib import Path

import pytest
from helpers.latex import log_of, needs_latex
from helpers.pages import figure, table
from matplotlib.figure import Figure

from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.render.document import Link, Page, Picture, Section, Table, Text, Verdict, blocks
from cifarmlp.report import write
from cifarmlp.report.build import build_page
from cifarmlp.report.write import write_page

ROW = ("report-2/figure-1", "0.5304 ± 0.0019", Verdict("holds", "good"), Link("run", "runs/a b/c"))
TABLE = Table("numbers", "Numbers.", ("run", "accuracy"), (("one", "0.5"),))
PAGE = Page("A page", (Text("Words."), TABLE), (Section("One", (Picture("curve", "It.", Figure, "it"),)),))


@pytest.mark.parametrize(("form", "start"), [("md", "Numbers."), ("tex", r"\begin{table}")])
def test_a_page_with_its_tables_and_figures(form: str, start: str, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    paths = write_page(PAGE, output, form, figures=True)  # type: ignore[arg-type]
    names = ["report.html", f"tables/numbers.{form}", "figures/curve.pdf", "figures/curve.svg"]
    assert paths == [tmp_path / name for name in names]
    assert all(path.stat().st_size > 50 for path in paths)
    assert paths[1].read_text().startswith(start)


def test_the_same_page_again_gives_the_same_bytes(tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    assert write_page(PAGE, output) == [output]
    before = output.read_bytes()
    assert write_page(PAGE, output) == [output]
    assert output.read_bytes() == before


def test_a_page_takes_the_place_of_pages_only(tmp_path: Path) -> None:
    other = tmp_path / "notes.html"
    other.write_text("mine")
    with pytest.raises(ConfigError, match="is no report"):
        write_page(PAGE, other)
    assert other.read_text() == "mine"


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError):
        write_page(PAGE, tmp_path / "no" / "x.html")


def test_files_are_named_after_their_blocks_and_the_same_each_time(tmp_path: Path) -> None:
    blocks = (table(ROW), table(ROW), Picture("../curves", "c", figure, "a"))
    short = Page("t", (), (Section("s", blocks),))
    figures = write.write_figures(short, tmp_path)
    files = [*write.write_tables(short, tmp_path, "md"), *figures]
    names = {str(path.relative_to(tmp_path)) for path in files}
    assert names == {"tables/a-table.md", "tables/a-table-2.md", "figures/curves.svg", "figures/curves.pdf"}
    before = {path: path.read_bytes() for path in files}
    assert write.write_figures(short, tmp_path) == figures == sorted(figures)
    assert {path: path.read_bytes() for path in files} == before
    assert before[tmp_path / "figures/curves.pdf"].startswith(b"%PDF")
    assert b"currentColor" not in before[tmp_path / "figures/curves.svg"]


@needs_latex
def test_all_tables_of_a_page_compile_and_fit(place: Path, tmp_path: Path) -> None:
    page = build_page([place / name for name in ("plain-001", "bare-001", "lost-001")], place)
    tables = [block for block in blocks(page) if isinstance(block, Table)]
    assert len(tables) > 8
    assert "Overfull \\hbox" not in log_of(tables, tmp_path)
