"""The keys of evaluation in a run folder: parts of the data, best step, snapshots; resumed to the same."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.runs.folder import load_run
from cifarmlp.training import checkpoint
from cifarmlp.training.loop import Training
from cifarmlp.training.outcome import Outcome, read_recorded
from cifarmlp.training.snapshots import snapshots
from cifarmlp.training.together import train_together

pytestmark = pytest.mark.usefixtures("quick_plots")

DATASET = tiny.dataset()
NO_VALIDATION = "data.validation=0"
LOOKED_AT = "training.evaluate_test=true"
OFTEN = "training.evaluate_every={steps: 7}"
BEST = ("training.keep=best", OFTEN)
KINDS = {
    "best": BEST,
    "patience": ("training.patience=3", OFTEN, "training.evaluate_images=50"),
    "average": ("training.average=0.9", "training.optimiser=momentum"),
    "snapshots": ("training.snapshots=true",),
    "without validation": (NO_VALIDATION, LOOKED_AT),
    "all": (*BEST, "training.patience=12", "training.average=0.95", "training.snapshots=true", LOOKED_AT),
}


def train(
    folder: Path, settings: tuple[str, ...], stop: Callable[[Training], bool] = lambda training: False
) -> Outcome:
    """Train into a folder; the training ends early at the record or in the step in which `stop` is true."""
    folder.mkdir(exist_ok=True)
    seen: list[Training] = []
    return tiny.train_into(
        folder,
        tiny.config(*settings),
        DATASET,
        threads=1,
        watch=lambda training, record: seen.append(training),
        stop=lambda: bool(seen) and stop(seen[-1]),
    )


def contents(folder: Path) -> dict[str, Any]:
    names = ["batch_loss.csv", *(path.name for path in snapshots(folder))]
    return {**tiny.results(folder), **{name: (folder / name).read_bytes() for name in names}}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of an uninterrupted training of a kind."""
    place = tmp_path_factory.mktemp("whole")

    def folder_of(kind: str) -> Path:
        folder = place / kind
        if not folder.exists():
            assert train(folder, KINDS[kind]).status == "finished"
        return folder

    return folder_of


# Resumed


@pytest.mark.usefixtures("at_every_record")
@pytest.mark.parametrize("step", [7, 38, 45])
@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_twice_and_resumed_it_leaves_the_same_bytes(
    kind: str, step: int, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    for at in (step, step + 3):
        part = train(tmp_path, KINDS[kind], stop=lambda training, at=at: training.step >= at)  # type: ignore[misc]
        if part.status == "finished":  # patience ran out before
            break
    train(tmp_path, KINDS[kind])
    assert contents(tmp_path) == contents(whole(kind))


def test_the_checkpoint_of_a_version_without_these_keys_is_gone_on_with(
    tmp_path: Path, whole: Callable[[str], Path]
) -> None:
    plain, old = tmp_path / "plain", tmp_path / "old"
    train(plain, ())
    train(old, (), stop=lambda training: training.step >= 20)
    saved, _ = checkpoint.load(old)
    assert saved is not None
    keys = ("evaluate_test", "keep", "patience", "average", "snapshots")
    lines = [line for line in saved.config.splitlines() if line.strip().partition(":")[0] not in keys]
    assert len(lines) == len(saved.config.splitlines()) - 5
    arrays = {name: array for name, array in saved.arrays.items() if name != "batch_loss"}
    rest = checkpoint.Checkpoint(arrays, saved.rows, saved.seconds, "\n".join(lines), saved.environment)
    checkpoint.save(old, rest)
    train(old, ())
    assert tiny.results(old) == tiny.results(plain)


# Parts of the data


@pytest.mark.parametrize(
    ("settings", "on_the_way", "at_the_end"),
    [
        ((NO_VALIDATION,), {"train"}, {"train", "test"}),
        ((NO_VALIDATION, LOOKED_AT), {"train", "test"}, {"train", "test"}),
        ((LOOKED_AT,), {"train", "validation", "test"}, {"train", "validation", "test"}),
    ],
)
def test_only_what_was_measured_has_columns_and_numbers(
    settings: tuple[str, ...], on_the_way: set[str], at_the_end: set[str], tmp_path: Path
) -> None:
    outcome = train(tmp_path, settings)
    assert {name.partition("_")[0] for name in rows(tmp_path)[0]} == {"step", "epoch", "eta"} | on_the_way
    assert set(outcome.metrics) == at_the_end
    assert {part for part in ("train", "validation", "test") if result(tmp_path)[part]} == at_the_end
    assert "nan" not in (tmp_path / "metrics.csv").read_text()
    for part in on_the_way:
        assert float(rows(tmp_path)[-1][f"{part}_loss"]) == outcome.metric(part, "loss")


def test_chance_level_is_told_by_the_training_images(tmp_path: Path) -> None:
    dead = ("network.init={sigma: 1.0e-30}", "network.batch_norm=false", "training.lambda=0.0")
    assert train(tmp_path, (NO_VALIDATION, *dead)).at_chance


def test_a_population_without_validation_images_has_numbers_of_the_training_images() -> None:
    (outcome,) = train_together([tiny.config(NO_VALIDATION, LOOKED_AT)], DATASET)
    assert set(outcome.metrics) == {"train"}


def test_a_population_honours_the_average() -> None:
    averaged, plain = (train_together([tiny.config(*each)], DATASET)[0] for each in (KINDS["average"], ()))
    assert averaged.metrics["validation"] != plain.metrics["validation"]


def test_records_come_every_so_many_steps(tmp_path: Path) -> None:
    train(tmp_path, ("training.evaluate_every={steps: 30}",))
    assert [row["step"] for row in rows(tmp_path)] == ["0", "30", "60", "80"]


# The best


def test_model_and_numbers_are_those_of_the_best_step(whole: Callable[[str], Path]) -> None:
    folder = whole("best")
    best = max(rows(folder), key=lambda row: float(row["validation_accuracy"]))
    written, run = result(folder), load_run(folder)
    assert written["kept_step"] == int(best["step"]) < written["steps"] == 80
    for part in ("train", "validation"):
        assert written[part]["loss"] == float(best[f"{part}_loss"])
    right = run.predict(DATASET.test.pixels).argmax(axis=1) == DATASET.test.labels
    assert written["test"]["accuracy"] == pytest.approx(right.mean())


def test_the_numbers_of_the_best_step_are_of_all_training_images(tmp_path: Path) -> None:
    outcome = train(tmp_path, (*BEST, "training.evaluate_images=50"))
    at = next(row for row in rows(tmp_path) if row["step"] == str(outcome.kept_step))
    assert outcome.metric("train", "loss") != float(at["train_loss"])
    assert outcome.metric("validation", "loss") == float(at["validation_loss"])


@pytest.mark.parametrize("steps", [1, 7])  # with 1, the step of the divergence has a record of before, too
def test_a_training_that_diverges_keeps_its_best_parameters(steps: int, tmp_path: Path) -> None:
    # eta grows until the loss is not finite
    rates = "training.schedule={kind: cyclic, eta_min: 0.01, eta_max: 1.0e+6, n_s: 40, cycles: 1}"
    every = f"training.evaluate_every={{steps: {steps}}}"
    outcome = train(tmp_path, (BEST[0], every, "network.batch_norm=false", "training.lambda=0.0", rates))
    assert outcome.status == "diverged"
    assert outcome.kept_step is not None
    assert outcome.diverged_at is not None
    assert outcome.kept_step <= outcome.diverged_at
    assert np.isfinite([outcome.metric(part, "loss") for part in ("train", "validation", "test")]).all()


def test_the_best_step_may_be_that_of_the_divergence(tmp_path: Path) -> None:
    rates = "training.schedule={kind: constant, eta: 1.0e+30}"
    outcome = train(tmp_path, ("training.keep=best", "network.batch_norm=false", rates, "training.steps=5"))
    assert (outcome.status, outcome.kept_step) == ("diverged", 0)
    assert outcome.metric("train", "loss") == float(rows(tmp_path)[0]["train_loss"])
    assert np.isfinite(outcome.metric("validation", "loss"))


def test_a_training_whose_patience_ran_out_is_finished_and_says_why(whole: Callable[[str], Path]) -> None:
    written = result(whole("patience"))
    assert written["status"] == "finished"
    assert written["steps"] < 80
    assert written["stopped"].startswith("3 evaluations without a better validation accuracy than 0.")
    accuracies = [float(row["validation_accuracy"]) for row in rows(whole("patience"))]
    assert max(accuracies[-3:]) <= max(accuracies)
    assert accuracies.index(max(accuracies)) == len(accuracies) - 4


# Interrupted


@pytest.mark.parametrize(("step", "measured"), [(7, 0), (15, 0), (20, 15), (33, 30)])
def test_an_interrupted_training_says_which_step_its_numbers_are_of(
    step: int, measured: int, tmp_path: Path
) -> None:
    outcome = train(tmp_path, (), stop=lambda training: training.step >= step)
    assert (outcome.status, outcome.steps) == ("interrupted", step)
    assert outcome.measured_step == measured
    assert read_recorded(tmp_path)[0].measured_step == measured
    assert train(tmp_path, ()).measured_step is None
    assert "measured_step" not in result(tmp_path)


def test_an_interrupted_training_that_keeps_the_best_has_numbers_of_its_model(tmp_path: Path) -> None:
    outcome = train(tmp_path, BEST, stop=lambda training: training.step >= 33)
    assert outcome.status == "interrupted"
    assert outcome.measured_step is None
    at = next(row for row in rows(tmp_path) if row["step"] == str(outcome.kept_step))
    assert outcome.metric("validation", "loss") == float(at["validation_loss"])


# Snapshots


def test_snapshots_are_the_models_of_the_ends_of_cycles(whole: Callable[[str], Path]) -> None:
    folder = whole("snapshots")
    assert [path.name for path in snapshots(folder)] == ["snapshot-40.npz", "snapshot-80.npz"]
    assert (folder / "snapshot-80.npz").read_bytes() == (folder / "model.npz").read_bytes()
    at_40 = next(row for row in rows(folder) if row["step"] == "40")
    (seed,) = load_run(folder / "snapshot-40.npz").seeds
    validation = DATASET.train.pixels[-100:], DATASET.train.labels[-100:]
    right = seed.predict(validation[0]).argmax(axis=1) == validation[1]
    assert float(at_40["validation_accuracy"]) == pytest.approx(right.mean())
    (plain,) = load_run(folder).seeds
    assert [each.model_file for each in plain.snapshots()] == ["snapshot-40.npz", "snapshot-80.npz"]


def test_snapshots_are_of_the_moving_average(whole: Callable[[str], Path]) -> None:
    folder = whole("all")
    (seed,) = load_run(folder).seeds
    first = next(iter(seed.snapshots()))
    at = next(row for row in rows(folder) if f"snapshot-{row['step']}.npz" == first.model_file)
    right = first.predict(DATASET.test.pixels).argmax(axis=1) == DATASET.test.labels
    assert float(at["test_accuracy"]) == pytest.approx(right.mean())
