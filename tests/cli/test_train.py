"""The command line as its users have it: real processes, their exit codes, what they print and leave."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cifarmlp.cli import main
from cifarmlp.data import load
from cifarmlp.nn.layers import BatchNorm

SMALL = ["--set", "network.hidden=[12, 8]", "--set", "training.evaluate_images=1000"]
SHORT = [*SMALL, "--set", "training.steps=60"]
BEGUN = [".lock", "checkpoint.npz", "config.yaml"]
FILES = [*BEGUN, "curves.png", "environment.json", "metrics.csv", "model.npz", "result.json"]
HEADER = (
    "step,epoch,eta,train_cost,train_loss,train_accuracy,validation_cost,validation_loss,validation_accuracy"
)


def cifarmlp(*args: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cifarmlp", *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


def result(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with one finished run, runs/quickstart-001, and what the command printed."""
    place = tmp_path_factory.mktemp("trained")
    return place, cifarmlp("train", "quickstart", *SMALL, "--set", "training.steps=1000", cwd=place)


def test_train_leaves_a_whole_run_folder(trained):
    place, done = trained
    folder = place / "runs" / "quickstart-001"
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "metrics.csv").read_text().splitlines()[0] == HEADER


def test_train_prints_results_on_stdout_and_progress_on_stderr(trained):
    _, done = trained
    assert "accuracy" in done.stdout
    assert "runs/quickstart-001/curves.png" in done.stdout
    assert "next:" in done.stdout
    *lines, last = done.stderr.splitlines()
    epochs = [line.split(":")[1].split(",")[0].strip() for line in lines]
    assert epochs == ["epoch 0", "epoch 1", "epoch 2", "epoch 2.04"]
    assert last.startswith("quickstart, seed 1: finished, test accuracy 0.")


def test_what_was_printed_is_what_was_written(trained):
    place, done = trained
    written = result(place / "runs" / "quickstart-001")
    assert f"{written['test']['accuracy']:.4f}" in done.stdout
    with (place / "runs" / "quickstart-001" / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last["validation_loss"]) == written["validation"]["loss"]
    assert written["steps"] == int(last["step"]) == 1000
    assert written["status"] == "finished"


def test_it_learns(trained):
    place, _ = trained
    accuracy = result(place / "runs" / "quickstart-001")["test"]["accuracy"]
    assert accuracy > 0.2  # a tiny network after two epochs, where chance is 0.1


def test_the_saved_model_is_the_network_that_was_measured(trained):
    # worked anew from the documented layout of model.npz, by nothing of the engine
    place, _ = trained
    folder = place / "runs" / "quickstart-001"
    test = load("synthetic").test
    with np.load(folder / "model.npz", allow_pickle=False) as model:
        assert {array.dtype for array in model.values()} == {np.dtype(np.float32)}
        x = (test.pixels - model["pixel_mean"]) / model["pixel_std"]
        for n in (1, 2):
            s = x @ model[f"W{n}"]
            x_hat = (s - model[f"mean{n}"]) / np.sqrt(model[f"var{n}"] + 1e-12)
            x = np.maximum(model[f"gamma{n}"] * x_hat + model[f"beta{n}"], 0)
        logits = x @ model["W3"] + model["b3"]
        names = {f"{kind}{n}" for kind in ("W", "gamma", "beta", "mean", "var") for n in (1, 2)}
        assert set(model) == names | {"W3", "b3", "pixel_mean", "pixel_std"}
    accuracy = np.mean(logits.argmax(axis=1) == test.labels)
    assert accuracy == pytest.approx(result(folder)["test"]["accuracy"], abs=2e-4)


def test_the_environment_says_where_the_numbers_come_from(trained):
    place, _ = trained
    environment = json.loads((place / "runs" / "quickstart-001" / "environment.json").read_text())
    assert environment["libraries"]["numpy"] == np.__version__
    assert environment["data"]["sha256"] == load("synthetic").checksum
    assert "train" in environment["command"]
    assert environment["blas"]


def test_the_same_config_and_seed_give_the_same_bits_and_another_seed_does_not(tmp_path):
    cifarmlp("train", "quickstart", *SHORT, cwd=tmp_path)
    again = cifarmlp("train", "runs/quickstart-001/config.yaml", cwd=tmp_path)
    cifarmlp("train", "quickstart", *SHORT, "--seed", "2", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    models = [(tmp_path / "runs" / f"quickstart-00{n}" / "model.npz").read_bytes() for n in (1, 2, 3)]
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_repeats_train_each_seed_and_summarise_them(tmp_path):
    done = cifarmlp("train", "quickstart", *SHORT, "--repeats", "3", "--jobs", "2", cwd=tmp_path)
    alone = cifarmlp("train", "quickstart", *SHORT, "--seed", "2", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "quickstart-001"
    accuracies = [result(folder / f"seed-{seed}")["test"]["accuracy"] for seed in (1, 2, 3)]
    summary = json.loads((folder / "summary.json").read_text())["test"]["accuracy"]
    assert summary == pytest.approx({"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1), "n": 3})
    assert f"{summary['mean']:.4f} ± {summary['std']:.4f}" in done.stdout
    assert len(done.stderr.splitlines()) == 3
    assert json.loads(alone.stdout)["results"][0]["test"]["accuracy"] == accuracies[1]


def test_no_steps_evaluate_the_untrained_network(tmp_path):
    done = cifarmlp("train", "quickstart", *SMALL, "--set", "training.steps=0", "--json", cwd=tmp_path)
    outcome = json.loads(done.stdout)["results"][0]
    assert outcome["status"] == "finished"
    assert outcome["steps"] == 0
    assert outcome["test"]["accuracy"] == pytest.approx(0.1, abs=0.08)


def test_a_diverged_run_is_a_result(tmp_path):
    rate = "training.schedule={kind: constant, eta: 1.0e+6, epochs: 1}"
    done = cifarmlp(
        "train", "quickstart", *SHORT, "--set", "network.batch_norm=false", "--set", rate, cwd=tmp_path
    )
    folder = tmp_path / "runs" / "quickstart-001"
    assert done.returncode == 0
    assert result(folder)["status"] == "diverged"
    assert result(folder)["test"]["loss"] is None
    assert f"diverged at step {result(folder)['diverged_at']}" in done.stdout
    assert "layer" in done.stdout
    assert "eta" in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert "Warning" not in done.stderr


def test_a_network_at_chance_level_is_named_with_its_layers(tmp_path):
    weak = ["--set", "network.init={sigma: 1.0e-4}", "--set", "network.batch_norm=false"]
    epoch = ["--set", "training.steps=500"]
    done = cifarmlp("train", "quickstart", *SMALL, *epoch, *weak, cwd=tmp_path)
    outcome = result(tmp_path / "runs" / "quickstart-001")
    assert "never left chance level" in done.stdout
    assert "what usually helps: batch_norm: true, init: he, an eta ten times smaller" in done.stdout
    assert outcome["at_chance"] is True
    assert [layer["layer"] for layer in outcome["layers"]] == [1, 2, 3]
    assert outcome["layers"][-1]["spread"] < 1e-3


def test_ctrl_c_ends_a_training_in_good_order(tmp_path):
    command = [
        sys.executable,
        "-m",
        "cifarmlp",
        "train",
        "quickstart",
        *SMALL,
        "--set",
        "training.steps=1000000",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()  # the first evaluation: training has begun
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "Traceback" not in process.stderr.read()
    assert time.monotonic() - started < 20
    folder = tmp_path / "runs" / "quickstart-001"
    assert result(folder)["status"] == "interrupted"
    assert result(folder)["test"] is None
    left = {path.name for path in folder.iterdir()} - {"checkpoint.previous.npz"}  # where there were two
    assert sorted(left) == [name for name in FILES if name != "curves.png"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_parent_ends_repeats_in_all_their_processes(number, tmp_path):
    args = [*SMALL, "--set", "training.steps=1000000", "--repeats", "5", "--jobs", "2"]
    command = [sys.executable, "-m", "cifarmlp", "train", "quickstart", *args]
    folder = tmp_path / "runs" / "quickstart-001"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while len(list(folder.glob("*/metrics.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(timeout=60) == 128 + number
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert {result(path.parent)["status"] for path in folder.glob("*/result.json")} == {"interrupted"}
    assert json.loads((folder / "summary.json").read_text())["n"] == 0


def test_a_signal_while_the_workers_start_ends_quietly(tmp_path):
    args = [*SMALL, "--set", "training.steps=1000000", "--repeats", "3", "--jobs", "2"]
    command = [sys.executable, "-m", "cifarmlp", "train", "quickstart", *args]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "runs" / "quickstart-001").exists():
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    args = [*SMALL, "--set", "training.steps=1000000", "--repeats", "2", "--jobs", "2"]
    command = [sys.executable, "-m", "cifarmlp", "train", "quickstart", *args]
    tables = tmp_path / "runs" / "quickstart-001"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(tables.glob("*/metrics.csv"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
    time.sleep(3)
    before = [path.read_text() for path in sorted(tables.glob("*/metrics.csv"))]
    time.sleep(3)  # two epochs of so small a network take less
    assert len(before) == 2
    assert [path.read_text() for path in sorted(tables.glob("*/metrics.csv"))] == before


@pytest.mark.parametrize("args", [["configs"], ["--help"], ["train", "--help"], ["configs", "schema"]])
def test_a_closed_pipe_ends_it_quietly_and_as_sigpipe_would(args, tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    command = [sys.executable, "-m", "cifarmlp", *args]
    done = subprocess.run(command, cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_all_that_was_read_before_the_pipe_closed_is_there(tmp_path):
    line = f"{sys.executable} -m cifarmlp configs | head -1"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


WRONG = {
    "unknown key": (["--set", "training.lamda=1"], 2, "did you mean"),
    "wrong type": (["--set", "network.hidden=fifty"], 2, "network.hidden"),
    "negative width": (["--set", "network.hidden=[-5]"], 2, "network.hidden"),
    "negative lambda": (["--set", "training.lambda=-1"], 2, "training.lambda"),
    "batch too large": (["--set", "training.batch_size=49500"], 2, "49000"),
    "n_s of zero": (["--set", "training.schedule.n_s=0"], 2, "n_s"),
    "tag": (["--set", "seed=!!python/object/apply:os.system [true]"], 2, "tag"),
    "no CIFAR-10 there": (["--set", "data.source=cifar10", "--data-dir", "nowhere"], 3, "nowhere"),
    "no such place for CIFAR-10": (["--set", "data.source=cifar10", "--data-dir", "/nope"], 3, "no complete"),
    "out is a file": (["--out", "a-file"], 4, "a-file"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_bad_input_is_one_line_its_exit_code_and_nothing_written(fault, tmp_path):
    args, code, words = WRONG[fault]
    (tmp_path / "a-file").write_text("in the way")
    offline = {**os.environ, "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = cifarmlp("train", "quickstart", *SHORT, *args, cwd=tmp_path, env=offline)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir() if path.name != "nowhere"] == ["a-file"]


@pytest.mark.parametrize(
    "content", [None, b"", b"\x89PNG\r\n\x1a\n\x00\x00", b"a: &a [*a, *a]\n", b"- 1\n- 2\n"]
)
def test_bad_config_files_are_refused_by_name(content, tmp_path):
    if content is not None:
        (tmp_path / "bad.yaml").write_bytes(content)
    done = cifarmlp("train", "./bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr
    assert all(line.startswith("error: ") and "bad.yaml" in line for line in done.stderr.splitlines())
    assert not (tmp_path / "runs").exists()


def test_all_faults_of_a_config_come_at_once_with_their_places(tmp_path):
    (tmp_path / "bad.yaml").write_text("seed: -1\nnetwork:\n  hiden: [50]\n  batch_norm: maybe\n")
    done = cifarmlp("train", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    places = [line.removeprefix("error: ").split(": ")[0] for line in done.stderr.splitlines()]
    assert places == ["bad.yaml:1:7", "bad.yaml:3:3", "bad.yaml:4:15"]


def test_a_disk_that_takes_no_more_is_one_line_and_leaves_no_torn_file(tmp_path):
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    load("synthetic")  # in the cache already, which the limit would also meet
    done = cifarmlp("train", "quickstart", *SHORT, cwd=tmp_path, preexec_fn=small_files)
    assert done.returncode == 4
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in done.stderr
    left = {path.name for path in (tmp_path / "runs" / "quickstart-001").iterdir()}
    assert left == {".lock", "config.yaml", "environment.json", "metrics.csv"}


def test_gradcheck_passes_and_stands_beside_the_reports(tmp_path):
    done = cifarmlp("gradcheck", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("layers (") == 6
    assert "0.46" in done.stdout  # what report 2 could not explain
    assert done.stdout.rstrip().endswith("all gradients are right")


def test_gradcheck_names_a_wrong_gradient_and_exits_with_one(monkeypatch):
    right = BatchNorm.backward

    def wrong(self, dy):
        ds = right(self, dy)
        self.dbeta *= -1
        return ds

    monkeypatch.setattr(BatchNorm, "backward", wrong)
    done = CliRunner().invoke(main.commands, ["gradcheck", "quickstart", "--set", "network.hidden=[8, 6]"])
    assert done.exit_code == 1
    assert done.stdout.rstrip().endswith("wrong gradients: beta1, beta2")


def test_configs_can_be_listed_copied_and_trained(tmp_path):
    listed = cifarmlp("configs", cwd=tmp_path).stdout
    copied = cifarmlp("configs", "copy", "mine", cwd=tmp_path)
    again = cifarmlp("configs", "copy", "mine", cwd=tmp_path)
    assert "report-2/figure-3" in listed
    assert copied.returncode == 0
    assert again.returncode == 2
    done = cifarmlp(
        "train", "mine/report-2/figure-1.yaml", *SHORT, "--set", "data.source=synthetic", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_the_schema_is_json_and_knows_the_fields(tmp_path):
    schema = json.loads(cifarmlp("configs", "schema", cwd=tmp_path).stdout)
    assert {"name", "seed", "data", "network", "training", "search", "extends"} <= set(schema["properties"])


def test_data_info_counts_the_classes_and_draws_a_sheet(tmp_path):
    done = cifarmlp("data", "info", "--source", "synthetic", "--sheet", "sheet.png", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"official": false' in done.stdout
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_synthesised_files_are_read_like_the_official_ones(tmp_path):
    assert cifarmlp("data", "synthesise", "made", cwd=tmp_path).returncode == 0
    verified = cifarmlp("data", "verify", "--data-dir", "made", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    args = ["--set", "data.source=cifar10", "--data-dir", "made"]
    done = cifarmlp("train", "quickstart", *SHORT, *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_command_has_help():
    def walk(command, path):
        assert command.help, path
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*path, name])

    walk(main.commands, [])


@pytest.mark.cifar10
@pytest.mark.slow
@pytest.mark.skipif("CIFARMLP_DATA" not in os.environ, reason="needs real CIFAR-10 in $CIFARMLP_DATA")
def test_real_images_are_learnt_within_the_memory_that_is_promised(tmp_path):
    train = ["-m", "cifarmlp", "train", "report-2/figure-3", "--set", "training.steps=1470", "--quiet"]
    measured = (  # in a process of its own, whose only child is the training
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", measured, sys.executable, *train]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path / "runs" / "report-2-figure-3-001")["test"]["accuracy"] > 0.42
    assert int(done.stdout.split()[-1]) < 500 * 1024
