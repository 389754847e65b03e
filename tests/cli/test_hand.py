"""Commands that do what the hand expects: completion, runs by their names, other commands that are meant."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import cifarmlp

SPACE = (
    "search={coarse: {space: {training.lambda: {uniform: [0, 1]}}}, "
    "fine: {space: {training.lambda: {uniform_within: 0.1}}}}"
)
SHORT = ("--set", "training.steps=2", "--set", "training.evaluate_images=50", "--quiet")


def complete(words: str, incomplete: str) -> list[str]:
    """Return what a bash proposes for the last word."""
    environment = {
        "_CIFARMLP_COMPLETE": "bash_complete",
        "COMP_WORDS": f"{words} {incomplete}",
        "COMP_CWORD": str(len(words.split())),
    }
    done = subprocess.run(
        [sys.executable, "-m", "cifarmlp"], env={**os.environ, **environment}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "incomplete", "proposed"),
    [
        ("cifarmlp", "gra", "gradcheck"),
        ("cifarmlp train", "--rep", "--repeats"),
        ("cifarmlp train", "report-2/figure-3", "report-2/figure-3"),
        ("cifarmlp search", "report-2/sea", "report-2/search"),
        ("cifarmlp study", "rep", "report-1"),
        ("cifarmlp data", "ve", "verify"),
    ],
)
def test_words_are_completed(words: str, incomplete: str, proposed: str) -> None:
    assert proposed in complete(words, incomplete)


def test_the_script_for_a_shell_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cifarmlp"], env={**os.environ, "_CIFARMLP_COMPLETE": "zsh_source"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "#compdef cifarmlp" in done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs in runs/."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("one", "two"):
        tiny.trained(folder / "runs", name, "training.steps=20")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "one-001", "two-001"),
        ("report", "one-001"),
        ("runs", "one-001"),
        ("evaluate", "one-001"),
        ("train", "--resume", "one-001"),
    ],
)
def test_a_run_is_known_by_its_name(
    words: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    assert cifarmlp(*words, cwd=place).code == 0


@pytest.mark.parametrize(
    "words", [("--resume", "one-001"), ("quickstart", "--fine", "--from", "one-001", "--set", SPACE)]
)
def test_a_search_is_known_by_its_name(words: tuple[str, ...], place: Path) -> None:
    done = cifarmlp("search", *words, cwd=place)
    assert "runs/one-001" in done.err


def test_a_path_comes_before_a_name(place: Path) -> None:
    (place / "two-001").mkdir()
    done = cifarmlp("report", "two-001", cwd=place)
    (place / "two-001").rmdir()
    assert done.code != 0
    assert "no config.yaml" in done.err


@pytest.mark.parametrize("name", ["one-001", "runs/one-001"])
def test_a_runs_folder_stands_for_its_config(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    assert cifarmlp("train", name, *SHORT, "--out", "again", cwd=place).code == 0
    assert "steps: 2" in next((place / "again").glob("one-*")).joinpath("config.yaml").read_text()


def test_several_configs_print_one_document(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    done = cifarmlp(
        "train", "one-001", "two-001", *SHORT, "--repeats", "2", "--json", "--out", "b", cwd=place
    )
    first, second, difference = json.loads(done.out)
    assert (Path(first["run"]).name, Path(second["run"]).name) == ("one-001", "two-001")
    assert difference["minus"] == first["run"] or "minus" in difference
    alone = cifarmlp("train", "one-001", *SHORT, "--json", "--out", "b", cwd=place)
    assert json.loads(alone.out)["run"].endswith("one-002")


def test_several_configs_end_in_a_table_of_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    done = cifarmlp("train", "one-001", "two-001", *SHORT, "--out", "all", cwd=place)
    lines = done.out.splitlines()
    assert (lines[0], lines.count("all/two-001")) == ("all/one-001", 1)
    assert lines.index("all/two-001") > lines.index("curves:  all/one-001/curves.png")
    table = lines[lines.index("accuracy of all") :]
    assert table[1].split() == ["run", "seeds", "train", "validation", "test"]
    for row, name in zip(table[3:5], ("one", "two"), strict=True):
        result = json.loads((place / "all" / f"{name}-001" / "result.json").read_text())
        accuracies = [f"{result[part]['accuracy']:.4f}" for part in ("train", "validation", "test")]
        assert row.split() == [f"{name}-001", "1", *accuracies]
    assert table[-1] == "next:    cifarmlp compare all/one-001 all/two-001"
    alone = cifarmlp("train", "one-001", *SHORT, "--out", "all", cwd=place).out
    assert "accuracy of all" not in alone
    assert not alone.startswith("all/")


def test_a_diverged_config_is_marked_in_that_table(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    (place / "lost.yaml").write_text(
        "extends: runs/one-001/config.yaml\nname: lost\n"
        "network: {batch_norm: false}\ntraining: {schedule: {kind: constant, eta: 1.0e+6, epochs: 1}}\n"
    )
    done = cifarmlp("train", "one-001", "lost.yaml", "--set", "training.steps=3", "--quiet", cwd=place)
    _, _, table = done.out.partition("accuracy of all\n")
    rows = [line.split() for line in table.splitlines()[2:4]]
    assert [row[1] for row in rows] == ["finished", "diverged"]
    assert rows[1][3:] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "report-1"), "report-1: a study; run it: cifarmlp study report-1"),
        (("study", "report-2/figure-3"), "report-2/figure-3: a config, no study; train it: cifarmlp train"),
    ],
)
def test_the_command_that_is_meant_is_said(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = cifarmlp(*words, cwd=tmp_path)
    assert done.code == 2
    assert message in done.err


def test_a_search_without_a_fine_stage_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = "search={coarse: {trials: 2, space: {training.lambda: {values: [0.1, 0.2]}}}}"
    words = ("search", "quickstart", "--set", coarse, "--dry-run")
    assert "quickstart has no search.fine: the coarse stage only" in cifarmlp(*words, cwd=tmp_path).err
    assert "no search.fine" not in cifarmlp(*words, "--coarse", cwd=tmp_path).err


def test_one_thing_is_no_plural(tmp_path: Path) -> None:
    done = cifarmlp(
        "study", "report-1", "--dry-run", "--jobs", "1", "--set", "data.source=synthetic", cwd=tmp_path
    )
    assert ", 1 at a time" in done.out
