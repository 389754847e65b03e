"""What lies in a study's folder and isn't the study's, or is damaged."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import tiny
from helpers.origins import change_images, change_numpy

from cifarmlp.errors import CifarmlpWarning, ConfigError, DataError, RunFolderError
from cifarmlp.render.document import Text, Verdict
from cifarmlp.report.study import study_page
from cifarmlp.study.folder import load_study_folder, read_record
from cifarmlp.study.judge import judge_conclusions
from cifarmlp.study.load import LoadedStudy
from cifarmlp.study.plan import plan_study
from cifarmlp.study.run import run_study

pytestmark = pytest.mark.usefixtures("_tiny_images")


@pytest.fixture
def folder(loaded: LoadedStudy, tmp_path: Path) -> Path:
    out = tmp_path / "runs"
    return run_study(plan_study(loaded, out), out)[0]


def accuracies(folder: Path) -> dict[str, list[float]]:
    runs = load_study_folder(folder).experiments
    return {name: [o.metric("test", "accuracy") for o in run.outcomes()] for name, run in runs.items()}


def swap(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def change_lambda(path: Path) -> None:
    path.write_text(path.read_text().replace("lambda: 0.5", "lambda: 0.25"))


FOREIGN: dict[str, Callable[[Path], None]] = {
    "two experiments swapped": lambda folder: swap(folder / "b", folder / "c"),
    "two of which one has one seed": lambda folder: swap(folder / "a", folder / "b"),
    "two seeds swapped": lambda folder: swap(folder / "b" / "seed-1", folder / "b" / "seed-2"),
    "a seed's config changed": lambda folder: change_lambda(folder / "b" / "seed-1" / "config.yaml"),
    "an experiment's config changed": lambda folder: change_lambda(folder / "b" / "config.yaml"),
}


@pytest.mark.parametrize("how", FOREIGN)
def test_runs_of_other_configs_are_refused_and_nothing_is_written(
    how: str, folder: Path, loaded: LoadedStudy
) -> None:
    FOREIGN[how](folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(ConfigError, match=r"another config: .* there, .* here; undo that, or move it out"):
        run_study(plan_study(loaded, folder.parent), folder.parent)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("how", FOREIGN)
def test_runs_of_other_configs_are_left_out_of_a_page_and_told(how: str, folder: Path) -> None:
    before = accuracies(folder)
    FOREIGN[how](folder)
    state = load_study_folder(folder)
    assert state.faults
    assert all(values == before[name] for name, values in accuracies(folder).items())
    assert len(accuracies(folder)) < len(before)


def test_a_damaged_config_is_set_aside_and_the_seed_trained_again(folder: Path, loaded: LoadedStudy) -> None:
    before, seed = accuracies(folder), folder / "b" / "seed-1"
    (seed / "config.yaml").write_text("seed: [")
    with pytest.warns(CifarmlpWarning, match=r"seed-1: damaged .* kept as .*seed-1\.aside-1, and done again"):
        run_study(plan_study(loaded, folder.parent), folder.parent)
    assert accuracies(folder) == before
    assert (folder / "b" / "seed-1.aside-1" / "model.npz").exists()
    assert load_study_folder(folder).faults == []


def test_a_damaged_config_of_an_experiment_is_written_again_and_its_seeds_are_kept(
    folder: Path, loaded: LoadedStudy
) -> None:
    before, model = accuracies(folder), (folder / "b" / "seed-1" / "model.npz").stat().st_mtime_ns
    (folder / "b" / "config.yaml").write_bytes(b"\xff")
    with pytest.warns(CifarmlpWarning, match=r"b/config\.yaml\.aside-1"):
        run_study(plan_study(loaded, folder.parent), folder.parent)
    assert accuracies(folder) == before
    assert (folder / "b" / "seed-1" / "model.npz").stat().st_mtime_ns == model


def test_other_images_are_refused_before_anything_is_written(
    folder: Path, loaded: LoadedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(folder / "c")
    other = replace(tiny.dataset(), checksum="another")
    monkeypatch.setattr("cifarmlp.study.plan.load", lambda *_, **__: other)
    with pytest.raises(DataError, match=r"a and 2 more: made of other images than those here"):
        run_study(plan_study(loaded, folder.parent), folder.parent)
    assert not (folder / "c").exists()


def test_another_numpy_is_told_once_or_where_strict_refused(folder: Path, loaded: LoadedStudy) -> None:
    change_numpy(folder)
    with pytest.warns(CifarmlpWarning, match=r"a and 4 more: made with other numerics \(numpy was 1\.0"):
        run_study(plan_study(loaded, folder.parent), folder.parent)
    with pytest.raises(RunFolderError, match=r"numpy was 1\.0"):
        run_study(plan_study(loaded, folder.parent), folder.parent, strict=True)


def test_a_copy_made_with_another_numpy_is_told_or_where_strict_trained(
    folder: Path, loaded: LoadedStudy, tmp_path: Path
) -> None:
    change_numpy(folder)
    shutil.copytree(folder, tmp_path / "strict" / "old")
    out = folder.parent
    with pytest.warns(CifarmlpWarning, match=r"made with other numerics"):
        copy, _ = run_study(plan_study(loaded, out, repeats=1), out)
    assert read_record(copy).copied == 3
    trained, _ = run_study(plan_study(loaded, tmp_path / "strict"), tmp_path / "strict", strict=True)
    assert read_record(trained).copied == 0


def test_a_page_of_runs_on_different_images_says_so_and_draws_no_conclusion_from_them(folder: Path) -> None:
    change_images(folder / "c")
    state = load_study_folder(folder)
    (conclusion,) = judge_conclusions(state, state.study.sections[1])
    assert conclusion.verdict == Verdict("trained on different images: no difference is taken", "open")
    told = [block.words for block in study_page([state], folder).summary if isinstance(block, Text)]
    assert any("its runs were trained on different images" in words for words in told)
