"""Trainings and searches that were made before: which are found again, and how they are copied."""

import json
import os
import shutil
from pathlib import Path

import pytest
from helpers import tiny
from helpers.origins import change_images, change_numpy

from cifarmlp import files
from cifarmlp.config import Config, load_config
from cifarmlp.errors import RunFolderError
from cifarmlp.search import folder as folder_
from cifarmlp.search import plan
from cifarmlp.search.ranking import Result
from cifarmlp.study import reuse
from cifarmlp.training import environment, outcome
from cifarmlp.training.seeds import refuse_changes

COARSE = "search.coarse={trials: 2, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}"
FINE = "search.fine={trials: 1, centres: 1, space: {training.lambda: {uniform_within: 0.001}}}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the folder of a training, named plain, and of one of two seeds, twice."""
    place = tmp_path_factory.mktemp("reuse")
    tiny.trained(place, "plain", "training.steps=20")
    tiny.trained(place, "twice", "training.steps=10", seeds=2)
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    """A copy of that, to be changed."""
    shutil.copytree(whole, tmp_path / "runs")
    return tmp_path / "runs"


def plain(*settings: str) -> Config:
    return tiny.config("name=another-name", "training.steps=20", *settings)


def found(place: Path, config: Config, searched: bool = False, strict: bool = False) -> Path | None:
    here = environment.fingerprint(environment.describe(tiny.dataset(), 1))
    return reuse.source_for(reuse.finished_runs(place), config, here, searched, strict)


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


# What is found


def test_a_training_with_the_same_config_but_for_its_name(place: Path) -> None:
    assert found(place, plain()) == place / "plain-001"


def test_a_seed_of_a_repeated_training(place: Path) -> None:
    for seed in (1, 2):
        config = tiny.config("training.steps=10", f"seed={seed}")
        assert found(place, config) == place / "twice-001" / f"seed-{seed}"
    assert found(place, tiny.config("training.steps=10", "seed=3")) is None


def test_it_may_be_anywhere_below(place: Path) -> None:
    assert found(place.parent, plain()) == place / "plain-001"


@pytest.mark.parametrize(
    "setting",
    ["seed=2", "training.lambda=0.4", "network.hidden=[8]", "training.steps=21", "data.validation=99"],
)
def test_another_config_is_not(setting: str, place: Path) -> None:
    assert found(place, plain(setting)) is None


def test_other_code_is_not(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "code_digest", lambda: "another")
    assert found(place, plain()) is None


def test_other_images_are_not(place: Path) -> None:
    change_images(place)
    assert found(place, plain()) is None


def test_one_of_other_numerics_is_unless_strict_where_there_is_none_of_the_same(place: Path) -> None:
    shutil.copytree(place / "plain-001", place / "other-001")
    shutil.copytree(place / "plain-001", place / "zz-001")
    for name in ("other-001", "zz-001"):
        change_numpy(place / name)
    assert found(place, plain()) == found(place, plain(), strict=True) == place / "plain-001"
    shutil.rmtree(place / "plain-001")
    assert found(place, plain(), strict=True) is None
    assert found(place, plain()) == place / "zz-001"


@pytest.mark.parametrize("name", ["stray", "curves.png"])
@pytest.mark.parametrize("kind", ["dangling link", "pipe", "folder"])
def test_what_is_no_file_is_left_out_or_if_it_should_be_one_the_run_is_not_found(
    name: str, kind: str, place: Path, tmp_path: Path
) -> None:
    path = place / "plain-001" / name
    match kind:
        case "dangling link":
            path.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    assert found(place, plain()) == (place / "plain-001" if name == "stray" else None)
    reuse.copy_run(place / "twice-001" / "seed-1", tmp_path / "study" / "other", plain())
    if name == "stray":
        reuse.copy_run(place / "plain-001", tmp_path / "study" / "one", plain())
        assert outcome.read_ended(tmp_path / "study" / "one")
        assert not os.path.lexists(tmp_path / "study" / "one" / name)


def damage(folder: Path, how: str) -> None:
    match how:
        case "interrupted":
            change(folder / "result.json", status="interrupted")
        case "another model":
            with (folder / "model.npz").open("ab") as file:
                file.write(b"x")
        case "torn":
            (folder / "result.json").write_bytes((folder / "result.json").read_bytes()[:100])
        case "older":
            told = json.loads((folder / "environment.json").read_text())
            (folder / "environment.json").write_text(json.dumps({**told, "code": None}))
        case "no mapping":
            (folder / "environment.json").write_text("[1]")
        case "its config":
            (folder / "config.yaml").write_text("seed: [")
        case gone:
            (folder / gone).unlink()


@pytest.mark.parametrize(
    "how",
    ["interrupted", "another model", "torn", "older", "no mapping", "its config", "model.npz", "result.json",
     "config.yaml", "environment.json"],
)  # fmt: skip
def test_what_is_damaged_or_has_not_ended_is_not(how: str, place: Path) -> None:
    damage(place / "plain-001", how)
    assert found(place, plain()) is None


def test_half_a_copy_is_not(place: Path) -> None:
    (place / "plain-001").rename(place / ".plain-001.copy")
    assert found(place, plain()) is None


def test_nowhere_is_nothing(tmp_path: Path) -> None:
    assert reuse.finished_runs(tmp_path / "nowhere") == {}


# Searches


def searched(out: Path, *settings: str, seeds: int = 1, status: str = "finished") -> Path:
    """The folder of a search in which nothing was trained."""
    begun = plan.prepare_search(tiny.config("name=wide", *settings), [], seeds, 2, out)
    folder_.claim_search(begun, out, tiny.dataset())
    begun.results = {(i, 1): Result(i, 1, "finished", 0.5, 0.4, 1.0, 2.0) for i in (1, 2)}
    folder_.write_results(begun)
    folder_.write_plan(begun, status)
    return begun.folder


def test_the_copy_of_a_training_that_had_a_search_in_its_config_is_one_of_its_own_config(
    tmp_path: Path,
) -> None:
    source, target = tiny.trained(tmp_path, "one", COARSE, "training.steps=4"), tmp_path / "study" / "one"
    reuse.copy_run(source, target, tiny.config("training.steps=4"))
    refuse_changes(target, tiny.config("training.steps=4"))


@pytest.mark.parametrize("stages", [[COARSE], [COARSE, FINE]])
def test_a_search_of_all_its_stages(stages: list[str], tmp_path: Path) -> None:
    folder = searched(tmp_path, *stages)
    assert found(tmp_path, tiny.config(*stages), searched=True) == folder
    assert found(tmp_path, tiny.config(COARSE.replace("2", "3"), *stages[1:]), searched=True) is None


def test_a_search_that_has_not_ended_or_has_other_seeds_is_not(tmp_path: Path) -> None:
    searched(tmp_path, COARSE, status="interrupted")
    searched(tmp_path, COARSE, seeds=2)
    assert found(tmp_path, tiny.config(COARSE), searched=True) is None


def test_a_search_and_a_training_of_one_config_are_two_things(tmp_path: Path) -> None:
    config = tiny.config(COARSE)
    folder = searched(tmp_path, COARSE)
    assert found(tmp_path, config) is None
    training = tiny.trained(tmp_path, "one", COARSE)
    assert found(tmp_path, config, searched=True) == folder
    assert found(tmp_path, config) == training
    assert found(tmp_path, tiny.config()) == training  # whatever its config says of a search


# Copies


def test_a_copy_is_the_same_without_what_belongs_to_a_process(place: Path, tmp_path: Path) -> None:
    source, target = place / "plain-001", tmp_path / "study" / "deep" / "one"
    (source / ".owner.json").write_text("{}")
    (source / ".model.npz.x.tmp").write_text("half")
    reuse.copy_run(source, target, load_config(source / "config.yaml"))
    names = {path.name for path in source.iterdir() if not path.name.startswith(".")}
    assert {path.name for path in target.iterdir()} == names
    assert all((target / name).read_bytes() == (source / name).read_bytes() for name in names)
    assert outcome.read_ended(target) == outcome.read_ended(source)
    assert [path.name for path in target.parent.iterdir()] == ["one"]


def test_a_copy_that_fails_leaves_nothing_to_be_taken_for_one(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "study" / "one"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(RunFolderError, match="No space left"):
            reuse.copy_run(place / "plain-001", target, plain())
    assert not target.exists()
    shutil.rmtree(place)
    assert reuse.finished_runs(tmp_path) == {}


def test_a_copy_that_was_cut_short_is_made_again(place: Path, tmp_path: Path) -> None:
    target = tmp_path / "study" / "one"
    half = tmp_path / "study" / ".one.copy"
    half.mkdir(parents=True)
    (half / "old").write_text("left by a process that was killed")
    with files.lock(tmp_path / "study"):
        reuse.copy_run(place / "plain-001", target, plain())
    assert not (target / "old").exists()
    assert load_config(target / "config.yaml") == plain()  # and so by its new name
    assert not half.exists()
