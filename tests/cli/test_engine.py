"""The command `gradcheck`: both reports' networks, one of one's own, and a gradient that is wrong."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers import command

from cifarmlp.nn.layers import BatchNorm

SMALL = ["quickstart", "--set", "network.hidden=[8, 6]", "--set", "data.validation=100"]
gradcheck = partial(command.cifarmlp, "gradcheck", on_tiny_images=True)


@pytest.mark.slow
def test_it_passes_and_stands_beside_the_reports(tmp_path: Path) -> None:
    done = command.cifarmlp("gradcheck", cwd=tmp_path)
    assert done.code == 0, done.out
    assert done.out.count("layers (") == 6
    assert "0.46" in done.out  # what report 2 could not explain
    assert done.out.rstrip().endswith("all gradients are right")


def test_the_network_of_a_config_passes() -> None:
    done = gradcheck(*SMALL)
    assert done.code == 0, done.out
    assert done.out.count("layers (") == 1
    assert done.out.rstrip().endswith("all gradients are right")


def test_a_wrong_gradient_is_named_and_exits_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    right = BatchNorm.backward

    def wrong(self: BatchNorm, dy: Any) -> Any:
        ds = right(self, dy)
        self.dbeta *= -1
        return ds

    monkeypatch.setattr(BatchNorm, "backward", wrong)
    done = gradcheck(*SMALL)
    assert done.code == 1
    assert done.out.rstrip().endswith("wrong gradients: beta1, beta2")


def test_as_json_every_number_is_a_number() -> None:
    found = gradcheck(*SMALL, "--json").json
    assert (found["right"], found["limit"]) == (True, 1e-7)
    (check,) = found["checks"]
    assert {"name", "checked", "relative", "update", "right"} <= set(check["parameters"][0])
    assert all(each["right"] and each["relative"] < 1e-7 for each in check["parameters"])
