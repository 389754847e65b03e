"""Provenance: which differences count, what is told of them, and what is refused."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny

from cifarmlp.errors import CifarmlpWarning, DataError, RunFolderError
from cifarmlp.training.environment import describe, fingerprint, write_environment
from cifarmlp.training.provenance import (
    Changes,
    changes_between,
    find_changes,
    refuse_other_folder,
    refuse_other_origin,
)

HERE = {
    **fingerprint(describe(tiny.dataset(), 1)),
    "platform": "Linux-6.8.0-1012-aws-x86_64-with-glibc2.35",
    "git_commit": "abc",
}
KINDS = {"images": ["images"], "code": ["code"], "numerics": ["numpy", "blas", "cpu", "python", "threads"]}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in KINDS.items() for key in keys])
def test_each_thing_that_decides_is_a_change_of_its_kind(kind: str, key: str) -> None:
    changes = find_changes({**HERE, key: "another"}, HERE)
    assert {name for name in KINDS if getattr(changes, name)} == {kind}
    assert getattr(changes, kind)[0].startswith(f"{key} was another, is ")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cifarmlp": "0.2"},  # the digest of the code is the same
        {"git_commit": "abc+"},
        {"platform": "Linux-5.15.0-generic-x86_64-with-glibc2.35"},  # another kernel
    ],
)
def test_what_decides_nothing_is_no_change(change: dict[str, str]) -> None:
    assert find_changes({**HERE, **change}, HERE) == Changes()


def test_another_c_library_or_system_is_a_change() -> None:
    for platform in ("Linux-6.8.0-1012-aws-x86_64-with-glibc2.31", "macOS-15.1-arm64-arm-64bit"):
        assert find_changes({**HERE, "platform": platform}, HERE).numerics


def test_without_a_digest_version_and_commit_tell_other_code() -> None:
    old = {name: value for name, value in HERE.items() if name != "code"}
    assert find_changes(old, HERE) == Changes()
    assert find_changes({**old, "git_commit": "def"}, HERE).code == ("git_commit was def, is abc",)


def test_what_is_not_known_is_no_change() -> None:
    assert find_changes({}, HERE) == Changes()
    assert changes_between(None, describe(tiny.dataset(), 1)) == Changes()


def test_the_number_of_threads_does_not_count_between_environments() -> None:
    assert changes_between(describe(tiny.dataset(), 1), describe(tiny.dataset(), 2)) == Changes()


def test_other_images_are_refused_even_where_not_strict() -> None:
    with pytest.raises(DataError, match=r"^runs/a: made of other images .* give --data-dir"):
        refuse_other_origin("runs/a", {**HERE, "images": "0123456789abcdef"}, HERE)


@pytest.mark.parametrize("key", ["code", "numpy"])
def test_other_code_and_numerics_are_told_or_where_strict_refused(key: str) -> None:
    there: dict[str, Any] = {**HERE, key: "another"}
    with pytest.warns(
        CifarmlpWarning, match=rf"^runs/a: made with other .*{key} was another.*seed's spread$"
    ):
        refuse_other_origin("runs/a", there, HERE)
    with pytest.raises(RunFolderError, match=f"{key} was another"):
        refuse_other_origin("runs/a", there, HERE, strict=True)


def test_a_folder_is_judged_by_its_environment_and_one_without_passes(tmp_path: Path) -> None:
    environment = describe(tiny.dataset(), 2)
    here = fingerprint(environment, 1)
    refuse_other_folder(tmp_path, here, strict=True)
    write_environment(tmp_path, environment)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refuse_other_folder(tmp_path, here, strict=True)
    other = environment.data.model_copy(update={"sha256": "another"})
    write_environment(tmp_path, environment.model_copy(update={"data": other}))
    with pytest.raises(DataError, match=str(tmp_path)):
        refuse_other_folder(tmp_path, here)


@pytest.mark.parametrize("result", ["result.json", "seeds.csv"])
@pytest.mark.parametrize("content", [None, "{", '{"data": 1}'])
def test_results_of_unknown_images_are_told_or_where_strict_refused(
    tmp_path: Path, result: str, content: str | None
) -> None:
    (tmp_path / result).write_text("")
    if content:
        (tmp_path / "environment.json").write_text(content)
    with pytest.warns(CifarmlpWarning, match=r"environment.json.* images, code and numerics are not known"):
        refuse_other_folder(tmp_path, HERE)
    with pytest.raises(RunFolderError, match="not known; go on without --strict"):
        refuse_other_folder(tmp_path, HERE, strict=True)
