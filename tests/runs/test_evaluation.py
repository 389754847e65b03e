"""`cifarmlp evaluate`: the numbers of the training again, class by class, and pictures of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny
from helpers.command import Done
from helpers.run_folders import PARTS, cifarmlp, result
from matplotlib.figure import Figure
from matplotlib.image import imread

from cifarmlp import api, data
from cifarmlp.render.evaluation import draw_confusion
from cifarmlp.runs import evaluation
from cifarmlp.runs.folder import load_run
from cifarmlp.training.outcome import QUANTITIES


@pytest.fixture(scope="module")
def out(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs, with room for pictures."""
    return Path(shutil.copytree(trained, tmp_path_factory.mktemp("evaluation") / "runs"))


@pytest.fixture(scope="module")
def done(out: Path) -> Done:
    """The evaluation of eps-001."""
    return cifarmlp("evaluate", out / "eps-001")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time that the pictures take."""
    monkeypatch.setattr(evaluation, "draw_report", lambda report: [])


def report(folder: Path, part: str = "test", images: data.Dataset | None = None) -> evaluation.Report:
    return evaluation.evaluate(folder, load_run(folder).seeds, images or tiny.dataset(), part)


def predictions(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the test images, and their labels."""
    test = tiny.dataset().test
    return load_run(folder).predict(test.pixels), test.labels


# Numbers


@pytest.mark.parametrize("name", ["eps-001", "plain-001/seed-1", "linear-001", "normal-001/seed-2"])
@pytest.mark.parametrize("part", PARTS)
def test_the_numbers_are_those_of_the_training(trained: Path, name: str, part: str) -> None:
    there = result(trained / name)[part]
    metrics = report(trained / name, part).metrics()
    assert list(metrics) == [*QUANTITIES, "f1"]
    for quantity in metrics if part == "test" else QUANTITIES:
        assert metrics[quantity]["mean"] == pytest.approx(there[quantity], rel=1e-6)


def test_a_drawn_split_is_drawn_again_and_labels_are_clean(tmp_path: Path) -> None:
    settings = ["data.validation_from=stratified", "data.label_noise=0.5", "data.test_images=70", "seed=5"]
    folder = tiny.trained(tmp_path, "drawn", *settings, "training.steps=60")
    there = result(folder)
    for part in ("validation", "test"):
        accuracy = report(folder, part).metrics()["accuracy"]["mean"]
        assert accuracy == pytest.approx(there[part]["accuracy"], rel=1e-6)
    (one,) = report(folder, "test").evaluations
    assert len(one.images) == 70
    train = tiny.dataset().train
    clean = {image.tobytes(): label for image, label in zip(train.pixels, train.labels, strict=True)}
    (one,) = report(folder, "train").evaluations
    assert [clean[image.tobytes()] for image in one.images.pixels] == one.images.labels.tolist()
    assert one.metrics["loss"] != pytest.approx(there["train"]["loss"], rel=1e-5), "there, of noisy labels"


def test_they_are_printed(out: Path, done: Done) -> None:
    there = result(out / "eps-001")["test"]
    assert done.code == 0
    assert done.out.splitlines()[2].split() == ["test", *(f"{there[q]:.4f}" for q in (*QUANTITIES, "f1"))]
    assert "100 images" in done.out


@pytest.mark.usefixtures("undrawn")
def test_confusions_are_counted_by_true_and_predicted_class(out: Path) -> None:
    probabilities, labels = predictions(out / "eps-001")
    predicted = probabilities.argmax(axis=1)
    counts = [[int(np.sum((labels == i) & (predicted == j))) for j in range(10)] for i in range(10)]
    found = cifarmlp("evaluate", out / "eps-001", "--json").json
    assert found["confusion"] == counts
    assert [c["images"] for c in found["classes"]] == np.bincount(labels, minlength=10).tolist()
    for k, each in enumerate(found["classes"]):
        assert each["accuracy"]["mean"] == pytest.approx(np.mean(predicted[labels == k] == k))
    assert [each["name"] for each in found["classes"]] == list("abcdefghij")


@pytest.mark.usefixtures("undrawn")
def test_the_scores_of_each_class_are_those_of_the_training(out: Path) -> None:
    there = result(out / "eps-001")["test"]
    found = cifarmlp("evaluate", out / "eps-001", "--json").json
    for name in ("precision", "recall"):
        assert [each.get(name, each["accuracy"])["mean"] for each in found["classes"]] == there[name]
    f1 = [each["f1"]["mean"] for each in found["classes"]]
    assert found["metrics"]["f1"]["mean"] == there["f1"] == pytest.approx(np.mean(f1))
    shown = cifarmlp("evaluate", out / "eps-001").out.partition("F1\n")[2].splitlines()
    assert "accuracy (recall)    precision      F1" in "\n".join(shown)
    first = found["classes"][0]
    values = [f"{first[name]['mean']:.4f}" for name in ("recall", "precision", "f1")]
    assert ["a", f"{first['images']}", *values] in [line.split() for line in shown]


@pytest.mark.usefixtures("undrawn")
def test_several_runs_are_evaluated_one_after_the_other(out: Path) -> None:
    runs = [out / "eps-001", out / "linear-001"]
    lines = cifarmlp("evaluate", *runs).out.splitlines()
    assert lines.index(str(runs[0])) == 0 < lines.index(str(runs[1]))
    both = cifarmlp("evaluate", *runs, "--json").json
    assert [each["run"] for each in both] == [str(run) for run in runs]
    assert both[1] == cifarmlp("evaluate", runs[1], "--json").json


def test_rows_are_true_and_columns_predicted_classes(out: Path, done: Done) -> None:
    lines = done.out.partition("rows) and predicted class (columns)")[2].splitlines()[1:13]
    assert lines[0].split() == list("abcdefghij")
    table = [[int(word) for word in line.split()[1:]] for line in lines[2:]]
    assert np.array_equal(table, report(out / "eps-001").confusion())


def test_the_most_confused_pairs_come_first(trained: Path) -> None:
    found = report(trained / "eps-001")
    counts = found.confusion()
    np.fill_diagonal(counts, 0)
    pairs = found.most_confused(most=100)
    assert len(pairs) == np.count_nonzero(counts)
    assert [pair["count"] for pair in pairs] == sorted(counts[counts > 0], reverse=True)
    worst = "abcdefghij".index(pairs[0]["true"]), "abcdefghij".index(pairs[0]["predicted"])
    assert counts[worst] == counts.max()
    assert pairs[0]["share"] == pytest.approx(counts.max() / found.confusion()[worst[0]].sum())


def test_the_most_confident_mistakes_come_first(trained: Path) -> None:
    probabilities, labels = predictions(trained / "eps-001")
    confidence = np.where(probabilities.argmax(axis=1) == labels, 0, probabilities.max(axis=1))
    (one,) = report(trained / "eps-001").evaluations
    assert confidence[one.mistakes(most=7)] == pytest.approx(np.sort(confidence)[::-1][:7])
    assert np.array_equal(one.probabilities, probabilities)


def test_of_a_repeated_training_all_seeds_count(out: Path) -> None:
    results = [result(out / "normal-001" / f"seed-{seed}")["test"] for seed in (2, 3)]
    done = cifarmlp("evaluate", out / "normal-001")
    for quantity in ("cost", "loss", "accuracy"):
        numbers = [each[quantity] for each in results]
        assert f"{np.mean(numbers):.4f} ± {np.std(numbers, ddof=1):.4f}" in done.out
    found = report(out / "normal-001")
    assert np.trace(found.confusion()) == pytest.approx(100 * np.mean([r["accuracy"] for r in results]))
    assert sorted(path.name for path in (out / "normal-001").glob("*.png")) == ["confusion.png"]


def test_one_seed_of_a_repeated_training_can_be_chosen(out: Path) -> None:
    done = cifarmlp("evaluate", out / "plain-001", "--seed", 2)
    accuracy = result(out / "plain-001" / "seed-2")["test"]["accuracy"]
    assert f"{accuracy:.4f}" in done.out.splitlines()[2]
    assert (out / "plain-001" / "seed-2" / "weights.png").exists()
    assert cifarmlp("evaluate", out / "plain-001", "--seed", 4).code == 2
    assert cifarmlp("evaluate", out / "eps-001", "--seed", 3).code == 2


@pytest.mark.usefixtures("undrawn")
def test_the_path_of_a_model_is_its_run(out: Path, done: Done) -> None:
    lines = cifarmlp("evaluate", out / "eps-001" / "model.npz").out.splitlines()
    assert lines[:9] == done.out.splitlines()[:9]


def test_what_diverged_is_a_result(out: Path) -> None:
    done = cifarmlp("evaluate", out / "lost-001")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[2].split() == ["test", "-", "-", "-", "-"]
    assert "seed 1: diverged" in done.out
    assert not list((out / "lost-001").glob("*.png"))
    assert cifarmlp("evaluate", out / "lost-001", "--json").json["metrics"]["loss"]["mean"] is None


def test_an_untrained_network_can_be_evaluated(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "untrained", "training.steps=0")
    found = report(folder).metrics()
    assert found["loss"]["mean"] == pytest.approx(result(folder)["test"]["loss"], rel=1e-6)


def test_classes_that_a_part_has_no_images_of_have_no_accuracy(trained: Path) -> None:
    images = tiny.dataset().test
    few = data.Images(images.pixels[images.labels < 9], images.labels[images.labels < 9])
    found = report(trained / "eps-001", images=data.Dataset(**{**vars(tiny.dataset()), "test": few}))
    assert np.isnan(found.classes()[9]["accuracy"]["mean"])
    draw_confusion(found.confusion(), found.names, "a title").draw_without_rendering()


@pytest.mark.usefixtures("undrawn")
def test_a_model_without_a_result_is_evaluated(run: Path) -> None:
    accuracy = result(run)["test"]["accuracy"]
    (run / "result.json").unlink()
    assert f"{accuracy:.4f}" in cifarmlp("evaluate", run).out


@pytest.mark.usefixtures("undrawn")
def test_a_seed_that_has_not_ended_is_left_out(copy: Path) -> None:
    shutil.rmtree(copy / "normal-001" / "seed-3")
    found = cifarmlp("evaluate", copy / "normal-001", "--json").json
    assert [each["seed"] for each in found["results"]] == [2]


@pytest.mark.usefixtures("undrawn")
def test_other_images_are_told(run: Path) -> None:
    values = json.loads((run / "environment.json").read_text())
    values["data"]["sha256"] = "0" * 64
    (run / "environment.json").write_text(json.dumps(values))
    done = cifarmlp("evaluate", run)
    assert done.code == 0
    assert "other images" in done.err


def test_a_search_is_refused(run: Path) -> None:
    (run / "search.json").write_text("{}")
    done = cifarmlp("evaluate", run)
    assert (done.code, "folder of a search" in done.err) == (2, True)


# Pictures


def test_pictures_are_beside_the_run(out: Path, done: Done) -> None:
    for name in ("confusion", "weights", "mistakes"):
        path = out / "eps-001" / f"{name}.png"
        assert str(path) in done.out
        assert imread(path).shape[2] == 4


def test_pictures_of_other_parts_have_other_names(run: Path) -> None:
    assert cifarmlp("evaluate", run, "--part", "validation").code == 0
    names = {path.name for path in run.glob("*.png")}
    assert names == {"confusion-validation.png", "mistakes-validation.png", "weights.png"}


def test_a_folder_that_cannot_be_written_is_told_after_the_numbers(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    done = cifarmlp("evaluate", run)
    assert done.code == 0
    assert "cannot be written: No space left" in done.err
    assert "most confused" in done.out
    assert not list(run.glob(".*.tmp"))


# Snapshots, and parts that are not there


@pytest.mark.usefixtures("undrawn")
def test_a_snapshot_is_evaluated_by_its_path(measured: Path) -> None:
    last = cifarmlp("evaluate", measured / "kept-001" / "snapshot-80.npz", "--json").json
    first = cifarmlp("evaluate", measured / "kept-001" / "snapshot-40.npz", "--json").json
    assert last["results"][0]["accuracy"] != first["results"][0]["accuracy"]
    (seed,) = load_run(measured / "kept-001" / "snapshot-40.npz").seeds
    right = seed.predict(tiny.dataset().test.pixels).argmax(axis=1) == tiny.dataset().test.labels
    assert first["results"][0]["accuracy"] == pytest.approx(right.mean())


def test_a_run_of_a_snapshot_is_evaluated_with_that_model(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.data.load", tiny.dataset)
    loaded = api.load_run(measured / "kept-001" / "snapshot-40.npz")
    first, last = (api.evaluate(run).metrics() for run in (loaded, measured / "kept-001" / "snapshot-80.npz"))
    right = loaded.predict(tiny.dataset().test.pixels).argmax(axis=1) == tiny.dataset().test.labels
    assert first["accuracy"]["mean"] == pytest.approx(right.mean()) != last["accuracy"]["mean"]


def test_a_snapshot_that_was_changed_is_refused(measured: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(measured / "kept-001", tmp_path / "kept-001"))
    shutil.copy(run / "snapshot-80.npz", run / "snapshot-40.npz")
    shutil.copy(run / "snapshot-80.npz", run / "snapshot-60.npz")
    for step in (40, 60):
        done = cifarmlp("evaluate", run / f"snapshot-{step}.npz")
        assert done.code == 4
        assert f"snapshot-{step}.npz: is not what was trained" in done.err
    assert cifarmlp("evaluate", run / "snapshot-99.npz").code == 4


def test_the_model_of_the_best_step_has_the_numbers_of_the_result(measured: Path) -> None:
    there = result(measured / "kept-001")["test"]
    for quantity, statistics in report(measured / "kept-001").metrics().items():
        assert statistics["mean"] == pytest.approx(there[quantity], rel=1e-6)


def test_without_validation_images_they_cannot_be_evaluated(measured: Path) -> None:
    done = cifarmlp("evaluate", measured / "bare-001", "--part", "validation")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "has no validation images" in done.err


@pytest.mark.parametrize(("loss", "number"), [("hinge", "score"), ("cross_entropy", "probability")])
def test_the_number_of_a_mistake_is_called_what_it_is(
    loss: str, number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = []
    monkeypatch.setattr(
        "cifarmlp.runs.evaluation.draw_images",
        lambda pixels, words, title: titles.append(title) or tiny.Figure(),
    )
    folder = tiny.trained(tmp_path, "run", f"training.loss={loss}")
    assert cifarmlp("evaluate", folder).code == 0
    assert titles == [f"run, seed 1, test images: true → predicted class, and its {number}"]


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_config_that_has_changed_since_the_training_is_refused(
    trained: Path, tmp_path: Path, command: str
) -> None:
    folder = Path(shutil.copytree(trained / "eps-001", tmp_path / "eps-001"))
    file = folder / "config.yaml"
    file.write_text(file.read_text().replace("lambda: ", "lambda: 1"))
    found = cifarmlp(command, folder, "--part", "test")
    assert (found.code, found.out) == (4, "")
    assert found.err == (
        f"error: {folder}: its config.yaml has changed since it was begun; "
        "put it back, or train it as a new one\n"
    )
    assert load_run(folder).seeds[0].faults()[-1].startswith("its config.yaml has changed")


def test_another_name_is_no_other_config(trained: Path, tmp_path: Path, undrawn: None) -> None:
    folder = Path(shutil.copytree(trained / "eps-001", tmp_path / "eps-001"))
    file = folder / "config.yaml"
    file.write_text("# mine\n" + file.read_text().replace("name: eps", "name: mine"))
    assert cifarmlp("evaluate", folder).out
