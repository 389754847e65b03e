"""`cifarmlp evaluate --ensemble`: the mean of the probabilities of several models."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from helpers.run_folders import cifarmlp, result

from cifarmlp.errors import ConfigError
from cifarmlp.runs.ensemble import Ensemble, evaluate_ensemble
from cifarmlp.runs.folder import load_run


def ensemble(
    *paths: Path, part: str = "test", seed: int | None = None, mirror: bool = False, shift: int = 0
) -> Ensemble:
    return evaluate_ensemble(paths, lambda config: tiny.dataset(), part, seed, mirror, shift)


def test_it_averages_the_probabilities_of_all_models(trained: Path) -> None:
    folders = [trained / "eps-001", *(trained / "plain-001" / f"seed-{n}" for n in (1, 2, 3))]
    found, test = ensemble(trained / "eps-001", trained / "plain-001"), tiny.dataset().test
    mean = np.mean([load_run(folder).predict(test.pixels) for folder in folders], axis=0)
    np.testing.assert_allclose(found.probabilities(), mean, rtol=1e-5)
    metrics = found.metrics()
    assert metrics["accuracy"] == np.mean(mean.argmax(axis=1) == test.labels)
    assert metrics["loss"] == pytest.approx(-np.log(mean[np.arange(100), test.labels]).mean(), rel=1e-5)
    assert np.trace(found.confusion()) == pytest.approx(100 * metrics["accuracy"])


def test_each_members_accuracy_stands_beside_that_of_all(trained: Path) -> None:
    done = cifarmlp("evaluate", trained / "normal-001", trained / "linear-001", "--ensemble")
    assert (done.code, done.err) == (0, "")
    header, _, *members, together = [line.split() for line in done.out.split("\n\n")[0].splitlines()]
    assert header == ["test", "loss", "accuracy", "macro", "F1"]
    folders = [trained / "normal-001/seed-2", trained / "normal-001/seed-3", trained / "linear-001"]
    for member, folder in zip(members, folders, strict=True):
        there = result(folder)["test"]
        assert member == [str(folder), *(f"{there[name]:.4f}" for name in ("loss", "accuracy", "f1"))]
    assert together[:3] == ["ensemble", "of", "3"]
    found = cifarmlp("evaluate", trained / "normal-001", trained / "linear-001", "--ensemble", "--json").json
    assert f"{found['ensemble']['accuracy']:.4f}" == together[4]
    assert [each["seed"] for each in found["members"]] == [2, 3, 1]
    assert found["images"] == np.sum(found["ensemble"]["confusion"]) == 100


def test_two_copies_of_a_network_are_that_network(trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained / "eps-001", tmp_path / "copy"))
    metrics, there = ensemble(trained / "eps-001", copy).metrics(), result(copy)["test"]
    assert metrics == pytest.approx({name: there[name] for name in metrics}, rel=1e-5)


@pytest.mark.parametrize("loss", ["{label_smoothing: 0.3}", "binary_cross_entropy", "hinge"])
def test_its_loss_is_that_of_the_members(loss: str, tmp_path: Path) -> None:
    first = tiny.trained(tmp_path, "first", f"training.loss={loss}", "data.label_noise=0.5")
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    metrics, there = ensemble(first, copy).metrics(), result(copy)["test"]
    assert metrics == pytest.approx({name: there[name] for name in metrics}, rel=1e-5)
    said = cifarmlp("evaluate", first, copy, "--ensemble").out.splitlines()[-1]
    assert said.endswith("the mean of the scores" if loss == "hinge" else "the mean of the probabilities")


def test_of_different_label_smoothing_the_loss_is_without(trained: Path, tmp_path: Path) -> None:
    smooth = tiny.trained(tmp_path, "smooth", "training.loss={label_smoothing: 0.3}")
    found, labels = ensemble(smooth, trained / "eps-001"), tiny.dataset().test.labels
    of_label = found.probabilities()[np.arange(100), labels]
    assert found.metrics()["loss"] == pytest.approx(-np.log(of_label).mean())


def test_scores_and_probabilities_have_no_mean(trained: Path, tmp_path: Path) -> None:
    other = tiny.trained(tmp_path, "other", "training.loss=hinge")
    done = cifarmlp("evaluate", trained / "eps-001", other, "--ensemble")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: {other}: its outputs are those of hinge, and {trained / 'eps-001'} has cross_entropy; "
        "an ensemble is of runs with one training.loss\n"
    )


def test_one_seed_of_each_and_another_part(trained: Path) -> None:
    found = ensemble(trained / "plain-001", trained / "normal-001", part="validation", seed=2)
    assert [member.seed.config.seed for member in found.members] == [2, 2]
    assert len(found.members[0].images) == 100


@pytest.mark.filterwarnings("ignore")
def test_with_mirror_each_model_is_a_second_member_on_the_mirror_images(trained: Path) -> None:
    test = tiny.dataset().test
    mirrored = test.pixels.reshape(-1, 3, 32, 32)[..., ::-1].reshape(-1, 3072)
    run = load_run(trained / "eps-001")
    views = [run.predict(test.pixels), run.predict(mirrored)]
    found = ensemble(trained / "eps-001", mirror=True)
    np.testing.assert_allclose(found.probabilities(), np.mean(views, axis=0), rtol=1e-5)
    accuracies = [np.mean(view.argmax(axis=1) == test.labels) for view in views]
    assert [member.metrics["accuracy"] for member in found.members] == pytest.approx(accuracies)
    assert [member.view.mirrored for member in found.members] == [False, True]


def test_views_without_ensemble_are_of_the_model_and_not_of_its_snapshots(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "kept", "training.keep=best", "training.snapshots=true")
    alone = cifarmlp("evaluate", folder, "--mirror", "--json").json["members"]
    model = cifarmlp("evaluate", folder, "--json").json
    assert len(alone) == 2
    assert alone[0]["accuracy"] == model["metrics"]["accuracy"]["mean"]
    together = cifarmlp("evaluate", folder, "--mirror", "--ensemble", "--json").json["members"]
    assert [member["mirrored"] for member in together] == [False, True] * (len(together) // 2)
    assert all("snapshot" in member["run"] for member in together)


def test_mirror_alone_prints_both_views_of_a_run(trained: Path) -> None:
    done = cifarmlp("evaluate", trained / "eps-001", "--mirror")
    assert f"{trained / 'eps-001'}, mirrored" in done.out
    assert "ensemble of 2" in done.out
    found = cifarmlp("evaluate", trained / "eps-001", "--mirror", "--json").json
    assert [member["mirrored"] for member in found["members"]] == [False, True]


@pytest.mark.filterwarnings("ignore")
def test_with_shift_each_model_sees_the_images_moved(trained: Path) -> None:
    test = tiny.dataset().test
    run = load_run(trained / "eps-001")
    with np.load(trained / "eps-001" / "model.npz") as model:
        blank = model["pixel_mean"].round().astype(np.uint8).reshape(3, 32, 32)
    right, up = (np.tile(blank, (len(test), 1, 1, 1)) for _ in range(2))
    square = test.pixels.reshape(-1, 3, 32, 32)
    right[..., 1:], up[..., :-1, :] = square[..., :-1], square[..., 1:, :]
    found = ensemble(trained / "eps-001", shift=1)
    views = {str(member.view): member.probabilities for member in found.members}
    assert [*views] == ["", "up 1", "left 1", "right 1", "down 1"]
    for name, seen in (("", square), ("right 1", right), ("up 1", up)):
        np.testing.assert_allclose(views[name], run.predict(seen.reshape(-1, 3072)), rtol=1e-5)
    np.testing.assert_allclose(found.probabilities(), np.mean([*views.values()], axis=0, dtype=np.float64))
    both = ensemble(trained / "eps-001", shift=2, mirror=True)
    assert len({str(member.view) for member in both.members}) == 26


def test_shift_names_the_moves_of_a_run(trained: Path) -> None:
    done = cifarmlp("evaluate", trained / "eps-001", "--shift", 1, "--mirror")
    assert f"{trained / 'eps-001'}, down 1, mirrored" in done.out
    assert "ensemble of 10" in done.out
    members = cifarmlp("evaluate", trained / "eps-001", "--shift", 1, "--json").json["members"]
    assert [(member["down"], member["right"]) for member in members][:2] == [(0, 0), (-1, 0)]


def test_a_training_with_snapshots_is_an_ensemble_of_them(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "snap", "training.snapshots=true")
    first, last = sorted(folder.glob("snapshot-*.npz"), key=lambda path: int(path.stem.split("-")[1]))
    found = ensemble(folder)
    assert [member.seed.model_file for member in found.members] == [first.name, last.name]
    together = ensemble(first, last)
    np.testing.assert_array_equal(found.probabilities(), together.probabilities())
    assert not np.array_equal(*(member.probabilities for member in found.members))
    with pytest.raises(ConfigError, match=f"{first.name}: given twice"):
        ensemble(folder, first)


def change_environment(folder: Path, **changes: Any) -> None:
    path = folder / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def other_checksum(folder: Path) -> None:
    change_environment(folder, data={"sha256": "another", "source": "cifar10", "official": False})


def other_split(folder: Path) -> None:
    change_environment(folder, config=None)
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("validation: 100", "validation: 90"))


@pytest.mark.parametrize(
    ("change", "part", "fault"),
    [
        (other_checksum, "test", "trained on other images than"),
        (other_split, "validation", "its validation images are not those of"),
    ],
)
def test_runs_of_different_images_are_refused(
    change: Callable[[Path], None], part: str, fault: str, trained: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(trained / "eps-001", tmp_path / "other"))
    change(other)
    done = cifarmlp("evaluate", trained / "linear-001", other, "--ensemble", "--part", part)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {other}: {fault}")
    assert done.err.count("\n") == 1


@pytest.mark.filterwarnings("ignore:.*diverged; left out")
@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["eps-001"], "an ensemble of 1: give --ensemble two models or more, --mirror or --shift"),
        (
            ["eps-001", "lost-001"],
            "an ensemble of 1: give --ensemble two models or more, --mirror or --shift",
        ),
        (["eps-001", "eps-001"], "given twice; once is enough"),
        (["plain-001", "plain-001/seed-2"], "given twice; once is enough"),
    ],
)
def test_an_ensemble_is_of_two_models_or_more(names: list[str], fault: str, trained: Path) -> None:
    done = cifarmlp("evaluate", *(trained / name for name in names), "--ensemble")
    assert (done.code, done.out) == (2, "")
    assert fault in done.err


def test_what_diverged_is_left_out_with_a_warning(trained: Path) -> None:
    with pytest.warns(UserWarning, match="diverged; left out of the ensemble"):
        assert len(ensemble(trained / "normal-001", trained / "lost-001").members) == 2
