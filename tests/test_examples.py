"""The scripts in examples/ run, on tiny images and for a few steps."""

import runpy
from pathlib import Path

import pytest
from helpers import tiny

import cifarmlp
from cifarmlp.config import to_yaml

EXAMPLES = Path(cifarmlp.__file__).parents[1] / "examples"


@pytest.mark.slow
def test_train_and_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())
    Path("quickstart").write_text(to_yaml(tiny.config()))
    runpy.run_path(str(EXAMPLES / "train_and_compare.py"), run_name="__main__")
    first, second, difference = capsys.readouterr().out.splitlines()
    assert first.startswith("with-bn: test accuracy 0.")
    assert second.startswith("without-bn: test accuracy 0.")
    assert "95 % interval" in difference
    assert Path("train_and_compare.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(Path("runs").glob("with*-bn-001/seed-*/model.npz"))) == 4
