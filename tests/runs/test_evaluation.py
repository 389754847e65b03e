"""`cifarmlp evaluate`: the numbers of the training again, class by class, from a model not trusted."""

import io
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import command, tiny
from helpers.command import Done
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.special import softmax

from cifarmlp import data
from cifarmlp.files import sha256
from cifarmlp.render import evaluation as pictures
from cifarmlp.runs import evaluation
from cifarmlp.runs import folder as folder_

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)

LOST = "training.schedule={kind: constant, eta: 1.0e+30, epochs: 2}"
NO_PICTURES = shutil.ignore_patterns("*.png")
PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """normal-001, plain-001, linear-001 and lost-001, of one seed each, and twice-001, of seeds 1 and 2."""
    place = tmp_path_factory.mktemp("evaluation") / "runs"
    tiny.trained(place, "normal", "network.batch_norm={eps: 0.01}")
    tiny.trained(place, "plain", "network.batch_norm=false")
    tiny.trained(place, "linear", "network.hidden=[]")
    tiny.trained(place, "lost", LOST, "network.batch_norm=false")
    tiny.trained(place, "twice", seeds=2)
    return place


@pytest.fixture(scope="module")
def done(out: Path) -> Done:
    """The evaluation of normal-001."""
    return cifarmlp("evaluate", out / "normal-001")


@pytest.fixture
def run(out: Path, tmp_path: Path) -> Path:
    """A copy of normal-001, to do harm to."""
    return Path(shutil.copytree(out / "normal-001", tmp_path / "normal-001", ignore=NO_PICTURES))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time that the pictures take."""
    monkeypatch.setattr(evaluation, "draw_report", lambda report: [])


def result(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text())


def report(folder: Path, part: str = "test") -> evaluation.Report:
    return evaluation.evaluate(folder, list(folder_.load_run(folder).seeds), tiny.dataset(), part)


def expected(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of the test images, by the documented layout of model.npz alone."""
    test = tiny.dataset().test
    with np.load(folder / "model.npz", allow_pickle=False) as model:
        x = (test.pixels - model["pixel_mean"]) / model["pixel_std"]
        for n in (1, 2):
            s = x @ model[f"W{n}"]
            x_hat = (s - model[f"mean{n}"]) / np.sqrt(model[f"var{n}"] + 0.01)
            x = np.maximum(model[f"gamma{n}"] * x_hat + model[f"beta{n}"], 0)
        return softmax(x @ model["W3"] + model["b3"], axis=1), test.labels


# Numbers


@pytest.mark.parametrize("name", ["normal-001", "plain-001", "linear-001", "twice-001/seed-2"])
@pytest.mark.parametrize("part", PARTS)
def test_the_numbers_are_those_of_the_training(out: Path, name: str, part: str) -> None:
    there = result(out / name)[part]
    for quantity, statistics in report(out / name, part).metrics().items():
        assert statistics["mean"] == pytest.approx(there[quantity], rel=1e-6)


def test_they_are_printed(out: Path, done: Done) -> None:
    there = result(out / "normal-001")["test"]
    assert done.code == 0
    assert done.out.splitlines()[2].split() == ["test", *(f"{there[q]:.4f}" for q in there)]
    assert "100 images" in done.out


@pytest.mark.usefixtures("undrawn")
def test_confusions_are_those_of_the_documented_model(out: Path) -> None:
    probabilities, labels = expected(out / "normal-001")
    predicted = probabilities.argmax(axis=1)
    counts = [[int(np.sum((labels == i) & (predicted == j))) for j in range(10)] for i in range(10)]
    found = cifarmlp("evaluate", out / "normal-001", "--json").json
    assert found["confusion"] == counts
    assert [c["images"] for c in found["classes"]] == np.bincount(labels, minlength=10).tolist()
    for k, each in enumerate(found["classes"]):
        assert each["accuracy"]["mean"] == pytest.approx(np.mean(predicted[labels == k] == k))
    assert [each["name"] for each in found["classes"]] == list("abcdefghij")


def test_rows_are_true_and_columns_predicted_classes(out: Path, done: Done) -> None:
    lines = done.out.partition("rows) and predicted class (columns)")[2].splitlines()[1:13]
    assert lines[0].split() == list("abcdefghij")
    table = [[int(word) for word in line.split()[1:]] for line in lines[2:]]
    assert np.array_equal(table, report(out / "normal-001").confusion())


def test_the_most_confused_pairs_come_first(out: Path) -> None:
    found = report(out / "normal-001")
    counts = found.confusion()
    np.fill_diagonal(counts, 0)
    pairs = found.most_confused(most=100)
    assert len(pairs) == np.count_nonzero(counts)
    assert [pair["count"] for pair in pairs] == sorted(counts[counts > 0], reverse=True)
    worst = "abcdefghij".index(pairs[0]["true"]), "abcdefghij".index(pairs[0]["predicted"])
    assert counts[worst] == counts.max()
    assert pairs[0]["share"] == pytest.approx(counts.max() / found.confusion()[worst[0]].sum())


def test_the_most_confident_mistakes_come_first(out: Path) -> None:
    probabilities, labels = expected(out / "normal-001")
    confidence = np.where(probabilities.argmax(axis=1) == labels, 0, probabilities.max(axis=1))
    (one,) = report(out / "normal-001").evaluations
    rows = one.mistakes(most=7)
    assert confidence[rows] == pytest.approx(np.sort(confidence)[::-1][:7], rel=1e-4)
    assert one.probabilities == pytest.approx(probabilities, abs=1e-4)


def test_of_a_repeated_training_all_seeds_count(out: Path) -> None:
    results = [result(out / "twice-001" / f"seed-{seed}")["test"] for seed in (1, 2)]
    done = cifarmlp("evaluate", out / "twice-001")
    for quantity in ("cost", "loss", "accuracy"):
        numbers = [each[quantity] for each in results]
        assert f"{np.mean(numbers):.4f} ± {np.std(numbers, ddof=1):.4f}" in done.out
    found = report(out / "twice-001")
    assert np.trace(found.confusion()) == pytest.approx(100 * np.mean([r["accuracy"] for r in results]))
    assert sorted(path.name for path in (out / "twice-001").glob("*.png")) == ["confusion.png"]


def test_one_seed_of_a_repeated_training_can_be_chosen(out: Path) -> None:
    done = cifarmlp("evaluate", out / "twice-001", "--seed", 2)
    accuracy = result(out / "twice-001" / "seed-2")["test"]["accuracy"]
    assert f"{accuracy:.4f}" in done.out.splitlines()[2]
    assert (out / "twice-001" / "seed-2" / "weights.png").exists()
    assert cifarmlp("evaluate", out / "twice-001", "--seed", 3).code == 2
    assert cifarmlp("evaluate", out / "normal-001", "--seed", 3).code == 2


@pytest.mark.usefixtures("undrawn")
def test_the_path_of_a_model_is_its_run(out: Path, done: Done) -> None:
    assert (
        cifarmlp("evaluate", out / "normal-001" / "model.npz").out.splitlines()[:9]
        == done.out.splitlines()[:9]
    )


def test_what_diverged_is_a_result(out: Path) -> None:
    done = cifarmlp("evaluate", out / "lost-001")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2].split() == ["test", "-", "-", "-"]
    assert "seed 1: diverged" in done.out
    assert not list((out / "lost-001").glob("*.png"))
    assert cifarmlp("evaluate", out / "lost-001", "--json").json["metrics"]["loss"]["mean"] is None


# Pictures


def test_pictures_are_beside_the_run(out: Path, done: Done) -> None:
    for name in ("confusion", "weights", "mistakes"):
        path = out / "normal-001" / f"{name}.png"
        assert str(path) in done.out
        assert imread(path).shape[2] == 4


def test_pictures_of_other_parts_have_other_names(run: Path) -> None:
    assert cifarmlp("evaluate", run, "--part", "validation").code == 0
    names = {path.name for path in run.glob("*.png")}
    assert names == {"confusion-validation.png", "mistakes-validation.png", "weights.png"}


def test_the_confusion_matrix_has_names_and_numbers() -> None:
    counts = np.arange(100.0).reshape(10, 10)
    (panel, bar) = pictures.draw_confusion(counts, list("abcdefghij"), "a title").axes
    assert [text.get_text() for text in panel.texts] == [str(n) for n in range(100)]
    assert panel.texts[1].get_position() == (1, 0)  # column 1, row 0
    for ticks in (panel.get_xticklabels(), panel.get_yticklabels()):
        assert [tick.get_text() for tick in ticks] == list("abcdefghij")
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("predicted class", "true class")
    assert "share" in bar.get_ylabel()
    assert np.allclose(np.asarray(panel.images[0].get_array()).sum(axis=1), 1)


def test_weights_are_pictures_unit_by_unit() -> None:
    W1 = np.zeros((3072, 12), np.float32)
    W1[0, 0], W1[1024 + 33, 11] = 2.0, -0.5
    (panel,) = pictures.draw_weights(W1, (), "a title").axes
    mosaic = np.asarray(panel.images[0].get_array())
    assert mosaic[2, 2].tolist() == [1, 0.5, 0.5]  # unit 1, first pixel, red
    assert mosaic[34 + 3, 34 + 3].tolist() == [0.5, 0, 0.5]  # unit 12: second row, second column, green
    assert np.all(mosaic[40:60, 80:] == 1)  # there is no unit 13
    assert "hidden unit" in panel.get_xlabel()


@pytest.mark.parametrize(("width", "units"), [(1, 1), (50, 50), (1000, 400)])
def test_any_number_of_units_can_be_drawn(width: int, units: int) -> None:
    figure = pictures.draw_weights(np.ones((3072, width), np.float32), (), "a title")
    mosaic = np.asarray(figure.axes[0].images[0].get_array())
    assert np.sum(np.all(mosaic[2::34, 2::34] == 1, axis=2)) >= units
    assert max(figure.get_size_inches()) < 20


def test_a_linear_classifiers_units_are_its_classes(out: Path) -> None:
    (one,) = report(out / "linear-001").evaluations
    figure = pictures.draw_weights(one.W1, list("abcdefghij"), "a title")
    assert [text.get_text() for text in figure.axes[0].texts] == list("abcdefghij")


def test_mistakes_show_the_image_and_what_was_said() -> None:
    pixels = np.zeros((7, 3072), np.uint8)
    pixels[6, 2048] = 200
    figure: Figure = pictures.draw_mistakes(pixels, [f"a → {n}" for n in range(7)], "a title")
    panel = figure.axes[6]
    assert panel.get_title() == "a → 6"
    assert np.asarray(panel.images[0].get_array())[0, 0].tolist() == [0, 0, 200]


def test_a_folder_that_cannot_be_written_is_told_after_the_numbers(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    done = cifarmlp("evaluate", run)
    assert done.code == 4
    assert "cannot be written: No space left" in done.err
    assert "most confused" in done.out
    assert not list(run.glob(".*.tmp"))


# Models that are not what they should be


def refused(folder: Path) -> str:
    """The one line, with exit code 4, that a model is refused with."""
    done = cifarmlp("evaluate", folder)
    assert (done.code, done.out) == (4, ""), done
    assert len(done.err.splitlines()) == 1
    assert not list(folder.glob("*.png"))
    return done.err


def change(run: Path, arrays: dict[str, Any]) -> None:
    """Write another model.npz, of which result.json knows."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (run / "model.npz").write_bytes(buffer.getvalue())
    (run / "result.json").write_text(json.dumps({**result(run), "model_sha256": sha256(buffer.getvalue())}))


def arrays_of(run: Path) -> dict[str, Any]:
    with np.load(run / "model.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_a_changed_model_is_refused(run: Path) -> None:
    content = bytearray((run / "model.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (run / "model.npz").write_bytes(content)
    assert "checksum" in refused(run)


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
@pytest.mark.parametrize("with_result", [True, False])
def test_a_truncated_model_is_refused(run: Path, share: float, with_result: bool) -> None:
    content = (run / "model.npz").read_bytes()
    (run / "model.npz").write_bytes(content[: int(share * len(content))])
    if not with_result:
        (run / "result.json").unlink()
    assert "model.npz" in refused(run)


def test_a_damaged_result_is_refused(run: Path) -> None:
    (run / "result.json").write_text("{")
    assert "result.json" in refused(run)


@pytest.mark.usefixtures("undrawn")
def test_a_model_without_a_result_is_evaluated(run: Path) -> None:
    accuracy = result(run)["test"]["accuracy"]
    (run / "result.json").unlink()
    assert f"{accuracy:.4f}" in cifarmlp("evaluate", run).out


def test_nothing_pickled_is_ever_loaded(run: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (run / "touched",))

    change(run, {**arrays_of(run), "W1": np.array([Evil()], dtype=object)})
    assert "damaged" in refused(run)
    assert not (run / "touched").exists()
    np.save(run / "model.npz.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    (run / "model.npz.npy").replace(run / "model.npz")
    (run / "result.json").unlink()
    assert "damaged" in refused(run)
    assert not (run / "touched").exists()


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("W1", np.zeros((3072, 9), np.float32), "W1 is float32 (3072, 9), not float32 (3072, 8)"),
        ("b3", np.zeros(10), "b3 is float64 (10,)"),
        ("W9", np.zeros(10, np.float32), "W9 is float32 (10,), not there"),
        ("mean1", None, "mean1 is missing"),
        ("pixel_std", None, "pixel_std is missing"),
        ("W2", np.zeros((8, 6), "U3"), "W2"),
    ],
)
def test_a_model_of_another_shape_is_refused(run: Path, name: str, array: Any, told: str) -> None:
    arrays = {**arrays_of(run), name: array}
    change(run, {name: each for name, each in arrays.items() if each is not None})
    assert told in refused(run)


def test_a_model_far_larger_than_its_network_is_not_read(run: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays_of(run), bomb=np.zeros(50_000_000, np.uint8))
    (run / "model.npz").write_bytes(buffer.getvalue())
    (run / "result.json").unlink()
    assert "damaged" in refused(run)


def test_a_changed_config_is_refused(run: Path) -> None:
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("hidden: [8, 6]", "hidden: [8, 7]"))
    assert "does not fit config.yaml" in refused(run)


def test_what_is_no_training_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refused(tmp_path / "none")
    assert "not a run folder" in refused(tmp_path / "empty")
    assert "no such folder" in refused(run / "result.json")
    (run / "model.npz").unlink()
    assert "--resume" in refused(run)
    (run / "search.json").write_text("{}")
    done = cifarmlp("evaluate", run)
    assert (done.code, "folder of a search" in done.err) == (2, True)


@pytest.mark.usefixtures("undrawn")
def test_a_seed_that_has_not_ended_is_left_out(out: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(out / "twice-001", tmp_path / "twice-001"))
    shutil.rmtree(folder / "seed-2")
    found = cifarmlp("evaluate", folder, "--json").json
    assert [each["seed"] for each in found["results"]] == [1]


@pytest.mark.usefixtures("undrawn")
def test_other_images_are_told(run: Path) -> None:
    values = json.loads((run / "environment.json").read_text())
    values["data"]["sha256"] = "0" * 64
    (run / "environment.json").write_text(json.dumps(values))
    done = cifarmlp("evaluate", run)
    assert done.code == 0
    assert "other images" in done.err


def test_an_untrained_network_can_be_evaluated(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "untrained", "training.steps=0")
    found = report(folder).metrics()
    assert found["loss"]["mean"] == pytest.approx(result(folder)["test"]["loss"], rel=1e-6)


def test_classes_that_a_part_has_no_images_of_have_no_accuracy(run: Path) -> None:
    images = tiny.dataset().test
    few = data.Images(images.pixels[images.labels < 9], images.labels[images.labels < 9])
    whole = tiny.dataset()
    part = data.Dataset(**{**vars(whole), "test": few})
    found = evaluation.evaluate(run, list(folder_.load_run(run).seeds), part, "test")
    assert np.isnan(found.classes()[9]["accuracy"]["mean"])
    pictures.draw_confusion(found.confusion(), found.names, "a title").draw_without_rendering()
