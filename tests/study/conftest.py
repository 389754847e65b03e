"""A study of tiny trainings, to plan and to run."""

from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.study.load import LoadedStudy, load_study

STUDY = """\
title: Small
base: quickstart
repeats: 2
sections:
  - title: One
    experiments: [{name: a, repeats: 1}, {name: b, set: {training.steps: 20}}]
  - title: Two
    experiments: [{name: c, set: {seed: 7, training.steps: 10}}]
    comparisons: [{claim: a is better, of: [a, c]}]
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedStudy:
    (tmp_path / "small.yaml").write_text(STUDY)
    return load_study(tmp_path / "small.yaml", tiny.SETTINGS)


@pytest.fixture
def _tiny_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("study.plan", "training.workers"):
        monkeypatch.setattr(f"cifarmlp.{module}.load", tiny.dataset)
    monkeypatch.setattr("cifarmlp.training.run._draw", lambda *_: None)
