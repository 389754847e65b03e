"""Run folders read back: their seeds, the numbers of each, and their status."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.run_folders import column
from helpers.tiny import STEPS

from cifarmlp.errors import CifarmlpError
from cifarmlp.runs.folder import load_run, status_of
from cifarmlp.training.outcome import Outcome


def outcomes(*states: str) -> list[Outcome]:
    return [Outcome(state, 1, 1.0, 1.0, {}, seed) for seed, state in enumerate(states)]


@pytest.mark.parametrize(
    ("is_locked", "states", "planned", "status"),
    [
        (True, ["interrupted", "diverged"], 2, "running"),
        (False, ["finished", "diverged", "interrupted"], 3, "interrupted"),
        (False, ["finished", "diverged"], 3, "unfinished"),
        (False, [], 1, "unfinished"),
        (False, ["finished", "diverged"], 2, "diverged"),
        (False, ["finished", "finished"], 2, "finished"),
    ],
)
def test_the_status_is_that_of_the_worst_seed(
    is_locked: bool, states: list[str], planned: int, status: str
) -> None:
    assert status_of(is_locked, outcomes(*states), planned) == status


def test_a_run_has_the_status_of_its_seeds(copy: Path) -> None:
    names = ("plain-001", "lost-001", "linear-001")
    assert [load_run(copy / name).status() for name in names] == ["finished", "diverged", "finished"]
    (copy / "linear-001" / "result.json").unlink()
    for seed in (1, 2):
        shutil.rmtree(copy / "lost-001" / f"seed-{seed}")
    assert [load_run(copy / name).status() for name in names] == ["finished", "unfinished", "unfinished"]


# Numbers


def test_a_history_has_the_columns_of_metrics_csv(trained: Path) -> None:
    folder = trained / "linear-001"
    history = load_run(folder).seeds[0].history()
    assert list(history) == (folder / "metrics.csv").read_text().splitlines()[0].split(",")
    assert history["step"][-1] == STEPS
    for name, values in history.items():
        assert values.dtype == np.float64
        assert values.tolist() == column(folder, name)


def test_the_history_of_a_run_has_all_its_seeds(trained: Path) -> None:
    folder = trained / "normal-001"
    history = load_run(folder).history()
    assert next(iter(history)) == "seed"
    for seed in (2, 3):
        losses = history["validation_loss"][history["seed"] == seed]
        assert losses.tolist() == column(folder / f"seed-{seed}", "validation_loss")


def test_a_history_leaves_out_rows_that_are_not_whole(run: Path) -> None:
    path = run / "metrics.csv"
    header, first, second, *_ = path.read_text().splitlines()
    path.write_text("\n".join([header, first, second[:9], "nonsense", f"{first},1", f"{second}\n\x00,,\xff"]))
    (seed,) = load_run(run).seeds
    assert [len(values) for values in seed.history().values()] == [2] * len(header.split(","))
    path.unlink()
    assert seed.history() == load_run(run).history() == {}


def test_a_frame_has_a_row_for_each_evaluation(trained: Path) -> None:
    pytest.importorskip("pandas")
    run = load_run(trained / "normal-001")
    frame = run.to_frame()
    assert frame.seed.unique().tolist() == [2, 3]
    assert frame.train_loss.tolist() == run.history()["train_loss"].tolist()
    assert list(run.seeds[0].to_frame()) == [name for name in frame if name != "seed"]


def test_without_pandas_a_frame_is_one_line_that_says_so(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CifarmlpError, match=r"^pandas is not installed; pip install pandas$"):
        load_run(trained / "linear-001").to_frame()
