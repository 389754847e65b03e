"""The command `data`: images described, drawn, made and verified."""

from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import cifarmlp

INFO = ["data", "info", "--source", "synthetic"]


def test_info_counts_the_classes_and_draws_a_sheet(tmp_path: Path) -> None:
    done = cifarmlp(*INFO, "--sheet", "sheet.png", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert '"official": false' in done.out
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_sheet_that_is_no_png_is_refused(tmp_path: Path) -> None:
    done = cifarmlp(*INFO, "--sheet", "sheet.jpg", cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_synthesised_files_are_read_like_the_official_ones(tmp_path: Path) -> None:
    assert cifarmlp("data", "synthesise", "made", cwd=tmp_path).code == 0
    verified = cifarmlp("data", "verify", "--data-dir", "made", cwd=tmp_path)
    assert verified.code == 0, verified.out
    settings = [f"--set={setting}" for setting in ["data.source=cifar10", *tiny.SETTINGS]]
    done = cifarmlp("train", "quickstart", *settings, "--data-dir", "made", cwd=tmp_path)
    assert done.code == 0, done.err
