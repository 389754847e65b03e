"""`cifarmlp predict`: pictures and parts of the data, what it prints, and its sheet."""

import csv
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from helpers import tiny
from helpers.command import Done
from helpers.run_folders import cifarmlp, result
from PIL import Image

from cifarmlp.data.cifar10 import NAMES
from cifarmlp.runs.folder import load_run

TEST = tiny.dataset().test


def picture(path: Path, row: int = 0, size: int = 32) -> Path:
    """A test image as a PNG."""
    image = Image.fromarray(TEST.pixels[row].reshape(3, 32, 32).transpose(1, 2, 0).copy())
    image.resize((size, size)).save(path)
    return path


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training whose config says CIFAR-10."""
    return tiny.trained(tmp_path_factory.mktemp("runs"), "net", "training.steps=30", "data.source=cifar10")


# Pictures


def test_pictures_get_the_class_and_probabilities_of_predict(cifar: Path, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{row}.png", row) for row in (0, 7)]
    about = cifarmlp("predict", cifar, *paths, "--json").json
    assert (about["outputs"], about["seed"]) == ("probabilities", 1)
    outputs = load_run(cifar).predict(TEST.pixels[[0, 7]])
    for each, path, expected in zip(about["pictures"], paths, outputs, strict=True):
        assert each["picture"] == str(path)
        assert list(each["probabilities"]) == list(NAMES)
        assert [*each["probabilities"].values()] == pytest.approx(expected, abs=1e-6)
        assert each["prediction"] == NAMES[expected.argmax()]


def test_the_table_has_the_three_likeliest_and_stderr_what_was_changed(cifar: Path, tmp_path: Path) -> None:
    large = picture(tmp_path / "large.png", size=96)
    done = cifarmlp("predict", cifar, large)
    assert done.err == f"{large}: 96 x 96 pixels, resized to 32 x 32\n"
    header, _, row = done.out.splitlines()
    assert header.split() == ["picture", "class", "probability", "second", "third"]
    shares = [float(word) for word in row.split()[2::2]]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 3
    assert cifarmlp("predict", cifar, large, "--quiet").err == ""


def test_after_hinge_they_are_scores(tmp_path: Path) -> None:
    run = tiny.trained(tmp_path, "net", "training.steps=5", "training.loss=hinge")
    assert "score" in cifarmlp("predict", run, picture(tmp_path / "a.png")).out.split()
    assert "scores" in cifarmlp("predict", run, tmp_path / "a.png", "--json").json["pictures"][0]


def test_a_run_is_found_by_its_name_and_a_seed_and_a_snapshot_by_theirs(
    trained: Path, measured: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs").symlink_to(trained)
    picture(tmp_path / "a.png")
    snapshot = min(measured.glob("kept-001/snapshot-*.npz"))
    for words in (["eps-001"], ["plain-001", "--seed", 2], [snapshot]):
        assert cifarmlp("predict", *words, "a.png", "--json", cwd=tmp_path).json["pictures"]


# Parts of the data


def test_a_part_comes_as_csv_of_label_prediction_and_probabilities(trained: Path) -> None:
    done = cifarmlp("predict", trained / "eps-001", "--part", "test")
    rows = list(csv.DictReader(done.out.splitlines()))
    outputs, names = load_run(trained / "eps-001").predict(TEST.pixels), tiny.dataset().names
    assert [row["image"] for row in rows] == [str(n) for n in range(len(TEST))]
    assert [row["label"] for row in rows] == [names[label] for label in TEST.labels]
    assert [row["prediction"] for row in rows] == [names[k] for k in outputs.argmax(axis=1)]
    found = np.array([[row[name] for name in names] for row in rows], np.float32)
    assert np.array_equal(found, outputs)  # all digits
    accuracy = np.mean([row["label"] == row["prediction"] for row in rows])
    assert accuracy == pytest.approx(result(trained / "eps-001")["test"]["accuracy"])


@pytest.mark.parametrize(("part", "n"), [("train", 300), ("validation", 100)])
def test_other_parts_and_json_have_the_same_form(part: str, n: int, trained: Path) -> None:
    about = cifarmlp("predict", trained / "eps-001", "--part", part, "--json").json
    assert (about["part"], len(about["images"])) == (part, n)
    assert {"image", "label", "prediction", "probabilities"} == {*about["images"][0]}


def test_nothing_is_ever_downloaded(cifar: Path, tmp_path: Path) -> None:
    with mock.patch("helpers.tiny.dataset", wraps=tiny.dataset) as load:
        cifarmlp("predict", cifar, "--part", "test")
    assert [call.kwargs.get("download", False) for call in load.call_args_list] == [False]


# Sheets


def sheet_words(run: Path, *words: object) -> tuple[Done, Any]:
    """What a command prints, and the words and colours that its sheet is drawn with."""
    with mock.patch("cifarmlp.runs.prediction.draw_images") as draw:
        draw.return_value = tiny.Figure()
        done = cifarmlp("predict", run, *words)
    return done, draw.call_args


def test_a_sheet_tells_right_from_wrong(trained: Path, tmp_path: Path) -> None:
    done, call = sheet_words(trained / "eps-001", "--part", "test", "--sheet", tmp_path / "sheet.png")
    assert done.err == f"{tmp_path / 'sheet.png'}\n"
    pixels, words, title, colours = call.args
    assert (len(pixels), len(words)) == (50, 50)
    assert "the first 50 of 100 test images" in title
    for word, colour in zip(words, colours, strict=True):
        assert colour == ("#b3400e" if "→" in word else "#1f5fa8")
    assert len(set(colours)) == 2


def test_a_sheet_of_pictures_has_their_names(cifar: Path, tmp_path: Path) -> None:
    odd = picture(tmp_path / "$x$ 猫 with a very long name.png")
    done = cifarmlp("predict", cifar, odd, "--sheet", tmp_path / "sheet.png", "--quiet")
    assert (done.code, done.err) == (0, "")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size[0] > 1000
    _, call = sheet_words(cifar, odd, "--sheet", tmp_path / "sheet.png")
    assert call.args[1][0].startswith("$x$ 猫 with a very…\n")


# Refusals


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["eps-001"], 2, "give pictures after the run, or --part"),
        (["eps-001", "a.png", "--part", "test"], 2, "pictures or --part, not both"),
        (["eps-001", "none.png"], 3, "none.png: cannot be read"),
        (["eps-001", "a.png", "text.png"], 3, "text.png: not a picture"),
        (["plain-001", "a.png"], 2, "has seeds 1, 2, 3; choose one with --seed"),
        (["lost-001", "a.png", "--seed", "1"], 2, "diverged"),
        (["none-001", "a.png"], 4, "no such folder"),
        (["eps-001", "a.png", "--sheet", "a.jpg"], 2, "ends in .png"),
        (["eps-001", "a.png", "--sheet", "a.png"], 2, "exists already"),
        (["eps-001", "a.png", "--sheet", "none/sheet.png"], 4, "cannot be written"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(
    words: list[str], code: int, reason: str, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs").symlink_to(trained)
    picture(tmp_path / "a.png")
    (tmp_path / "text.png").write_text("text")
    done = cifarmlp("predict", *words, cwd=tmp_path)
    assert done.code == code, done
    assert reason in done.err
    assert len(done.err.splitlines()) == 1
