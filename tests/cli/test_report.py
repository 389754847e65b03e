"""The command `report`: where the page goes, and what is refused in a line."""

import shutil
from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import Done, cifarmlp
from helpers.reports import LOST, trained


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    trained(out, "plain")
    trained(out, "lost", LOST)
    return out


@pytest.fixture(autouse=True)
def _drawn_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("report.training.draw_curves", "report.comparison.draw_overlay"):
        monkeypatch.setattr(f"cifarmlp.{name}", lambda *_: tiny.Figure())
    monkeypatch.setattr("cifarmlp.render.svg.draw", lambda figure, form: b"a picture")
    monkeypatch.setattr("cifarmlp.render.svg.inline", lambda figure, prefix, alt: "<svg></svg>")


def report(*words: object, cwd: Path) -> Done:
    return cifarmlp("report", *words, cwd=cwd)


def test_the_page_of_one_run_goes_to_its_folder(place: Path) -> None:
    done = report("plain-001", "--tables", "md", "--figures", cwd=place)
    assert done.code == 0, done.err
    paths = [place / line for line in done.out.splitlines()]
    assert paths[0] == place / "plain-001" / "report.html"
    assert {path.suffix for path in paths} == {".html", ".md", ".svg", ".pdf"}
    assert all(path.is_file() for path in paths)
    before = paths[0].read_bytes()
    assert report("plain-001", cwd=place).out.split() == ["plain-001/report.html"]
    assert paths[0].read_bytes() == before


def test_the_page_of_several_goes_to_the_current_folder(place: Path) -> None:
    assert report("plain-001", "lost-001", cwd=place).out.split() == ["report.html"]
    assert report("plain-001", "lost-001", "--output", "other.html", cwd=place).out.split() == ["other.html"]
    assert "plain-001" in (place / "other.html").read_text()


@pytest.mark.parametrize(
    ("words", "code", "fault"),
    [
        (["."], 4, "no config.yaml"),
        (["nowhere"], 4, "no such folder"),
        (["plain-001", "--output", "lost-001"], 2, "--output lost-001: a folder; give the name of a file"),
        (["plain-001", "--output", "no/x.html"], 4, "No such file or directory"),
        (["plain-001", "--output", "plain-001/config.yaml"], 2, "is no report"),
    ],
)
def test_what_cannot_be_reported_is_told_in_a_line(
    words: list[str], code: int, fault: str, place: Path
) -> None:
    config = (place / "plain-001" / "config.yaml").read_bytes()
    done = report(*words, cwd=place)
    assert (done.code, done.out) == (code, "")
    (line,) = done.err.splitlines()
    assert fault in line
    assert (place / "plain-001" / "config.yaml").read_bytes() == config


def test_folders_that_we_made_and_that_hold_no_run_are_passed_over(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "plain-001", tmp_path / "plain-001")
    shutil.copytree(place / "plain-001", tmp_path / "plain-001.aside-1")
    (tmp_path / "plain-001.aside-1" / "config.yaml").write_text("damaged: [")
    for name in ("tables", "figures", "plain-range-test-001"):
        (tmp_path / name).mkdir()
    (tmp_path / "plain-range-test-001" / "range-test.json").write_text("{}")
    every = sorted(f"{path.name}/" for path in tmp_path.iterdir())
    done = report(*every, cwd=tmp_path)
    assert (done.code, done.out) == (0, "plain-001/report.html\n")
    passed = "figures, plain-001.aside-1, plain-range-test-001, tables"
    assert done.err == f"passed over, as there is no run in it: {passed}\n"
    (tmp_path / "mine").mkdir()
    assert "mine: not a run folder" in report("mine", *every, cwd=tmp_path).err
    assert report("tables", cwd=tmp_path).code == 4


def test_title_and_text_are_plain_words_in_paragraphs(place: Path) -> None:
    (place / "notes.txt").write_text("\ufeffOne <b>\nparagraph.\n\n \nAnother \x1b[2J.\n", encoding="utf-8")
    words = ["--title", "A <i>title</i>", "--output", "told.html"]
    done = report("plain-001", *words, "--text", "@notes.txt", "--json", "--tables", "md", cwd=place)
    assert (done.json["page"], done.json["title"]) == ("told.html", "A <i>title</i>")
    assert done.json["files"]
    assert all((place / path).is_file() for path in done.json["files"])
    page = (place / "told.html").read_text()
    assert "<p>One &lt;b&gt; paragraph.</p>" in page
    assert "<p>Another \\x1b[2J.</p>" in page
    assert "<h1>A &lt;i&gt;title&lt;/i&gt;</h1>" in page
    assert report("plain-001", "--title", " ", "--output", "told.html", cwd=place).code == 0
    assert "<h1>plain-001</h1>" in (place / "told.html").read_text()


@pytest.mark.parametrize(("name", "fault"), [("nowhere", "No such file"), (".", "directory"), ("x", "UTF-8")])
def test_a_text_that_cannot_be_read_is_refused(name: str, fault: str, place: Path) -> None:
    (place / "x").write_bytes(b"\xff\x00")
    done = report("plain-001", "--text", f"@{name}", cwd=place)
    assert done.code == 2
    assert f"--text @{name}: " in done.err
    assert fault in done.err
