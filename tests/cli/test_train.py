"""The command `train`: what it prints and leaves, its exit codes, and its processes when one is ended."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command, tiny
from helpers.command import Done, cifarmlp_process, held, until

from cifarmlp.data import load
from cifarmlp.training.loop import Training

TINY = [word for setting in tiny.SETTINGS for word in ("--set", setting)]
BEGUN = [".lock", "checkpoint.npz", "config.yaml"]
FILES = [
    ".lock",
    "batch_loss.csv",
    *BEGUN[1:],
    "curves.png",
    "environment.json",
    "metrics.csv",
    "model.npz",
    "result.json",
]
HEADER = (
    "step,epoch,eta,train_cost,train_loss,train_accuracy,validation_cost,validation_loss,validation_accuracy"
)
RUN = Path("runs") / "quickstart-001"
RUNS = [Path("runs") / f"quickstart-00{n}" for n in (1, 2, 3)]

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)
train = partial(cifarmlp, "train", "quickstart", *TINY)


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The folder of a finished run, and what the command printed."""
    place = tmp_path_factory.mktemp("trained")
    return place / RUN, train("--set", "training.lambda=0.001", cwd=place)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the curves, which take longer to draw than a tiny training takes."""
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())


# --------------------------------------------------------------------------------------------- what it leaves


def test_it_leaves_a_whole_run_folder(trained: tuple[Path, Done]) -> None:
    folder, done = trained
    assert done.code == 0, done.err
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "metrics.csv").read_text().splitlines()[0] == HEADER


def test_results_go_to_stdout_and_progress_to_stderr(trained: tuple[Path, Done]) -> None:
    _, done = trained
    assert "accuracy" in done.out
    assert "runs/quickstart-001/curves.png" in done.out
    assert "next:" in done.out
    *lines, last = done.err.splitlines()
    epochs = [line.split(":")[1].split(",")[0].strip() for line in lines]
    assert epochs == [f"epoch {n}" for n in ("0", "1", "2", "3", "4", "5", "5.33")]
    assert last.startswith("quickstart, seed 1: finished, test accuracy 0.")


def test_what_was_printed_is_what_was_written(trained: tuple[Path, Done]) -> None:
    folder, done = trained
    written = result(folder)
    assert f"{written['test']['accuracy']:.4f}" in done.out
    with (folder / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["validation_loss"]) == written["validation"]["loss"]
    assert written["steps"] == int(last["step"]) == tiny.STEPS
    assert written["status"] == "finished"
    assert written["test"]["accuracy"] > 0.2  # where chance is 0.1


def test_the_saved_model_is_the_network_that_was_measured(trained: tuple[Path, Done]) -> None:
    # worked anew from the documented layout of model.npz, by nothing of the engine
    folder, _ = trained
    test = tiny.dataset().test
    with np.load(folder / "model.npz", allow_pickle=False) as model:
        assert {array.dtype for array in model.values()} == {np.dtype(np.float32)}
        x = (test.pixels - model["pixel_mean"]) / model["pixel_std"]
        for n in (1, 2):
            s = x @ model[f"W{n}"]
            x_hat = (s - model[f"mean{n}"]) / np.sqrt(model[f"var{n}"] + model["eps"])
            x = np.maximum(model[f"gamma{n}"] * x_hat + model[f"beta{n}"], 0)
        logits = x @ model["W3"] + model["b3"]
        names = {f"{kind}{n}" for kind in ("W", "gamma", "beta", "mean", "var") for n in (1, 2)}
        assert set(model) == names | {"W3", "b3", "pixel_mean", "pixel_std", "eps"}
    accuracy = np.mean(logits.argmax(axis=1) == test.labels)
    assert accuracy == pytest.approx(result(folder)["test"]["accuracy"], abs=2e-4)


def test_the_environment_says_where_the_numbers_come_from(trained: tuple[Path, Done]) -> None:
    folder, _ = trained
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["libraries"]["numpy"] == np.__version__
    assert environment["data"]["sha256"] == tiny.dataset().checksum
    assert "train" in environment["command"]
    assert environment["blas"]


@pytest.mark.usefixtures("undrawn")
def test_the_same_config_and_seed_give_the_same_bits_and_another_seed_does_not(tmp_path: Path) -> None:
    train(cwd=tmp_path)
    again = cifarmlp("train", RUN / "config.yaml", cwd=tmp_path)
    train("--seed", "2", cwd=tmp_path)
    assert again.code == 0, again.err
    first, second, other = ((tmp_path / run / "model.npz").read_bytes() for run in RUNS)
    assert first == second
    assert first != other


@pytest.mark.usefixtures("undrawn")
def test_repeats_train_each_seed_and_summarise_them(tmp_path: Path) -> None:
    done = train("--repeats", "3", cwd=tmp_path)
    alone = train("--seed", "2", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    accuracies = [result(tmp_path / RUN / f"seed-{seed}")["test"]["accuracy"] for seed in (1, 2, 3)]
    summary = json.loads((tmp_path / RUN / "summary.json").read_text())["test"]["accuracy"]
    assert summary == pytest.approx({"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1), "n": 3})
    assert f"{summary['mean']:.4f} ± {summary['std']:.4f}" in done.out
    assert alone.json["results"][0]["test"]["accuracy"] == accuracies[1]


def test_seeds_side_by_side_are_those_trained_one_by_one(tmp_path: Path) -> None:
    args = ["train", "quickstart", *TINY, "--set", "training.steps=4", "--repeats", "2"]
    together = command.cifarmlp(*args, "--jobs", "2", cwd=tmp_path)
    command.cifarmlp(*args, cwd=tmp_path)
    assert together.code == 0, together.err
    assert len(together.err.splitlines()) == 2
    for seed in ("seed-1", "seed-2"):
        assert tiny.results(tmp_path / RUNS[0] / seed) == tiny.results(tmp_path / RUNS[1] / seed)


# ---------------------------------------------------------------------------------------------- odd trainings


def test_no_steps_evaluate_the_untrained_network(tmp_path: Path) -> None:
    (outcome,) = train("--set", "training.steps=0", "--json", cwd=tmp_path).json["results"]
    assert (outcome["status"], outcome["steps"]) == ("finished", 0)
    assert outcome["test"]["accuracy"] == pytest.approx(0.1, abs=0.09)


def test_a_diverged_run_is_a_result(tmp_path: Path) -> None:
    rate = "training.schedule={kind: constant, eta: 1.0e+6, epochs: 1}"
    done = train("--set", "network.batch_norm=false", "--set", rate, cwd=tmp_path)
    written = result(tmp_path / RUN)
    assert done.code == 0
    assert written["status"] == "diverged"
    assert written["test"]["loss"] is None
    assert f"diverged at step {written['diverged_at']}" in done.out
    assert "training loss -, validation accuracy -" in done.err
    assert "nan" not in done.out + done.err
    assert "layer" in done.out
    assert "eta" in done.out
    assert sorted(path.name for path in (tmp_path / RUN).iterdir()) == FILES
    assert "Warning" not in done.err


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("hidden", "settings"), [("[]", "'network.hidden=[50]'"), ("[50]", "network.batch_norm=false")]
)
def test_after_repeats_the_next_thing_to_try_is_one_that_changes_something(
    hidden: str, settings: str, tmp_path: Path
) -> None:
    shape = ("--set", f"network.hidden={hidden}", "--set", "training.lambda=0")
    done = train("--repeats", 2, *shape, cwd=tmp_path)
    assert done.out.endswith(f"next:    cifarmlp train {RUN}/seed-1/config.yaml --set {settings}\n")


@pytest.mark.usefixtures("undrawn")
def test_a_network_at_chance_level_is_named_with_its_layers(tmp_path: Path) -> None:
    done = train("--set", "network.init={sigma: 1.0e-4}", "--set", "network.batch_norm=false", cwd=tmp_path)
    outcome = result(tmp_path / RUN)
    assert "never left chance level" in done.out
    assert "what usually helps: --set network.init=he (the images vanish in layer 1" in done.out
    assert done.out.endswith(f"next:    cifarmlp train {RUN}/config.yaml --set network.init=he\n")
    assert outcome["at_chance"] is True
    assert [layer["layer"] for layer in outcome["layers"]] == [1, 2, 3]
    assert outcome["layers"][-1]["spread"] < 1e-3


# ------------------------------------------------------------------------------- what its last lines say


def table_of(done: Done) -> list[str]:
    """The first word of each row of the table."""
    return [line.split()[0] for line in done.out.partition("\n\n")[0].splitlines()[2:]]


@pytest.mark.usefixtures("undrawn")
def test_without_validation_images_no_line_is_about_them(tmp_path: Path) -> None:
    done = train("--set", "data.validation=0", cwd=tmp_path)
    assert table_of(done) == ["train", "test"]
    assert "validation" not in done.out + done.err
    assert "nan" not in done.out + done.err
    assert "training accuracy 0." in done.err
    header = (tmp_path / RUN / "metrics.csv").read_text().splitlines()[0]
    assert header == "step,epoch,eta,train_cost,train_loss,train_accuracy"
    assert (
        train("--set", "data.validation=0", "--json", cwd=tmp_path).json["results"][0]["validation"] is None
    )


@pytest.mark.usefixtures("undrawn")
def test_repeats_without_validation_images_are_compared_by_the_others(tmp_path: Path) -> None:
    for name, lam in (("a", 0.1), ("b", 0.2)):
        text = f"extends: quickstart\ntraining: {{steps: 20, batch_size: 20, lambda: {lam}}}\n"
        (tmp_path / f"{name}.yaml").write_text(f"{text}data: {{validation: 0}}\n")
    done = cifarmlp("train", "a.yaml", "b.yaml", "--repeats", "2", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "validation" not in done.out
    difference = done.out.split("\n\n")[-3].splitlines()
    assert [line.split()[0] for line in difference[-2:]] == ["train", "test"]
    assert "validation" not in done.out


@pytest.mark.usefixtures("undrawn")
def test_the_last_lines_say_what_was_looked_at_kept_and_why_it_ended(tmp_path: Path) -> None:
    settings = ("evaluate_test=true", "keep=best", "patience=2", "evaluate_every={steps: 1}")
    done = train(*(word for s in settings for word in ("--set", f"training.{s}")), cwd=tmp_path)
    written = result(tmp_path / RUN)
    assert "test: looked at during training" in done.out
    assert f"ended before its last step: {written['stopped']}" in done.out
    assert f"model and numbers are those of step {written['kept_step']}, the best validation" in done.out


def test_the_table_of_an_interrupted_training_says_which_step_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    update = Training.update

    def note(self: Training, x: Any, labels: Any) -> Any:
        steps.append(self.step)
        return update(self, x, labels)

    monkeypatch.setattr(Training, "update", note)
    stop = "cifarmlp.parallel.signals.watch_signals"
    monkeypatch.setattr(stop, lambda: lambda: 15 * (len(steps) > 17))
    done = train(cwd=tmp_path)
    assert done.code == 143
    measured = result(tmp_path / RUN)["measured_step"]
    assert measured == tiny.EPOCH
    line = f"the numbers in the table are of step {measured}, the last evaluation; model.npz is of step 18"
    assert line in done.out


# ------------------------------------------------------------------------------------------- its processes


ENDLESS = [
    "train",
    "quickstart",
    *TINY,
    "--set=training.evaluate_images=1000",
    "--set=training.steps=1000000",
]
REPEATED = [*ENDLESS, "--repeats", "3", "--jobs", "2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_the_parent_ends_repeats_in_all_their_processes(number: int, tmp_path: Path) -> None:
    with held(tmp_path, "step 3", *REPEATED, processes=2) as process:
        process.send_signal(number)
        (tmp_path / "go").touch()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out.startswith("no seed has ended yet\n")  # no mean of what is not of the same step
    assert "±" not in out.replace("n = 0 seeds, mean ± std", "")
    assert "Traceback" not in err
    written = [result(path.parent) for path in (tmp_path / RUN).glob("*/result.json")]
    assert [(each["status"], each["test"]) for each in written] == [("interrupted", None)] * 2
    assert json.loads((tmp_path / RUN / "summary.json").read_text())["n"] == 0


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Seeds side by side that would train for hours, from the moment that their folder is there."""
    line = [sys.executable, "-m", "cifarmlp", *REPEATED]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        until((tmp_path / RUN).exists, process)
        yield process
        process.kill()


@pytest.mark.slow
def test_a_signal_while_the_workers_start_ends_quietly(
    tmp_path: Path, endless: subprocess.Popen[str]
) -> None:
    time.sleep(0.2)
    endless.send_signal(signal.SIGTERM)
    _, err = endless.communicate(timeout=60)
    assert endless.returncode == 143
    assert "Traceback" not in err


@pytest.mark.slow
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path, endless: subprocess.Popen[str]) -> None:
    def tables() -> list[str]:
        return [path.read_text() for path in sorted((tmp_path / RUN).glob("*/metrics.csv"))]

    until(lambda: len(tables()) == 2, endless)
    endless.kill()
    time.sleep(3)
    before = tables()
    time.sleep(3)  # two evaluations of so small a network take less
    assert len(before) == 2
    assert tables() == before


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_no_torn_file(tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    load("synthetic")  # in the cache already, which the limit would also meet
    done = cifarmlp_process("train", "quickstart", *TINY, cwd=tmp_path, preexec_fn=small_files)
    assert done.code == 4
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in done.err
    left = {path.name for path in (tmp_path / RUN).iterdir()}
    assert left == {".lock", "config.yaml", "environment.json", "metrics.csv"}


# --------------------------------------------------------------------------------------------- bad input


WRONG = {
    "unknown key": (["--set", "training.lamda=1"], 2, "did you mean"),
    "wrong type": (["--set", "network.hidden=fifty"], 2, "network.hidden"),
    "negative width": (["--set", "network.hidden=[-5]"], 2, "network.hidden"),
    "negative lambda": (["--set", "training.lambda=-1"], 2, "training.lambda"),
    "batch too large": (["--set", "training.batch_size=49950"], 2, "49900"),
    "n_s of zero": (["--set", "training.schedule.n_s=0"], 2, "n_s"),
    "tag": (["--set", "seed=!!python/object/apply:os.system [true]"], 2, "tag"),
    "no CIFAR-10 there": (["--set", "data.source=cifar10", "--data-dir", "nowhere"], 3, "nowhere"),
    "no such place for CIFAR-10": (["--set", "data.source=cifar10", "--data-dir", "/nope"], 3, "no complete"),
    "out is a file": (["--out", "a-file"], 4, "a-file"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_bad_input_is_one_line_its_exit_code_and_nothing_written(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args, code, words = WRONG[fault]
    (tmp_path / "a-file").write_text("in the way")
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing can be fetched
    done = train(*args, cwd=tmp_path, on_tiny_images=code != 3)
    assert done.code == code, done.err
    assert len(done.err.splitlines()) == 1
    assert words in done.err
    assert done.out == ""
    assert [path.name for path in tmp_path.iterdir() if path.name != "nowhere"] == ["a-file"]


@pytest.mark.parametrize(
    "content", [None, b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"a: &a [*a, *a]\n", b"- 1\n- 2\n"]
)
def test_bad_config_files_are_refused_by_name(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bad.yaml").write_bytes(content)
    done = cifarmlp("train", "./bad.yaml", cwd=tmp_path)
    assert done.code == 2
    assert done.err
    assert all(line.startswith("error: ") and "bad.yaml" in line for line in done.err.splitlines())
    assert not (tmp_path / "runs").exists()


def test_all_faults_of_a_config_come_at_once_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("seed: -1\nnetwork:\n  hiden: [50]\n  batch_norm: maybe\n")
    done = cifarmlp("train", "bad.yaml", cwd=tmp_path)
    assert done.code == 2
    places = [line.removeprefix("error: ").split(": ")[0] for line in done.err.splitlines()]
    assert places == ["bad.yaml:1:7", "bad.yaml:3:3", "bad.yaml:4:15"]


# ------------------------------------------------------------------------------------------- real images


@pytest.mark.cifar10
@pytest.mark.slow
@pytest.mark.skipif("CIFARMLP_DATA" not in os.environ, reason="needs real CIFAR-10 in $CIFARMLP_DATA")
@pytest.mark.parametrize(("limit", "most"), [(1.8e9, 500), (None, 500 + 600)], ids=["scarce", "plenty"])
def test_real_images_are_learnt_within_the_memory_that_is_promised(
    tmp_path: Path, limit: float | None, most: float
) -> None:
    """Where there is three times as much, the images are standardised once: 600 MB more."""
    words = ["-m", "cifarmlp", "train", "report-2/figure-3", "--set", "training.steps=1470", "--quiet"]
    measured = (  # in a process of its own, whose only child is the training
        "import resource, subprocess, sys;"
        f"limit = {limit or -1:.0f};"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit));"
        "subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    line = [sys.executable, "-c", measured, sys.executable, *words]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "runs" / "report-2-figure-3-001")["test"]["accuracy"] > 0.42
    assert int(done.stdout.split()[-1]) < most * 1024
