"""Where a run comes from, whatever its environment.json holds."""

from pathlib import Path

import pytest

from cifarmlp.render.document import Text
from cifarmlp.report.origin import origin_blocks, read_json


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", 0),
        ("[1]", 0),
        ('{"command": ["x"', 0),
        ("[" * 100_000, 0),
        ('{"command": 3, "data": [], "libraries": 1}', 0),
        ('{"command": ["/bin/cifarmlp"], "python": null}', 0),
        ('{"command": ["/bin/cifarmlp", "train", "x y"]}', 2),
        ('{"command": ["/bin/cifarmlp", "train", "x y"], "python": "3.11"}', 3),
    ],
)
def test_damaged_environments_leave_what_is_known(text: str, blocks: int, tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text(text)
    origin = list(origin_blocks(read_json(tmp_path / "environment.json"), "t"))
    assert len(origin) == blocks
    if blocks:
        assert origin[1] == Text("cifarmlp train 'x y'", "command")
