"""result.json and summary.json: read back as they were written, or refused."""

import json
import math
from pathlib import Path

import pytest

from cifarmlp import files
from cifarmlp.errors import RunFolderError
from cifarmlp.training.outcome import (
    Outcome,
    model_checksum,
    read_ended,
    read_planned,
    read_recorded,
    summarise,
)

NUMBERS = {"cost": 2.5, "loss": 1.5, "accuracy": 0.4}
CLASSES = {"precision": [0.5] * 10, "recall": [0.25] * 10}
FINISHED = Outcome(
    "finished",
    980,
    2.0,
    7.5,
    {"train": NUMBERS, "validation": NUMBERS, "test": {**NUMBERS, "f1": 0.3}},
    1,
    classes=CLASSES,
)
DIVERGED = Outcome(
    "diverged", 12, 0.25, 0.5, {"train": {**NUMBERS, "loss": math.nan}}, 2, diverged_at=12, advice=["a", "b"]
)
AT_CHANCE = Outcome(
    "finished", 980, 2.0, 7.5, {}, 3, at_chance=True, layers=[{"layer": 1, "dead": 0.5, "spread": math.nan}]
)
INTERRUPTED = Outcome("interrupted", 0, 0.0, 0.0, {}, 2**32 - 1)


def write(folder: Path, outcome: Outcome) -> None:
    (folder / "model.npz").write_bytes(b"a model")
    files.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})


def recorded(folder: Path) -> tuple[Outcome, str]:
    there = read_recorded(folder)
    assert there is not None
    return there


@pytest.mark.parametrize(
    "outcome", [FINISHED, DIVERGED, AT_CHANCE, INTERRUPTED], ids=lambda each: each.status
)
def test_an_outcome_is_read_back_as_it_was(outcome: Outcome, tmp_path: Path) -> None:
    write(tmp_path, outcome)
    there, checksum = recorded(tmp_path)
    assert repr(there) == repr(outcome)  # which tells 1 from 1.0, and nan from nothing
    assert checksum == files.sha256(b"a model")
    assert repr(read_ended(tmp_path)) == repr(None if outcome is INTERRUPTED else outcome)


def test_a_result_without_scores_of_classes_is_read(tmp_path: Path) -> None:
    write(tmp_path, FINISHED)
    values = json.loads((tmp_path / "result.json").read_text())
    assert values["test"] == {**NUMBERS, "f1": 0.3, **CLASSES}
    files.write_json(tmp_path / "result.json", {**values, "test": NUMBERS})
    outcome, _ = read_recorded(tmp_path)
    assert (outcome.metrics["test"], outcome.classes) == (NUMBERS, {})
    assert math.isnan(outcome.metric("test", "f1"))


def test_numbers_that_are_not_finite_are_null_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, DIVERGED)
    values = json.loads((tmp_path / "result.json").read_text())
    assert values["train"] == {**NUMBERS, "loss": None}
    assert (values["test"], values["steps_per_second"]) == (None, 24.0)


CHANGES = [
    {"status": "fine"},
    {"steps": "980"},
    {"steps": 980.5},
    {"steps": -1},
    {"steps": 10**400},
    {"epochs": None},
    {"seconds": None},
    {"seconds": "7.5"},
    {"seconds": -1.0},
    {"seconds": math.inf},
    {"seconds": 10**400},
    {"seed": None},
    {"seed": [1]},
    {"seed": 2**32},
    {"at_chance": 1},
    {"diverged_at": "no"},
    {"layers": {}},
    {"layers": [{"layer": "1"}]},
    {"advice": "none"},
    {"advice": [1]},
    {"train": []},
    {"train": {"loss": "1.5"}},
    {"train": {"cost": 2.5, "loss": 1.5}},
    {"test": {**NUMBERS, "accuracy": 1.7}},
    {"test": {**NUMBERS, "accuracy": -0.1}},
    {"test": 0.5},
    {"model_sha256": None},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_result_of_wrong_types_is_damaged(change: dict[str, object], tmp_path: Path) -> None:
    write(tmp_path, FINISHED)
    values = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(RunFolderError, match=rf"^{tmp_path}/result\.json is damaged: {next(iter(change))}"):
        read_recorded(tmp_path)
    assert read_ended(tmp_path) is None


@pytest.mark.parametrize("name", [*FINISHED.as_dict(), "model_sha256"])
def test_a_result_that_lacks_a_value_is_damaged(name: str, tmp_path: Path) -> None:
    write(tmp_path, FINISHED)
    values = json.loads((tmp_path / "result.json").read_text())
    del values[name]
    (tmp_path / "result.json").write_text(json.dumps(values))
    if name == "steps_per_second":  # which follows from the others
        assert recorded(tmp_path)[0] == FINISHED
    else:
        with pytest.raises(RunFolderError, match=rf"damaged: {name}: Field required$"):
            read_recorded(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, rb'{"status": "\ud800"}', b'{"status": "finished"}'],
)
def test_what_is_no_result_is_damaged(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(data)
    with pytest.raises(RunFolderError, match="damaged"):
        read_recorded(tmp_path)


def test_a_training_has_not_ended_without_its_result_or_its_model(tmp_path: Path) -> None:
    assert read_ended(tmp_path) is None
    assert read_recorded(tmp_path) is None
    write(tmp_path, FINISHED)
    assert read_ended(tmp_path) == FINISHED
    (tmp_path / "model.npz").write_bytes(b"another")
    assert read_ended(tmp_path) is None
    (tmp_path / "model.npz").unlink()
    assert read_ended(tmp_path) is None
    assert recorded(tmp_path)[0] == FINISHED


def test_a_folder_without_summary_has_one_seed(tmp_path: Path) -> None:
    assert read_planned(tmp_path) == 1
    (tmp_path / "summary.json").write_text('{"n": 2, "planned": 3}')
    assert read_planned(tmp_path) == 3


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", *(f'{{"planned": {n}}}' for n in ("0", "-1", "1e9", "100000000", "1.5", '"3"', "null"))],
)
def test_a_summary_without_a_number_of_seeds_is_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"/summary\.json is damaged: "):
        read_planned(tmp_path)


def test_a_summary_is_over_the_seeds_that_have_the_metric() -> None:
    others = [
        Outcome("finished", 1, 1.0, 1.0, {"test": {"accuracy": a}}, s) for s, a in ((4, 0.25), (5, 0.75))
    ]
    summary = summarise(others)
    assert (summary["n"], summary["seeds"]) == (2, [4, 5])
    assert summary["test"]["accuracy"] == {"mean": 0.5, "std": pytest.approx(0.125**0.5), "n": 2}
    assert math.isnan(summary["train"]["loss"]["mean"])
    assert summarise([])["n"] == 0
