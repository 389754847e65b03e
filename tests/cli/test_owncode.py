"""The commands `case` and `diagnose`, and the starter programs in a case's readme."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import cifarmlp, cifarmlp_process
from helpers.student import student
from scipy.io import loadmat, savemat


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with case.npz."""
    assert cifarmlp("case", "case.npz", cwd=tmp_path).code == 0
    return tmp_path


def given(place: Path) -> dict[str, Any]:
    with np.load(place / "case.npz") as case:
        return {name: case[name] for name in case if name not in ("answers", "layout")}


def test_a_case_is_a_file_and_a_readme(place: Path) -> None:
    shapes = {name: array.shape for name, array in given(place).items()}
    assert shapes["X"] == (20, 100)
    assert [shapes[f"W{n}"] for n in (1, 2, 3, 4)] == [(100, 10), (10, 8), (8, 6), (6, 10)]
    readme = (place / "case-readme.md").read_text()
    with np.load(place / "case.npz") as case:
        names = [str(name) for name in case["answers"]]
    assert all(f"| {name} | " in readme for name in [*shapes, *names])
    assert {"s1", "shat2", "P", "cost", "dgamma3", "newrunning_var1", "newW4"} <= set(names)


def test_the_same_seed_draws_the_same_case_and_a_case_is_not_overwritten(place: Path) -> None:
    assert cifarmlp("case", "again.npz", cwd=place).code == 0
    assert (place / "again.npz").read_bytes() == (place / "case.npz").read_bytes()
    done = cifarmlp("case", "again.npz", cwd=place)
    assert (done.code, done.out) == (2, "")
    assert "exists already" in done.err


@pytest.mark.parametrize(
    ("args", "X", "W8"),
    [([], (100, 20), (8, 10)), (["--full", "--images", "5"], (3072, 5), (10, 10))],
)
def test_the_network_is_that_of_a_config_made_small_or_not(
    args: list[str], X: tuple[int, int], W8: tuple[int, int], tmp_path: Path
) -> None:
    assert cifarmlp("case", "c.mat", "report-2/figure-4", *args, cwd=tmp_path).code == 0
    case = loadmat(tmp_path / "c.mat")
    assert (case["X"].shape, case["W8"].shape) == (X, W8)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network.activation", "tanh"),
        ("network.batch_norm.position", "after"),
        ("network.dropout", "0.5"),
        ("training.loss", "hinge"),
        ("training.optimiser", "adam"),
        ("training.loss", "{label_smoothing: 0.1}"),
    ],
)
def test_a_setting_without_answers_is_refused_by_its_name(key: str, value: str, tmp_path: Path) -> None:
    done = cifarmlp("case", "case.npz", "quickstart", "--set", f"{key}={value}", cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith(f"error: {key}: a case has no answers for this setting yet; --set {key}=")
    assert len(done.err.splitlines()) == 1
    assert not list(tmp_path.glob("case*"))


def test_right_numbers_are_right_and_exit_with_zero(place: Path) -> None:
    np.savez(place / "mine.npz", **student(given(place)))
    done = cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place)
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith("all right: 53 quantities")


def test_a_mistake_is_told_with_its_cure_and_exits_with_one(place: Path) -> None:
    np.savez(place / "mine.npz", **student(given(place), ("batch_statistics_constant",)))
    done = cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place)
    assert done.code == 1
    assert "first wrong: dW3; the 23 before it are right" in done.out
    assert "batch_statistics_constant: the backward pass of batch norm takes" in done.out
    assert "Ioffe and Szegedy" in done.out
    found = cifarmlp("diagnose", "case.npz", "mine.npz", "--json", cwd=place)
    assert found.code == 1
    values = json.loads(found.out)
    assert (values["right"], values["first_wrong"]) == (False, "dW3")
    assert values["mistakes"] == ["batch_statistics_constant"]
    assert {"name", "relative", "right"} == set(values["quantities"][0])


def cells(arrays: dict[str, Any]) -> np.ndarray[Any, Any]:
    values = np.empty((1, 4), object)
    for n in range(4):
        values[0, n] = arrays[f"dW{n + 1}"].T
    return values


def test_cells_and_structs_of_matlab_are_understood(place: Path) -> None:
    mine = student(given(place), ("l2_halved",))
    savemat(place / "mine.mat", {"grads": {"W": cells(mine)}, "loss": mine["loss"]})
    found = cifarmlp("diagnose", "case.npz", "mine.mat", "--json", cwd=place)
    values = json.loads(found.out)
    assert values["mistakes"] == ["l2_halved"]
    assert [quantity["name"] for quantity in values["quantities"]] == ["loss", "dW4", "dW3", "dW2", "dW1"]


BAD = {
    "empty": (b"", "empty"),
    "text": (b"1 2 3", "neither .npz nor .mat"),
    "torn": (b"PK\x03\x04 torn", "not an .npz"),
    "matlab 7.3": (b"MATLAB 7.3 MAT-file" + bytes(200), "-v7"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_none_is_one_line(kind: str, place: Path) -> None:
    content, words = BAD[kind]
    (place / "mine").write_bytes(content)
    for files in (("case.npz", "mine"), ("mine", "case.npz")):
        done = cifarmlp("diagnose", *files, cwd=place)
        assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 1)
        assert words in done.err


def test_a_pickle_is_not_opened(place: Path) -> None:
    np.savez(place / "mine.npz", dW=np.array([np.ones(2), np.ones(3)], dtype=object))
    done = cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place)
    assert (done.code, done.out) == (3, "")
    assert "pickled object" in done.err


def test_names_that_are_none_are_told_with_the_nearest(place: Path) -> None:
    np.savez(place / "mine.npz", dW44=np.ones(2), loss=given(place)["eta"])
    done = cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place)
    assert "dW44: not the name of a quantity; did you mean dW4?" in done.out
    np.savez(place / "mine.npz", foo=np.ones(2))
    assert cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place).code == 3


def starter(place: Path, language: str, code: str) -> str:
    """The starter program of a readme, which hands in s1 of a right program."""
    readme = (place / "case-readme.md").read_text()
    (text,) = re.findall(rf"## Starter in {language}.*?```{code}\n(.*?)```", readme, re.DOTALL)
    return str(text)


def test_the_starter_in_python_runs(place: Path) -> None:
    text = starter(place, "Python", "python")
    line = 'mine["s1"] = case["X"] @ case["W1"] + case["b1"]\n'
    (place / "starter.py").write_text(text.replace("np.savez(", line + "np.savez("))
    subprocess.run([sys.executable, "starter.py"], cwd=place, check=True, timeout=60)
    assert cifarmlp("diagnose", "case.npz", "mine.npz", cwd=place).code == 0


@pytest.mark.skipif(shutil.which("octave") is None, reason="Octave is not installed")
def test_the_starter_in_octave_runs(tmp_path: Path) -> None:
    assert cifarmlp("case", "case.mat", cwd=tmp_path).code == 0
    text = starter(tmp_path, "MATLAB and Octave", "matlab")
    line = "mine.s1 = c.W1 * c.X + c.b1; grads.W = {}; mine.b = 1; mine = rmfield(mine, 'b');\n"
    (tmp_path / "starter.m").write_text(text.replace("save(", line + "save("))
    subprocess.run(["octave", "--no-gui", "starter.m"], cwd=tmp_path, check=True, timeout=120)
    assert cifarmlp("diagnose", "case.mat", "mine.mat", cwd=tmp_path).code == 0


@pytest.mark.slow
def test_a_diagnosis_takes_two_seconds_at_most(place: Path) -> None:
    np.savez(place / "mine.npz", **student(given(place), ("l2_on_biases", "update_sign")))
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        assert cifarmlp_process("diagnose", "case.npz", "mine.npz", cwd=place).code == 1
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 2
