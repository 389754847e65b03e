"""Only train, search, study and `data fetch` ever download; what looks at finished runs never does."""

import shutil
from pathlib import Path

import pytest
from helpers import tiny

import cifarmlp
from cifarmlp.data import download
from cifarmlp.errors import DataError

PACKAGE = Path(cifarmlp.__file__).parent


def modules_with(text: str) -> set[str]:
    paths = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {name for name, path in paths.items() if text in path.read_text(encoding="utf-8")}


def test_only_these_modules_ask_for_a_download() -> None:
    commands = {"api.py", "cli/train.py", "search/run.py", "study/run.py"}
    assert modules_with("download=True") == commands | {"search/worker.py", "training/workers.py"}
    assert modules_with("find_or_fetch(") == {"cli/data.py", "data/dataset.py", "data/places.py"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished training on CIFAR-10, on a machine without the images."""
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    folder = tiny.trained(tmp_path / "runs", "some", "training.steps=2")
    monkeypatch.undo()
    for name in ("CIFARMLP_DATA", "XDG_CACHE_HOME", "KERAS_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    config = next(folder.rglob("config.yaml"))
    config.write_text(config.read_text().replace("source: synthetic", "source: cifar10"))
    assert cifarmlp.load_config(str(config)).data.source == "cifar10"
    return folder


def test_a_finished_run_is_looked_at_without_a_download(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        pytest.fail("a download")

    monkeypatch.setattr(download, "fetch", refused)
    with pytest.raises(DataError, match=r"no complete CIFAR-10 in .*cifarmlp data fetch"):
        cifarmlp.evaluate(run)
    other = shutil.copytree(run, run.with_name("other-001"))
    assert cifarmlp.compare([run, other])
    assert cifarmlp.write_report([run], tmp_path / "report.html")


def test_a_training_does_ask_for_one(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(*_: object, **__: object) -> Path:
        raise DataError("asked")

    monkeypatch.setattr(download, "fetch", stand_in)
    with pytest.raises(DataError, match="asked"):
        cifarmlp.train(str(next(run.rglob("config.yaml"))), out=tmp_path / "new")
