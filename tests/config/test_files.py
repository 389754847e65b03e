"""Finding configs, and files that are none."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.config_text import in_an_empty_folder  # noqa: F401

from cifarmlp.config import Config, find_config, load_config, shipped_configs
from cifarmlp.config import files as config_files
from cifarmlp.errors import ConfigError


def test_a_missing_file_has_a_suggestion() -> None:
    Path("secret.yaml").write_text("seed: 1")
    with pytest.raises(ConfigError, match=r"^secrte.yaml: no such file; did you mean 'secret.yaml'\?$"):
        load_config(Path("secrte.yaml"))


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("seed: 1")
    assert find_config("~/mine.yaml") == tmp_path / "mine.yaml"


def test_a_folder_and_a_pipe_are_no_configs() -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    with pytest.raises(ConfigError, match=r"^folder: a folder: name a config in it$"):
        load_config(Path("folder"))
    with pytest.raises(ConfigError, match=r"^pipe: cannot be read: not a regular file"):
        load_config(Path("pipe"))


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path("c.yaml").write_text("seed: 1")
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(ConfigError, match=r"^c.yaml: you may not read this file: change its permissions$"):
        load_config(Path("c.yaml"))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a\x1b[31m\nb", ""])
def test_an_impossible_name_is_refused_in_one_line(name: str) -> None:
    looks: list[Callable[[], Config]] = [
        lambda: load_config(find_config(name)),
        lambda: load_config(Path(name)),
    ]
    for look in looks:
        with pytest.raises(ConfigError) as caught:
            look()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    for name in ("quickstart", "report-1/figure-3", "report-2/figure-3", "report-2/table-1", "studies/all"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text("seed: 7")
    monkeypatch.setattr(config_files, "shipped_folder", lambda: folder)
    return folder


def test_shipped_configs_leave_out_studies(shipped: Path) -> None:
    names = ["quickstart", "report-1/figure-3", "report-2/figure-3", "report-2/table-1"]
    assert shipped_configs() == {name: shipped / f"{name}.yaml" for name in names}


def test_shipped_configs_are_found_beside_or_in_the_package() -> None:
    assert config_files.shipped_folder().name == "configs"
    for name in shipped_configs():
        assert load_config(find_config(name)).name


@pytest.mark.parametrize("name", ["report-2/table-1", "report-2/table-1.yaml", "table-1", "table-1.yaml"])
def test_a_shipped_config_is_found_by_name(shipped: Path, name: str) -> None:
    assert find_config(name) == shipped / "report-2/table-1.yaml"


def test_an_existing_file_comes_before_a_shipped_config_and_that_before_a_folder(shipped: Path) -> None:
    Path("quickstart").mkdir()
    assert find_config("quickstart") == shipped / "quickstart.yaml"
    Path("table-1.yaml").write_text("{}")
    assert find_config("table-1.yaml") == Path("table-1.yaml")


@pytest.mark.usefixtures("shipped")
def test_an_unknown_name_says_what_to_type() -> None:
    with pytest.raises(
        ConfigError, match=r"^quikstart: no such .*did you mean 'quickstart'\?; `cifarmlp configs`"
    ):
        find_config("quikstart")
    with pytest.raises(ConfigError, match=r"write 'report-1/figure-3' or 'report-2/figure-3'$"):
        find_config("figure-3")
