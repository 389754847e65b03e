"""A page on disk, with tables and figures beside it; other files are left alone."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.render.document import Page, Picture, Section, Table, Text
from cifarmlp.report.write import write_page

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
