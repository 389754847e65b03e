"""`train --dry-run`: what there is to train, how long and in how much memory, and nothing else."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from helpers import command, tiny

from cifarmlp import parallel
from cifarmlp.cli.screen import train
from cifarmlp.training.estimate import Estimate

TINY = [word for setting in tiny.SETTINGS for word in ("--set", setting)]
HOW = r"(\d at a time|up to \d in lockstep)"
COST = rf"  about \d+ (s|min), {HOW}, \d+ MB in each process( and 614 for the images)?"  # where there is room

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)
plan = partial(cifarmlp, "train", "quickstart", *TINY, "--dry-run")


def test_it_says_what_there_is_to_train_and_writes_nothing(tmp_path: Path) -> None:
    lines = plan("--repeats", 3, "--jobs", 2, cwd=tmp_path).out.splitlines()
    assert lines[:2] == ["quickstart", "  3 trainings, 80 steps with 2 evaluations"]
    assert re.fullmatch(COST, lines[2])
    assert "2 at a time" in lines[2]
    assert len(lines) == 3
    assert not [*tmp_path.iterdir()]


def test_of_several_configs_it_adds_up_the_time(tmp_path: Path) -> None:
    lines = cifarmlp("train", "quickstart", "report-2/figure-3", "--dry-run", cwd=tmp_path).out.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:2] == ["quickstart", "report-2-figure-3"]
    assert re.fullmatch(COST, lines[-2])
    assert re.fullmatch(r"in all about \d+ (s|min)", lines[-1])


def test_of_configs_in_lockstep_it_gives_the_time_together(tmp_path: Path) -> None:
    for name, sigma in (("a", 0.1), ("b", 0.01)):
        text = f"extends: quickstart\nname: {name}\nnetwork: {{init: {{sigma: {sigma}}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    lines = cifarmlp("train", "a.yaml", "b.yaml", *TINY, "--dry-run", cwd=tmp_path).out.splitlines()
    work = "  1 training, 80 steps with 2 evaluations"
    assert lines[:4] == ["a", work, "b", work]
    assert re.fullmatch(COST, lines[4])
    assert "up to 2 in lockstep, " in lines[4]
    assert len(lines) == 5


@pytest.mark.parametrize("settings", ["training.keep=best", "training.patience=3", "training.average=0.9"])
def test_of_trainings_that_keep_their_best(tmp_path: Path, settings: str) -> None:
    words = ("train", "quickstart", "quickstart", *TINY, "--set", settings, "--dry-run")
    done = cifarmlp(*words, cwd=tmp_path)
    assert "up to 2 in lockstep, " in done.out


def test_no_more_trainings_gain_time_than_there_are_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(populations: Sequence[object], jobs: int, in_folders: bool) -> Estimate:
        at_once.append(jobs)
        return Estimate(1.0, 1.0)

    at_once: list[int] = []
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    monkeypatch.setattr(train, "estimate", note)
    for jobs in (2, 8):
        assert f"{jobs} at a time" in plan("--repeats", 8, "--jobs", jobs, cwd=tmp_path).out
    assert at_once == [2, 4]


def test_what_has_ended_is_not_counted(tmp_path: Path) -> None:
    cifarmlp("train", "quickstart", *TINY, "--repeats", 2, cwd=tmp_path)
    (tmp_path / "runs" / "quickstart-001" / "seed-2" / "result.json").unlink()
    done = cifarmlp("train", "--resume", "runs/quickstart-001", "--dry-run", cwd=tmp_path)
    assert "  1 of 2 trainings are left, 80 steps with 2 evaluations\n" in done.out
    assert not (tmp_path / "runs" / "quickstart-001" / "seed-2" / "result.json").exists()
    cifarmlp("train", "--resume", "runs/quickstart-001", cwd=tmp_path)
    done = cifarmlp("train", "--resume", "runs/quickstart-001", "--dry-run", cwd=tmp_path)
    assert done.out == "quickstart\n  nothing left to train\n"


def test_it_prints_no_json(tmp_path: Path) -> None:
    done = plan("--json", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "leave it out with --dry-run" in done.err
