"""Names of folders and streams that cannot say everything: no traceback, nothing raw on the terminal."""

import os
from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import cifarmlp_process
from helpers.run_folders import cifarmlp

NAMES = {
    "an escape": "a\x1b[2J\nb",
    "no character": "a\ufffeb",
    "bytes that are no UTF-8": os.fsdecode(b"a\xffb"),
    "right to left": "a\u202eb",
}


def is_clean(text: str) -> bool:
    """Whether text moves no cursor, and can be written as UTF-8."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("kind", NAMES)
def test_odd_names_of_folders_are_written_out(kind: str, tmp_path: Path) -> None:
    place = tmp_path / NAMES[kind]
    (folder,) = {tiny.trained(place, "one", "training.steps=2")}
    named = place / f"{NAMES[kind]}-001"
    folder.rename(named)
    for words in (("report", named), ("runs", place), ("report", named, named.parent / named.name)):
        done = cifarmlp(*words, cwd=tmp_path)
        assert (done.code, is_clean(done.out), is_clean(done.err)) == (0, True, True), (words, done)
    page = (named / "report.html").read_text(encoding="utf-8")
    assert NAMES[kind] not in page
    assert cifarmlp("runs", place, "--json").json[0]["status"] == "finished"


@pytest.mark.parametrize("command", ["train", "configs"])
def test_paths_are_printed_without_their_control_characters(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.training.run._draw", lambda *_: None)
    out = tmp_path / NAMES["an escape"]
    settings = [word for setting in (*tiny.SETTINGS, "training.steps=2") for word in ("--set", setting)]
    train = ["train", "quickstart", *settings, "--out", out]
    done = cifarmlp(*(train if command == "train" else ["configs", "copy", out]))
    assert (done.code, is_clean(done.out), is_clean(done.err)) == (0, True, True), done
    assert r"\x1b[2J\n" in done.out


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "koi8-r"])
def test_what_a_terminal_cannot_show_is_replaced(encoding: str, tmp_path: Path) -> None:
    tiny.trained(tmp_path / "runs", "two", "training.steps=2", seeds=2)
    done = cifarmlp_process(
        "runs", cwd=tmp_path, encoding=encoding, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert (done.code, done.err) == (0, "")
    assert "two-001" in done.out
    assert ("±" if encoding in ("latin-1", "cp1252") else "?") in done.out
