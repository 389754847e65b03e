"""`train A B C` in lockstep: folders and tables as of trainings one after the other, to the same bits."""

import io
import re
from functools import partial
from pathlib import Path

import pytest
from helpers import command, tiny

from cifarmlp.nn import Float
from cifarmlp.training import run
from cifarmlp.training.loop import Training
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.session import Session

SCHEDULE = "{kind: cyclic, eta_min: 1.0e-5, eta_max: %s, n_s: 20, cycles: 1}"
BASE = """\
extends: quickstart
data: {validation: 100}
network: {hidden: [8, 6]}
training: {batch_size: 20, steps: 40, lambda: 0.5, schedule: %s}
"""
CONFIGS = {
    "he": "network: {init: he}",
    "small": "network: {init: {sigma: 0.01}}",
    "other": "network: {hidden: [5]}",
    "strong": "training: {lambda: 0.9}",
    "fast": f"training: {{schedule: {SCHEDULE % 0.3}}}",
}

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with configs of which the first two and the last two may train in lockstep."""
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())
    (tmp_path / "base.yaml").write_text(BASE % (SCHEDULE % 0.1))
    for name, text in CONFIGS.items():
        (tmp_path / f"{name}.yaml").write_text(f"extends: base.yaml\nname: {name}\n{text}\n")
    return tmp_path


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names and seeds of what trains together."""
    seen: list[list[str]] = []
    train = run._train

    def note(sessions: list[Session], watch: run.Watch) -> dict[Path, Outcome]:
        seen.append([f"{each.config.name} {each.config.seed}" for each in sessions])
        return train(sessions, watch)

    monkeypatch.setattr(run, "_train", note)
    return seen


train = partial(cifarmlp, "train")


def test_folders_are_those_of_trainings_one_by_one(place: Path, groups: list[list[str]]) -> None:
    paths = [f"{name}.yaml" for name in CONFIGS]
    done = train(*paths, "--repeats", 2, cwd=place)
    assert groups == [
        ["he 1", "small 1"], ["he 2", "small 2"], ["other 1"], ["other 2"],
        ["strong 1", "fast 1"], ["strong 2", "fast 2"],
    ]  # fmt: skip
    heads = [line for line in done.out.splitlines() if line.endswith("-001") and " " not in line]
    assert heads == [str(Path("runs") / f"{name}-001") for name in CONFIGS]
    assert "small-001 minus" in done.out
    for path in paths:
        train(path, "--repeats", 2, "--out", "alone", cwd=place)
    for folder in sorted((place / "alone").glob("*/seed-*")):
        assert tiny.results(place / "runs" / folder.relative_to(place / "alone")) == tiny.results(folder)


def test_side_by_side_no_process_is_left_without_work(place: Path) -> None:
    done = train("he.yaml", "small.yaml", "--jobs", 2, "--dry-run", cwd=place)
    assert "2 at a time" in done.out
    done = train("he.yaml", "small.yaml", "--jobs", 2, "--repeats", 3, "--dry-run", cwd=place)
    assert "up to 2 in lockstep in each of 2 processes" in done.out


def test_each_line_of_progress_says_whose_it_is(place: Path) -> None:
    done = train("he.yaml", "small.yaml", cwd=place)
    steps = [(0, "0"), (15, "1"), (30, "2"), (40, "2.67")]
    names = ("he, seed 1", "small, seed 1")
    starts = [f"{name}: epoch {epoch}, step {step}:" for step, epoch in steps for name in names]
    lines = done.err.splitlines()
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=False)] == starts
    assert [line.split(":")[0] for line in lines[len(starts) :]] == [*names]


def test_those_of_one_name_go_by_their_folders(place: Path) -> None:
    done = train("he.yaml", "he.yaml", cwd=place)
    lines = done.err.splitlines()
    for number in (1, 2):
        start = f"{Path('runs') / f'he-00{number}'}, seed 1: "
        assert len([line for line in lines if line.startswith(f"{start}epoch ")]) == 4
        assert len([line for line in lines if line.startswith(f"{start}finished, ")]) == 1


class Terminal(io.StringIO):
    """A stand-in for stderr on a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_has_a_bar(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = train("he.yaml", "small.yaml", cwd=place, err=Terminal())
    for name in ("he", "small"):
        bars = [part for part in re.split(r"[\r\n]", done.err) if part.startswith(f"{name}, seed 1: ")]
        assert any(" 40/40 " in bar and "training loss=" in bar for bar in bars), done.err


def test_those_that_were_interrupted_are_resumed_one_by_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [0]
    update = Training.update

    def count(self: Training, x: Float, labels: Float) -> Float:
        steps.append(self.step)
        return update(self, x, labels)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "update", count)
        patch.setattr("cifarmlp.parallel.signals.watch_signals", lambda: lambda: 15 * (max(steps) == 17))
        done = train("he.yaml", "small.yaml", cwd=place)
    assert done.code == 143
    assert done.out.count("interrupted: 18 steps") == 2
    for name in ("he", "small"):
        train(f"{name}.yaml", "--out", "alone", cwd=place)
        assert train("--resume", f"runs/{name}-001", cwd=place).code == 0
        assert tiny.results(place / "runs" / f"{name}-001") == tiny.results(place / "alone" / f"{name}-001")
