"""How much memory there is: of the machine, or of a container that has less."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.parallel import cgroup
from cifarmlp.training import cost
from cifarmlp.training.build import build_training, split_images

GB = 1e9


def container(folder: Path, most: str, used: float, cached: float, old: bool = False) -> None:
    """Write what a container's kernel tells."""
    names = ("memory.max", "memory.current")
    if old:
        folder, names = folder / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{most}\n")
    (folder / names[1]).write_text(f"{used:.0f}\n")
    kind = "total_inactive_file" if old else "inactive_file"
    (folder / "memory.stat").write_text(f"anon 5\n{kind} {cached:.0f}\nslab 7\n")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 8 GB."""
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "of-this-process")
    (tmp_path / "of-this-process").write_text("4:memory:/\n0::/\n")
    monkeypatch.setattr(cost, "_proc", lambda file, name: 8 * GB)


@pytest.mark.parametrize("old", [False, True])
def test_a_container_has_its_limit_but_for_what_is_taken_and_not_just_cached(
    old: bool, tmp_path: Path
) -> None:
    container(tmp_path, "2000000000", 1.9 * GB, 1.2 * GB, old)
    assert cost.free_memory() == pytest.approx(1.3 * GB)


@pytest.mark.parametrize(
    ("limits", "free"), [(("max", "2e9"), 1.5), (("2e9", "max"), 1.5), (("3e9", "2e9"), 1.5)]
)
def test_the_least_of_nested_containers_holds(limits: tuple[str, str], free: float, tmp_path: Path) -> None:
    (tmp_path / "of-this-process").write_text("0::/job/step\n")
    for folder, limit in zip((tmp_path / "job", tmp_path / "job" / "step"), limits, strict=True):
        container(folder, limit, 0.5 * GB, 0)
    assert cost.free_memory() == free * GB


def test_a_container_without_a_limit_has_what_the_machine_has(tmp_path: Path) -> None:
    container(tmp_path, "max", 1.9 * GB, 0)
    assert cost.free_memory() == 8 * GB


def test_without_a_container_there_is_what_the_machine_has() -> None:
    assert cost.free_memory() == 8 * GB


@pytest.mark.skipif(sys.platform != "linux", reason="such limits are kept by Linux")
def test_a_limit_of_the_address_space_holds() -> None:
    """As `ulimit -v` sets it, in a process of its own: it could not be lifted again."""
    program = (
        "import resource;"
        "resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9));"
        "from cifarmlp.training.cost import free_memory;"
        "print(free_memory())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert GB < float(done.stdout) < 3 * GB


def test_too_little_is_told_with_how_much_it_takes(tmp_path: Path) -> None:
    cost.check_memory(tiny.config())
    container(tmp_path, "2000000000", 1.9 * GB, 0)
    with pytest.raises(MemoryError, match=r"it takes about 0\.2 GB, and 0\.1 GB are free"):
        cost.check_memory(tiny.config())


@pytest.mark.parametrize(
    "optimiser", ["sgd", "momentum", "{kind: momentum, rho: 0}", "nesterov", "adam", "adamw"]
)
def test_an_optimisers_memory_is_that_of_the_arrays_that_it_stores(optimiser: str) -> None:
    config = tiny.config(f"training.optimiser={optimiser}")
    training = build_training([config], split_images(config, tiny.dataset()))
    parameters = sum(array.size for array in training.network.parameters().values())
    stored = sum(array.nbytes for array in training.optimiser.stored().values() if array.ndim)
    assert stored == config.training.optimiser.bytes_per_parameter * parameters
