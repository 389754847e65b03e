"""Damage to our own JSON and CSV: right, damaged or refused, at once, and never at another run's cost.

The slow form makes 10,000 mutations.
"""

import functools
import math
import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.mutations import mutate
from helpers.reports import trained

import cifarmlp
from cifarmlp.config import files as config_files
from cifarmlp.errors import CifarmlpError
from cifarmlp.report.build import build_page
from cifarmlp.runs.comparison import compare, mean_curve
from cifarmlp.runs.listing import STATUS, list_entries
from cifarmlp.study.folder import StudyRecord, StudyRequest, load_study_folder, write_record
from cifarmlp.study.schema import Study
from cifarmlp.training.seeds import repeats_to_resume

FILES = (
    *("plain-001/seed-1/result.json", "plain-001/seed-2/metrics.csv", "plain-001/seed-1/environment.json"),
    *("plain-001/summary.json", "plain-001/seed-2/.owner.json", "study-001/study.json"),
    *("study-001/a/result.json", "study-001/a/metrics.csv"),
)
GRADIENT = {"name": "W1", "checked": 9, "kinks": 0, "distance": 1e-9, "relative": 1e-9, "direction": 0.0}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plain-001 of two seeds, study-001 with one experiment and one gradient check, whole-001."""
    out = tmp_path_factory.mktemp("damage")
    trained(out, "plain", seeds=2)
    trained(out, "whole")
    shutil.copytree(out / "whole-001", out / "study-001" / "a")
    section = {"title": "s", "experiments": [{"name": "a"}], "gradcheck": [{"name": "g"}]}
    study = Study.model_validate({"title": "t", "sections": [section]})
    record = StudyRecord(asked=StudyRequest(name="study", study=study), status="finished", seconds=2.0)
    record.checks["g"] = [{**GRADIENT, "update": math.nan}]  # type: ignore[typeddict-item]
    record.pulls["a"] = [{"step": 0, "layer": 1, "gradient": 0.5, "decay": math.nan}]
    write_record(out / "study-001", record)
    (out / "plain-001" / "seed-2" / ".owner.json").write_text('{"pid": 4000000, "host": "a", "since": "b"}')
    return out


@pytest.fixture
def configs_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No config is damaged here; to read the same ones at each look would be most of the time."""
    monkeypatch.setattr(config_files, "parse", functools.cache(config_files.parse))


def results(out: Path) -> dict[str, Any]:
    """Status, seconds and test accuracy of each run, by name."""
    return {each.folder.name: (each.status, each.seconds, each.mean("test")) for each in list_entries(out)}


def looks(out: Path) -> list[Callable[[], object]]:
    """The ways to look at the runs in a folder; each may refuse, but only with an error of ours."""
    runs = [out / "plain-001", out / "whole-001"]
    return [
        lambda: [mean_curve(each.run) for each in compare(runs).runs],
        lambda: build_page(runs, out),
        lambda: build_page([out / "study-001"], out),
        lambda: load_study_folder(out / "study-001"),
        lambda: cifarmlp.load_run(out / "plain-001").history(),
        lambda: repeats_to_resume(out / "plain-001"),
    ]


def line_of(look: Callable[[], object]) -> str:
    """The error of ours that looking ended in, if it did; any other error is a bug."""
    try:
        look()
    except CifarmlpError as error:
        return str(error)
    return ""


def look_from_everywhere(out: Path) -> None:
    """Look at the runs in a folder; what is told must be possible, and what is refused be one line."""
    for entry in list_entries(out):
        means = [entry.mean(part) for part in ("validation", "test")]
        assert all(math.isnan(mean) or 0 <= mean <= 1 for mean in means)
        assert math.isnan(entry.seconds) or 0 <= entry.seconds < math.inf
        assert entry.status in STATUS
        assert entry.fault.isprintable()
    for look in looks(out):
        assert (line := line_of(look)).isprintable(), line


def check(healthy: Path, before: dict[str, Any], out: Path, seed: int) -> None:
    """Damage one file, and look: within a second, and what is whole is listed as before."""
    shutil.copytree(healthy, out)
    damage = mutate(out / FILES[seed % len(FILES)], seed)
    started = time.process_time()
    try:
        look_from_everywhere(out)
        after = results(out)
        assert after.keys() == before.keys()
        assert after["whole-001"] == before["whole-001"]
        assert time.process_time() - started < 1
    except Exception as error:
        error.add_note(damage)
        raise
    shutil.rmtree(out)


def peak() -> int:
    """The most bytes that this process ever had in memory."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.usefixtures("configs_read_once")
@pytest.mark.parametrize("count", [24, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_mutated_file_is_right_damaged_or_refused(count: int, healthy: Path, tmp_path: Path) -> None:
    before, memory = results(healthy), peak()
    for seed in range(count):
        check(healthy, before, tmp_path / "out", seed)
    assert peak() - memory < 200e6
