"""Origin of a run on its page, whatever its environment.json holds."""

import json
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.render.document import Table, Text
from cifarmlp.report.origin import origin_blocks
from cifarmlp.training.environment import describe, read_environment, write_environment


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"command": ["x"', "[" * 100_000, '{"command": 3, "data": [], "libraries": 1}', "{}"]
)
def test_of_a_damaged_environment_nothing_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text(text)
    assert list(origin_blocks(read_environment(tmp_path), "t")) == []


@pytest.mark.parametrize(
    ("command", "words"), [(["/bin/cifarmlp"], None), (["c", "train", "x y"], "train 'x y'")]
)
def test_the_command_and_the_machine_are_told(command: list[str], words: str | None, tmp_path: Path) -> None:
    write_environment(tmp_path, describe(tiny.dataset(), 2))
    values = json.loads((tmp_path / "environment.json").read_text())
    (tmp_path / "environment.json").write_text(json.dumps({**values, "command": command}))
    *typed, table = origin_blocks(read_environment(tmp_path), "t")
    assert typed[1:] == ([] if words is None else [Text(f"cifarmlp {words}", "command")])
    assert isinstance(table, Table)
    assert ("blas threads", "2") in table.rows
