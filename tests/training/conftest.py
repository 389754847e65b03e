"""Trainings that draw no curves, and that save a checkpoint at every record."""

import pytest
from helpers import tiny

from cifarmlp.training import checkpoint


@pytest.fixture
def quick_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())


@pytest.fixture
def at_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints at every record, however long they take."""
    monkeypatch.setattr(checkpoint, "MAX_TIME_SHARE", 1e9)
