"""The command `configs`: the shipped configs listed, copied and described."""

import json
from functools import partial
from pathlib import Path

from helpers import command, tiny

from cifarmlp.config import shipped_configs

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)


def test_configs_can_be_listed_copied_and_trained(tmp_path: Path) -> None:
    assert "report-2/figure-3" in cifarmlp("configs", cwd=tmp_path).out
    assert cifarmlp("configs", "copy", "mine", cwd=tmp_path).code == 0
    assert cifarmlp("configs", "copy", "mine", cwd=tmp_path).code == 2  # overwrites nothing
    settings = [f"--set={setting}" for setting in ["data.source=synthetic", *tiny.SETTINGS]]
    done = cifarmlp("train", "mine/report-2/figure-1.yaml", *settings, cwd=tmp_path)
    assert done.code == 0, done.err


def test_every_config_is_listed_in_two_columns() -> None:
    rows = cifarmlp("configs").out.splitlines()
    assert {row.split("  ")[0] for row in rows} == shipped_configs().keys()


def test_the_schema_is_json_and_knows_the_fields() -> None:
    schema = json.loads(cifarmlp("configs", "schema").out)
    assert {"name", "seed", "data", "network", "training", "search", "extends"} <= set(schema["properties"])


def test_the_list_as_json() -> None:
    rows = cifarmlp("configs", "--json").json
    assert [row["name"] for row in rows] == [
        row.split("  ")[0] for row in cifarmlp("configs").out.splitlines()
    ]
    assert all(row["about"] and Path(row["file"]).is_file() for row in rows)
