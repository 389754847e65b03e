"""Trainings that the tests of several modules report on."""

from pathlib import Path

import pytest
from helpers.reports import LOST, trained


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain-001; bare-001, without batch norm; lost-001, which diverged; begun-001, which has not ended."""
    out = tmp_path_factory.mktemp("report")
    trained(out, "plain", seeds=2)
    trained(out, "bare", "network.batch_norm=false", seeds=2)
    trained(out, "lost", LOST)
    begun = trained(out, "begun", seeds=2)
    (begun / "seed-2" / "result.json").unlink()
    return out
