"""environment.json: what it says, read back or refused; what of it decides a training's bits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.training import environment
from cifarmlp.training.environment import describe, fingerprint, read_environment, write_environment

KEYS = [
    "cifarmlp", "git_commit", "code", "python", "libraries", "platform", "cpu", "blas", "blas_threads",
    "command", "data",
]  # fmt: skip


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    here = describe(tiny.dataset(), 2)
    write_environment(tmp_path, here)
    assert list(json.loads((tmp_path / "environment.json").read_text())) == KEYS
    assert read_environment(tmp_path) == here
    assert (here.blas_threads, here.command) == (2, sys.argv)
    write_environment(tmp_path, here.model_copy(update={"config": "abc"}))
    assert list(json.loads((tmp_path / "environment.json").read_text())) == [*KEYS, "config"]


def test_an_argument_that_is_no_utf8_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cifarmlp", "caf\udce9.yaml"])
    write_environment(tmp_path, describe(tiny.dataset(), 1))
    there = read_environment(tmp_path)
    assert there is not None
    assert there.command == ["cifarmlp", r"caf\udce9.yaml"]


@pytest.mark.parametrize(
    "change", [{"data": []}, {"data": {"source": "x"}}, {"command": 3}, {"libraries": 1}]
)
def test_one_of_wrong_types_is_none(change: dict[str, object], tmp_path: Path) -> None:
    values = describe(tiny.dataset(), 1).model_dump()
    (tmp_path / "environment.json").write_text(json.dumps({**values, **change}))
    assert read_environment(tmp_path) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_one_is_none(data: bytes, tmp_path: Path) -> None:
    assert read_environment(tmp_path) is None
    (tmp_path / "environment.json").write_bytes(data)
    assert read_environment(tmp_path) is None


def test_a_fingerprint_has_what_decides_the_bits() -> None:
    here = describe(tiny.dataset(), 1)
    assert fingerprint(here, None) == {
        **{
            name: getattr(here, name)
            for name in ("cifarmlp", "git_commit", "code", "python", "platform", "cpu", "blas")
        },
        "numpy": here.libraries["numpy"],
        "images": here.data.sha256,
        "threads": None,
    }
    elsewhere = here.model_copy(update={"command": ["another"], "blas_threads": 2})
    assert fingerprint(elsewhere, None) == fingerprint(here, None)
    assert fingerprint(here, 2)["threads"] == 2


@pytest.mark.parametrize("pattern", environment.DECISIVE)
def test_the_digest_of_the_code_changes_with_each_module_that_decides(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = sorted(environment.PACKAGE.glob(pattern))
    assert sources  # or a module that moved would be left out in silence
    copy = tmp_path / sources[-1].relative_to(environment.PACKAGE)
    copy.parent.mkdir(parents=True)
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    digests = set()
    for data in (sources[-1].read_bytes(), sources[-1].read_bytes() + b"\n"):
        copy.write_bytes(data)
        digests.add(environment.code_digest.__wrapped__())
    assert len(digests) == 2


def test_the_commit_is_that_of_the_checkout_marked_where_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "PACKAGE", tmp_path / "package")
    assert describe(tiny.dataset(), 1).git_commit is None
    author = ["-c", "user.name=n", "-c", "user.email=e"]

    def git(*words: str) -> str:
        return subprocess.check_output(["git", "-C", str(tmp_path), *author, *words], text=True).strip()

    git("init", "-q")
    (tmp_path / "a").write_text("one")
    git("add", "a")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")
    assert describe(tiny.dataset(), 1).git_commit == commit
    (tmp_path / "a").write_text("two")
    assert describe(tiny.dataset(), 1).git_commit == f"{commit}+"
