"""Configs written as text in a test, read from the file c.yaml in an empty folder."""

import time
from pathlib import Path

import pytest

from cifarmlp.config import Config, load_config
from cifarmlp.errors import ConfigError


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To be imported where configs are read."""
    monkeypatch.chdir(tmp_path)


def load(text: str | bytes, *overrides: str) -> Config:
    """The config that the text is."""
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(Path("c.yaml"), overrides)


def faults(text: str | bytes, *overrides: str, seconds: float = 1) -> list[str]:
    """The lines of the refusal, without the name of the file, that came within so many seconds."""
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    assert time.process_time() - begun < seconds
    return [line.removeprefix("c.yaml:") for line in str(caught.value).splitlines()]
