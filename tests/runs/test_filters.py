"""Filters of a list of runs, by status, kind, name and config."""

from pathlib import Path

import pytest
from helpers.run_folders import cifarmlp


@pytest.fixture(scope="module")
def out(dated: Path) -> Path:
    return dated


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (["network.batch_norm=true"], {"normal-001"}),
        (["network.batch_norm=false"], {"plain-001", "lost-001"}),
        (["network.batch_norm.momentum=0.9"], {"normal-001"}),
        (["training.lambda=5e-3"], {"normal-001"}),
        (["training.lambda=0.5"], {"plain-001", "lost-001"}),
        (["network.hidden=[8, 6]"], {"plain-001", "normal-001", "lost-001"}),
        (["network.hidden=[8]"], set()),
        (["network.init=he", "status=finished"], {"plain-001", "normal-001"}),
        (["training.schedule=constant"], {"lost-001"}),
        (["training.schedule.eta=1e30"], {"lost-001"}),
        (["training.schedule={kind: cyclic, n_s: 20}"], {"plain-001", "normal-001"}),
        (["training.schedule={kind: cyclic, n_s: 21}"], set()),
        (["training.steps=null"], {"plain-001", "normal-001", "lost-001"}),
        (["status=diverged"], {"lost-001"}),
        (["kind=repeated"], {"normal-001"}),
        (["name=*al*"], {"normal-001"}),
        (["name=plain"], {"plain-001"}),
        (["name=pla"], set()),
        (["network.batch_norm=false", "name=l*"], {"lost-001"}),
        (["seed=true"], set()),
    ],
)
def test_filters_all_hold(out: Path, filters: list[str], kept: set[str]) -> None:
    words = [word for text in filters for word in ("--filter", text)]
    found = cifarmlp("runs", out, *words, "--json").json
    assert {entry["name"] for entry in found} == kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network.batchnorm=true", "did you mean 'network.batch_norm'?"),
        ("status=done", "finished, diverged, interrupted, running, unfinished, damaged"),
        ("finished", "write KEY=VALUE"),
        ("=1", "write KEY=VALUE"),
        ("training.lambda=[", "missing"),
        ("training.lambda=!x 1", "tags"),
        ("\x1b[2J=1", "unknown key"),
    ],
)
def test_a_filter_that_is_none_is_refused(out: Path, text: str, message: str) -> None:
    done = cifarmlp("runs", out, "--filter", text)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "\x1b" not in done.err
    assert len(done.err.splitlines()) == 1


def test_a_filter_that_nothing_passes_says_so(out: Path) -> None:
    done = cifarmlp("runs", out, "--filter", "name=none")
    assert done.code == 0
    assert "none of 3 runs" in done.out
