"""The processors that a process may use: of the machine, or a container's share."""

from pathlib import Path

import pytest

from cifarmlp.parallel import cgroup, cores


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 processors, without limits."""
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "of-this-process")
    return tmp_path


def limit(folder: Path, **files: str) -> None:
    """Write the files of a group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)


def test_without_limits_there_are_those_of_the_machine() -> None:
    assert cores() == 8


@pytest.mark.parametrize(
    ("most", "count"),
    [("50000 100000", 1), ("150000 100000", 1), ("200000 100000", 2), ("max 100000", 8),
     ("1600000 100000", 8), ("", 8), ("x y", 8), ("5 0", 8)],
)  # fmt: skip
def test_a_share_of_processors_counts_by_its_whole_ones(most: str, count: int, machine: Path) -> None:
    (machine / "of-this-process").write_text("0::/\n")
    limit(machine, cpu_max=most)
    assert cores() == count


@pytest.mark.parametrize("inner", ["max 100000", "600000 100000", None])
def test_the_least_of_nested_groups_holds(inner: str | None, machine: Path) -> None:
    (machine / "of-this-process").write_text("0::/job/step\n")
    limit(machine / "job", cpu_max="300000 100000")
    if inner:
        limit(machine / "job" / "step", cpu_max=inner)
    assert cores() == 3


@pytest.mark.parametrize(("quota", "count"), [("250000", 2), ("-1", 8)])
def test_the_first_version_of_groups(quota: str, count: int, machine: Path) -> None:
    (machine / "of-this-process").write_text("2:cpu,cpuacct:/job\n1:name=systemd:/\n")
    limit(machine / "cpu" / "job", cpu_cfs_quota_us=quota, cpu_cfs_period_us="100000")
    assert cores() == count


def test_a_system_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert cores() == 1
