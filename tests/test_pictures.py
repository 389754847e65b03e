"""Pictures: the same whatever Matplotlib is set to, and never at the cost of a result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from helpers import tiny
from helpers.run_folders import cifarmlp

from cifarmlp import files
from cifarmlp.errors import CifarmlpWarning
from cifarmlp.render.curves import draw_training
from cifarmlp.training.metrics import COLUMNS

# As somebody's matplotlibrc may have it; TeX is not there, or takes a second a word.
AMBIENT = {"text.usetex": True, "lines.linewidth": 9, "savefig.format": "pdf", "savefig.dpi": 30}
ROWS = [
    {
        **dict.fromkeys([*COLUMNS, *(f"validation_{q}" for q in ("cost", "loss", "accuracy"))], 0.5),
        "step": step,
    }
    for step in (0, 10)
]


def picture(path: Path) -> bytes:
    files.write_png(path, draw_training(ROWS, {0: 0.1, 10: 0.2}, "a"))
    return path.read_bytes()


def test_settings_of_the_place_change_no_picture(tmp_path: Path) -> None:
    alone = picture(tmp_path / "a.png")
    with matplotlib.rc_context(AMBIENT):
        assert picture(tmp_path / "b.png") == alone
        assert matplotlib.rcParams["text.usetex"]  # the caller's stay


def test_the_backend_of_a_notebook_is_not_needed(tmp_path: Path) -> None:
    code = "import cifarmlp.render.curves, matplotlib, os; print(os.environ['MPLBACKEND'])"
    backend = "module://nowhere.to_be_found"
    environment = {**os.environ, "MPLBACKEND": backend}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert (done.stdout.strip(), done.stderr) == (backend, "")


def test_a_matplotlib_that_is_half_there_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ImportError('no ft2font')")
    command = [sys.executable, "-m", "cifarmlp", "report", "runs/a"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, "error: Matplotlib cannot be imported: no ft2font\n")


@pytest.mark.parametrize("error", [RuntimeError("latex was not found\nand more"), OSError(28, "disk full")])
def test_a_training_counts_without_its_picture(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("cifarmlp.training.run.draw_training", fail)
    config = tiny.config("training.steps=2")
    message = rf"^{tmp_path}/curves.png: could not be drawn: .*; again: cifarmlp report {tmp_path}$"
    with pytest.warns(CifarmlpWarning, match=message):
        assert tiny.train_into(tmp_path, config, tiny.dataset(), 1).status == "finished"
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "finished"
    assert not (tmp_path / "curves.png").exists()
    monkeypatch.undo()
    assert cifarmlp("report", tmp_path).code == 0  # the command that was named
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_a_comparison_is_shown_without_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        tiny.trained(tmp_path, name, "training.steps=2")
    folders = [tmp_path / "a-001", tmp_path / "b-001"]
    monkeypatch.setattr("cifarmlp.runs.comparison.draw_overlay", lambda *_: 1 / 0)
    done = cifarmlp("compare", *folders, "--figure", tmp_path / "c.png")
    assert (done.code, "accuracy" in done.out, "curves:" in done.out) == (0, True, False)
    assert "c.png: could not be drawn: division by zero" in done.err


def test_a_picture_that_could_not_be_drawn_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--set=training.steps=2", "--set=data.validation=100"]
    train = ("train", "quickstart", "--set=data.source=synthetic", *small, "--out", tmp_path)
    assert "curves:  " in cifarmlp(*train).out
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: 1 / 0)
    done = cifarmlp(*train)
    assert (done.code, "curves:  " in done.out, "metrics: " in done.out) == (0, False, True)
