"""Run folders that the tests of several modules look at, and copies of them to do harm to."""

import os
import shutil
from pathlib import Path

import pytest
from helpers import tiny
from helpers.run_folders import LOST


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain-001 of seeds 1, 2, 3; normal-001 of seeds 2, 3; lost-001, whose seeds 1, 2 diverged; of one seed
    linear-001 and eps-001, with batch norm.
    """
    place = tmp_path_factory.mktemp("trained") / "runs"
    plain = ("network.batch_norm=false", "training.lambda=0.01")
    tiny.trained(place, "plain", *plain, seeds=3)
    tiny.trained(place, "normal", "training.lambda=0.01", "seed=2", seeds=2)
    tiny.trained(place, "linear", "network.hidden=[]", *plain)
    tiny.trained(place, "lost", LOST, *plain, seeds=2)
    tiny.trained(place, "eps", "network.batch_norm={eps: 0.01}")
    return place


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bare-001 and blind-001 without validation images, seeds 1, 2; looked-001, which looked at the test
    images as well; whole-001, with validation images; kept-001, with the best parameters and snapshots.
    """
    place = tmp_path_factory.mktemp("measured") / "runs"
    tiny.trained(place, "bare", "data.validation=0", seeds=2)
    tiny.trained(place, "blind", "data.validation=0", "training.lambda=0.01", seeds=2)
    tiny.trained(place, "looked", "data.validation=0", "training.evaluate_test=true")
    tiny.trained(place, "whole", seeds=2)
    tiny.trained(place, "kept", "training.keep=best", "training.snapshots=true")
    return place


@pytest.fixture(scope="session")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain-001, normal-001 of two seeds, and lost-001, which diverged; written to in this order."""
    place = tmp_path_factory.mktemp("dated") / "runs"
    tiny.trained(place, "plain", "network.batch_norm=false")
    tiny.trained(place, "normal", "training.lambda=0.005", seeds=2)
    tiny.trained(place, "lost", LOST, "network.batch_norm=false")
    for age, name in enumerate(("lost-001", "normal-001", "plain-001")):
        for path in (place / name).rglob("*"):
            os.utime(path, (1e9 - 86400 * age,) * 2)
    return place


@pytest.fixture(scope="module")
def out(trained: Path) -> Path:
    """Folder of runs to look at; a module may have its own."""
    return trained


@pytest.fixture
def copy(out: Path, tmp_path: Path) -> Path:
    """The same runs, to do harm to."""
    return Path(shutil.copytree(out, tmp_path / "runs"))


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A training with batch norm, to do harm to."""
    return Path(shutil.copytree(trained / "eps-001", tmp_path / "eps-001"))
