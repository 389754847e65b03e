"""The command `range-test`: its folder, its YAML, and what it refuses."""

import json
from pathlib import Path

import pytest
import yaml
from helpers.command import cifarmlp
from matplotlib.image import imread

from cifarmlp.config import load_config

CONFIG = """\
name: small
data: {validation: 100}
network: {hidden: [30]}
training: {batch_size: 20, schedule: {kind: constant, eta: 0.1, epochs: 4}}
"""
TEST = ("range-test", "c.yaml", "--steps", "300", "--threads", "1")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)


def test_it_prints_a_schedule_to_train_with_and_leaves_its_curves() -> None:
    done = cifarmlp(*TEST, "--set", "network.batch_norm=true", on_tiny_images=True)
    assert done.code == 0, done.err
    assert done.err == "small: eta grows from 1e-06 to 10\n"
    eta_min, eta_max = (float(line.split()[1]) for line in done.out.splitlines()[:2])
    assert 1e-6 < eta_min < eta_max < 10
    text = done.out.split("\n\n")[1]
    schedule = yaml.safe_load(text)["training"]["schedule"]
    assert schedule == {"kind": "cyclic", "eta_min": eta_min, "eta_max": eta_max, "n_s": 15, "cycles": 2}
    Path("next.yaml").write_text(f"extends: c.yaml\n{text}\n")
    assert load_config(Path("next.yaml")).training.schedule.steps(1) == 60
    folder = Path("runs/small-range-test-001")
    assert f"curves:  {folder / 'range-test.png'}\n" in done.out
    assert (
        "next:    cifarmlp train c.yaml --set network.batch_norm=true --set 'training.schedule={" in done.out
    )
    header, first, *rest = (folder / "range-test.csv").read_text().splitlines()
    assert header == "step,eta,loss,accuracy,smooth_loss,smooth_accuracy"
    assert first.startswith("0,1e-06,")
    assert len(rest) <= 299
    assert imread(folder / "range-test.png").shape[1] > 900


def test_it_is_no_run_and_the_list_of_runs_leaves_it_out() -> None:
    cifarmlp(*TEST, "--quiet", on_tiny_images=True)
    assert json.loads(cifarmlp("runs", "--json").out) == []


def test_json_has_what_the_file_has() -> None:
    linear = cifarmlp(
        *TEST, "--linear", "--from", 0, "--to", 0.5, "--json", "--seed", 3, on_tiny_images=True
    ).json
    folder = Path(linear.pop("folder"))
    assert json.loads((folder / "range-test.json").read_text()) == linear
    assert linear["range"] == {"low": 0, "high": 0.5, "steps": 300, "linear": True}
    assert linear["config"]["seed"] == 3
    assert linear["suggestion"]["eta_max"] == linear["schedule"]["eta_max"]


def test_a_network_that_cannot_learn_gets_no_schedule() -> None:
    done = cifarmlp(*TEST, "--to", "1e-5", on_tiny_images=True)
    assert (done.code, done.out.splitlines()[0][:32]) == (0, "no suggestion: the accuracy neve")
    assert "schedule" not in done.out
    assert Path("runs/small-range-test-001/range-test.png").exists()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ("--from", "1", "--to", "0.1"),
            "error: eta from 1 to 0.1: give two finite rates, not negative, the smaller one first",
        ),
        (("--from", "0"), "error: eta from 0 by factors stays at 0: give --from a small rate, or --linear"),
        (
            ("--set", "training.lambda=-1"),
            "error: --set training.lambda=-1: training.lambda is -1;",
        ),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], fault: str) -> None:
    done = cifarmlp(*TEST, *words, "--quiet", on_tiny_images=True)
    assert (done.code, done.out, done.err[: len(fault)]) == (2, "", fault)
    assert not Path("runs").exists()
