"""Windows and macOS, simulated: names that these lack are taken away, calls are refused."""

import json
import multiprocessing
import os
import signal
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import tiny, worker_functions

from cifarmlp import files
from cifarmlp.config import load_config
from cifarmlp.errors import ConfigError, RunFolderError
from cifarmlp.parallel import cgroup, cores, map_unordered, signals
from cifarmlp.training import cost, machine
from cifarmlp.training.threads import BlasThreads

WINDOWS = SimpleNamespace(platform="win32")
LACKING = (
    "os.getloadavg",
    "os.sched_getaffinity",
    "os.uname",
    "os.fork",
    "os.getuid",
    "signal.pthread_sigmask",
)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system without POSIX's names, without /proc, where no folder can be opened."""
    resource_tracker.ensure_running()  # Python's own, which is of this system
    for name in LACKING:
        monkeypatch.delattr(name, raising=False)
    for module in ("cifarmlp.parallel.processes", "cifarmlp.parallel.signals"):
        monkeypatch.setattr(f"{module}.sys", WINDOWS)
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "no-proc")
    opened = os.open

    def open_no_folder(path: str, *rest: int, **named: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *rest, **named)

    monkeypatch.setattr("os.open", open_no_folder)


@pytest.mark.usefixtures("windows")
def test_a_training_keeps_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.training.run._draw", lambda session: None)
    outcome = tiny.train_into(tmp_path / "run", tiny.config("training.steps=20"), tiny.dataset())
    assert outcome.status == "finished"
    there = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.yaml", "environment.json", "metrics.csv", "model.npz", "result.json"} <= there


@pytest.mark.usefixtures("windows")
def test_several_jobs() -> None:
    pairs = dict(map_unordered(worker_functions.own_process, range(3), jobs=2))
    assert set(pairs) == {0, 1, 2}
    assert os.getpid() not in pairs.values()
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("windows")
def test_the_first_signal_is_noted_and_kills_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_received", [])
    monkeypatch.setattr("multiprocessing.active_children", lambda: pytest.fail("asked for the workers"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        stop = signals.watch_signals()
        signal.raise_signal(signal.SIGTERM)  # all that Windows knows of it
        assert stop() == signal.SIGTERM
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.mark.usefixtures("windows")
def test_processors_memory_and_threads_are_known_or_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) and not str(path).startswith("/proc"))
    assert cores() == os.cpu_count()
    assert cost.free_memory() == 4e9
    blas = BlasThreads(None, [3072, 8, 10], 20, 50)
    blas.adapts, blas.most, blas.count = True, 2, 1
    blas.adapt()
    assert blas.count == 1


def test_a_processor_without_proc_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path, **_: (_ for _ in ()).throw(FileNotFoundError))
    assert isinstance(machine.processor(), str)
    assert machine.caches() == []
    assert machine.describe_machine()


@pytest.mark.parametrize(("refusals", "comes_through"), [(2, True), (99, False)])
def test_a_file_that_another_program_reads_is_replaced_later_or_the_refusal_is_told(
    refusals: int, comes_through: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_text(tmp_path / "a.txt", "old")
    replace, tries = os.replace, []

    def replace_later(source: str, target: Path) -> None:
        tries.append(target)
        if len(tries) <= refusals:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr("os.replace", replace_later)
    monkeypatch.setattr(files.writing, "WAITS", (0, 0, 0))
    if comes_through:
        files.write_text(tmp_path / "a.txt", "new")
    else:
        with pytest.raises(RunFolderError, match=r"a.txt: cannot be written: Access is denied"):
            files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == ("new" if comes_through else "old")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "name", ["con.v2", "NUL.txt", "Aux.", "com1.a", "lpt9.-", "a:b", "a/b", "..", ".a", "a b"]
)
def test_a_name_that_some_system_has_no_folder_for_is_refused_on_all(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"name: {json.dumps(name)}\n")
    with pytest.raises(ConfigError, match=r"c.yaml:1:7: name is "):
        load_config(tmp_path / "c.yaml")


@pytest.mark.parametrize("name", ["CON", "nul", "a.", "a..", "console.v2", "com10.a"])
def test_a_name_is_made_safe_by_the_number_of_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"name: {json.dumps(name)}\n")
    assert files.claim(tmp_path, load_config(tmp_path / "c.yaml").name).name == f"{name}-001"


def test_a_container_that_died_has_not_locked_its_folder(tmp_path: Path) -> None:
    with files.lock(tmp_path):
        note = json.loads((tmp_path / ".owner.json").read_text())
        assert files.is_locked(tmp_path)
    assert not files.is_locked(tmp_path)
    for owner in ({**note, "host": "container"}, {**note, "pid": os.getpid()}, {**note, "pid": 1}):
        files.write_json(tmp_path / ".owner.json", owner)  # as the dead process left it
        assert not files.is_locked(tmp_path)
    with files.lock(tmp_path):
        files.write_json(tmp_path / ".owner.json", {**note, "host": "container", "pid": 2**22 + 1})
        assert files.is_locked(tmp_path)
