"""A config over several seeds: its folders, its summary, and what may be resumed."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.config import override_with, to_yaml
from cifarmlp.errors import CifarmlpWarning, ConfigError, DataError, RunFolderError
from cifarmlp.training.outcome import read_ended
from cifarmlp.training.seeds import Repeats, claim_repeats, repeats_to_resume, train_seeds

CONFIG = tiny.config("training.steps=4", "seed=7")


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three seeds that have ended."""
    return tiny.trained(tmp_path_factory.mktemp("repeated"), "n", "training.steps=4", "seed=7", seeds=3)


@pytest.fixture
def folder(repeated: Path, tmp_path: Path) -> Path:
    """A copy of that."""
    return Path(shutil.copytree(repeated, tmp_path / "copy"))


def test_each_seed_has_a_folder_and_one_alone_that_of_the_config(tmp_path: Path) -> None:
    assert Repeats(tmp_path, CONFIG, 1).places() == {tmp_path: CONFIG}
    places = Repeats(tmp_path, CONFIG, 3).places()
    assert [place.relative_to(tmp_path).name for place in places] == ["seed-7", "seed-8", "seed-9"]
    assert [config.seed for config in places.values()] == [7, 8, 9]
    assert {override_with(config, {"seed": 7}) for config in places.values()} == {CONFIG}


@pytest.mark.parametrize("number", [1, 3])
def test_what_was_begun_is_resumed(number: int, tmp_path: Path) -> None:
    begun = claim_repeats(CONFIG, number, tmp_path)
    assert begun.folder == tmp_path / "quickstart-001"
    assert (begun.folder / "config.yaml").read_text() == to_yaml(CONFIG)
    assert (begun.folder / "summary.json").exists() == (number > 1)
    assert repeats_to_resume(begun.folder) == repeats_to_resume(begun.folder, CONFIG, number) == begun


def test_only_seeds_that_have_not_ended_are_trained(folder: Path) -> None:
    others = [path for seed in (7, 9) for path in (folder / f"seed-{seed}").iterdir()]
    before = [path.read_bytes() for path in others]
    (folder / "seed-8" / "model.npz").unlink()
    seen: list[int] = []
    (outcomes,) = train_seeds(
        [(repeats_to_resume(folder), tiny.dataset())],
        None,
        threads=1,
        ended=lambda task, outcome: seen.append(outcome.seed),
    )
    assert seen == [8]
    assert outcomes == [read_ended(folder / f"seed-{seed}") for seed in (7, 8, 9)]
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["seeds"], summary["n"], summary["planned"]) == ([7, 8, 9], 3, 3)
    assert [path.read_bytes() for path in others] == before


def test_a_summary_leaves_out_what_was_interrupted(folder: Path) -> None:
    shutil.rmtree(folder / "seed-9")
    (outcomes,) = train_seeds([(repeats_to_resume(folder), tiny.dataset())], None, threads=1, stop=lambda: 15)
    assert [outcome.seed for outcome in outcomes] == [7, 8]
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["n"], summary["planned"]) == (2, 3)


@pytest.mark.parametrize("damaged", ["", "{}", "[]", '{"n": 1', '{"planned": 0}'])
def test_a_damaged_summary_is_refused(damaged: str, folder: Path) -> None:
    (folder / "summary.json").write_text(damaged)
    with pytest.raises(RunFolderError, match=r"summary\.json is damaged: .*; train the config anew"):
        repeats_to_resume(folder)


def test_a_file_a_search_and_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(RunFolderError, match="a file; give the run's folder"):
        repeats_to_resume(folder / "config.yaml")
    with pytest.raises(RunFolderError, match="not the folder of a training"):
        repeats_to_resume(folder / "nowhere")
    (folder / "search.json").write_text("{}")
    with pytest.raises(ConfigError, match=f"cifarmlp search --resume {folder}"):
        repeats_to_resume(folder)


def test_another_config_or_number_of_seeds_is_refused(folder: Path) -> None:
    there = repeats_to_resume(folder).config
    with pytest.raises(
        ConfigError, match=r"is the training of another config: training.lambda is 0.5 there, 0.1"
    ):
        repeats_to_resume(folder, override_with(there, {"training.lambda": 0.1}))
    with pytest.raises(ConfigError, match="has 3 seeds; leave out --repeats"):
        repeats_to_resume(folder, there, 2)
    path = folder / "seed-8" / "config.yaml"
    path.write_text(path.read_text().replace("lambda: 0.5", "lambda: 0.25"))
    with pytest.raises(
        ConfigError, match=r"seed-8 is the training of another config: training.lambda is 0.25"
    ):
        repeats_to_resume(folder)


@pytest.mark.parametrize("result", ["whole", "damaged"])
def test_a_config_yaml_that_was_changed_is_refused(result: str, tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "n", "training.steps=4")
    path = folder / "config.yaml"
    path.write_text(path.read_text().replace("lambda: 0.5", "lambda: 0.25"))
    if result == "damaged":
        (folder / "result.json").write_text("{")
        (folder / "checkpoint.npz").unlink()
    with pytest.raises(ConfigError, match="has changed since it was begun"):
        repeats_to_resume(folder)
    (folder / "environment.json").write_text("[]")  # by which it is known
    assert repeats_to_resume(folder).config.training.lam == 0.25


def test_seeds_that_were_trained_on_other_images_are_not_gone_on_with(folder: Path) -> None:
    shutil.rmtree(folder / "seed-9")
    other = replace(tiny.dataset(), checksum="another")
    with pytest.raises(DataError, match=r"seed-7 and 1 more: made of other images than those here"):
        train_seeds([(repeats_to_resume(folder), other)], None, threads=1)
    assert not (folder / "seed-9").exists()


def test_seeds_that_were_trained_with_another_numpy_are_told_or_where_strict_refused(folder: Path) -> None:
    path = folder / "seed-7" / "environment.json"
    told = json.loads(path.read_text())
    told["libraries"]["numpy"] = "1.0"
    path.write_text(json.dumps(told))
    with pytest.warns(CifarmlpWarning, match=r"seed-7: made with other numerics \(numpy was 1\.0, is "):
        train_seeds([(repeats_to_resume(folder), tiny.dataset())], None, threads=1)
    with pytest.raises(RunFolderError, match=r"numpy was 1\.0"):
        train_seeds([(repeats_to_resume(folder), tiny.dataset())], None, threads=1, strict=True)


def test_more_seeds_than_there_are_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="4294967296"):
        claim_repeats(tiny.config("seed=4294967295"), 2, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_training_begun_by_a_version_with_fewer_keys_is_gone_on_with(tmp_path: Path) -> None:
    folder = tiny.trained(tmp_path, "old", "training.steps=4")
    for name in ("result.json", "checkpoint.npz"):
        (folder / name).unlink()
    path, begun = folder / "config.yaml", folder / "environment.json"
    old = "".join(line for line in path.read_text().splitlines(keepends=True) if "patience" not in line)
    path.write_text(old)
    earlier = hashlib.sha256(old.replace("name: old\n", "name: any\n").encode()).hexdigest()
    begun.write_text(json.dumps({**json.loads(begun.read_text()), "config": earlier}))
    assert repeats_to_resume(folder).config.training.patience is None
    path.write_text(old.replace("lambda: 0.5", "lambda: 0.25"))
    with pytest.raises(ConfigError, match="has changed since it was begun"):
        repeats_to_resume(folder)
