"""Paths below a home, and a user without one, as in containers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cifarmlp.data import cache, places
from cifarmlp.errors import DataError

COMMAND = [sys.executable, "-m", "cifarmlp"]
HOMELESS = (  # the code of a process whose user the system does not know
    "import os, pwd, runpy, sys; os.environ.pop('HOME', None)\n"
    "def unknown(uid): raise KeyError(uid)\n"
    "pwd.getpwuid = unknown\n"
    "sys.argv[0] = 'cifarmlp'; runpy.run_module('cifarmlp', run_name='__main__')"
)


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with some more environment variables."""
    return subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "CIFARMLP_CACHE", "CIFARMLP_DATA", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_cache_lies_with_the_temporary_files_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert cache.cache_dir() == tmp_path / f"cifarmlp-{os.getuid()}"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache.cache_dir() == Path("/caches/cifarmlp")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_the_images_are_found_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no complete CIFAR-10 in .*cifarmlp-"):
        places.find()
    with pytest.raises(DataError, match="nowhere"):
        places.find(Path("nowhere"))
    with pytest.raises(DataError, match="no home is known for ~; write the whole path"):
        places.find(Path("~/images"))


def test_a_user_without_a_home_gets_results_and_refusals(tmp_path: Path) -> None:
    words = ("data", "info", "--source", "synthetic")
    done = run(sys.executable, "-c", HOMELESS, *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    refused = run(sys.executable, "-c", HOMELESS, "runs", "--out", "~/runs", cwd=tmp_path)
    assert refused.returncode == 2
    assert "~/runs: no home is known for ~; write the whole path" in refused.stderr


def test_a_tilde_in_out_is_the_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    done = run(*COMMAND, "configs", "copy", "~/copied", cwd=tmp_path, HOME=str(tmp_path / "home"))
    assert done.stdout.strip() == str(tmp_path / "home" / "copied")
    listed = run(*COMMAND, "runs", "--out=~/copied", cwd=tmp_path, HOME=str(tmp_path / "home"))
    assert listed.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_tilde_in_the_place_of_the_cache_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("CIFARMLP_CACHE", "~/kept")
    assert cache.cache_dir() == Path("/home/somebody/kept")
