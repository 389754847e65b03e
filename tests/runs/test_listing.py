"""`cifarmlp runs`: a row for each run folder, whatever state it is in."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from helpers.run_folders import PARTS, cifarmlp, result

from cifarmlp import files
from cifarmlp.config import find_config, load_config, override_with, to_yaml
from cifarmlp.runs import listing


@pytest.fixture(scope="module")
def out(dated: Path) -> Path:
    return dated


def listed(*words: object) -> dict[str, dict[str, Any]]:
    """The entries by name, in their order."""
    return {entry["name"]: entry for entry in cifarmlp("runs", *words, "--json").json}


def names(*words: object) -> list[str]:
    return list(listed(*words))


def test_a_row_says_what_a_run_is_and_what_it_came_to(out: Path) -> None:
    rows = {line.split()[0]: line for line in cifarmlp("runs", out).out.splitlines()[2:]}
    assert set(rows) == {"plain-001", "normal-001", "lost-001"}
    there = result(out / "plain-001")
    words = ["training", "finished", "8-6, lambda 0.5, eta 1e-05 to 0.1, synthetic", "2001-09-07"]
    numbers = [f"{there[part]['accuracy']:.4f}" for part in ("validation", "test")]
    assert all(word in rows["plain-001"] for word in [*words, *numbers, f"{there['seconds']:.1f}"])
    assert all(word in rows["normal-001"] for word in ("batch norm", "repeated"))
    assert "diverged" in rows["lost-001"]


def test_a_repeated_training_has_mean_and_std_over_its_seeds(out: Path) -> None:
    results = [result(out / "normal-001" / f"seed-{seed}") for seed in (1, 2)]
    accuracies = [each["test"]["accuracy"] for each in results]
    entry = listed(out)["normal-001"]
    expected = {"mean": np.mean(accuracies), "std": np.std(accuracies, ddof=1), "n": 2}
    assert entry["accuracy"]["test"] == pytest.approx(expected)
    assert entry["seconds"] == pytest.approx(sum(each["seconds"] for each in results))
    assert f"{expected['mean']:.4f} ± {expected['std']:.4f}" in cifarmlp("runs", out).out


def test_the_newest_is_first(out: Path) -> None:
    assert names(out) == ["lost-001", "normal-001", "plain-001"]


def test_out_is_another_way_to_say_the_folder(out: Path) -> None:
    assert names("--out", out) == names(out)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_sorted_by_accuracy_the_best_is_first_and_none_is_last(out: Path, part: str) -> None:
    *ended, last = listed(out, "--sort", part).values()
    means = [entry["accuracy"][part]["mean"] for entry in ended]
    assert means == sorted(means, reverse=True)
    assert last["name"] == "lost-001"


def test_sorted_by_name_numbers_are_numbers(copy: Path) -> None:
    (copy / "plain-001").rename(copy / "figure-10-001")
    (copy / "lost-001").rename(copy / "figure-2-001")
    assert names(copy, "--sort", "name") == ["figure-2-001", "figure-10-001", "normal-001"]


def test_sorted_by_seconds_the_longest_is_first(out: Path) -> None:
    seconds = [entry["seconds"] for entry in listed(out, "--sort", "seconds").values()]
    assert seconds == sorted(seconds, reverse=True)


def test_no_runs_are_no_error(tmp_path: Path) -> None:
    for words in ((), (".",)):
        done = cifarmlp("runs", *words, cwd=tmp_path)
        assert done.code == 0
        assert "cifarmlp train quickstart" in done.out
    assert cifarmlp("runs", "--json", cwd=tmp_path).json == []
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_was_named_and_is_missing_is_an_error(tmp_path: Path) -> None:
    done = cifarmlp("runs", tmp_path / "rusn")
    assert (done.code, "rusn" in done.err) == (4, True)


def test_other_folders_files_and_broken_links_are_left_out(copy: Path) -> None:
    (copy / "gone-001").symlink_to(copy / "nowhere")
    (copy / "notes").mkdir()
    (copy / "notes" / "a.txt").write_text("mine")
    (copy / ".gitkeep").touch()
    assert set(names(copy)) == {"plain-001", "normal-001", "lost-001"}


def test_a_run_folder_itself_can_be_listed(out: Path) -> None:
    assert names(out / "plain-001") == ["plain-001"]
    assert set(names(out / "normal-001")) == {"seed-1", "seed-2"}


# Not ended


def test_one_without_a_result_is_running_if_its_lock_is_held(copy: Path) -> None:
    (copy / "plain-001" / "result.json").unlink()
    assert listed(copy)["plain-001"]["status"] == "unfinished"
    with files.lock(copy / "plain-001"):
        assert listed(copy)["plain-001"]["status"] == "running"
    owner = {"pid": os.getpid(), "host": "a container that died", "since": "then"}
    files.write_json(copy / "plain-001" / ".owner.json", owner)
    assert listed(copy)["plain-001"]["status"] == "unfinished"


def test_a_repeated_training_says_how_many_of_its_seeds_have_ended(copy: Path) -> None:
    (copy / "normal-001" / "seed-2" / "result.json").unlink()
    entry = listed(copy)["normal-001"]
    assert (entry["status"], entry["seeds"], entry["planned"]) == ("unfinished", 1, 2)
    assert "1 of 2" in cifarmlp("runs", copy).out


def test_an_interrupted_one_says_so(copy: Path) -> None:
    for folder in (copy / "plain-001", copy / "normal-001" / "seed-2"):
        values = {**result(folder), "status": "interrupted", "test": None}
        (folder / "result.json").write_text(json.dumps(values))
    entries = listed(copy)
    assert {entries[name]["status"] for name in ("plain-001", "normal-001")} == {"interrupted"}


def test_a_repeated_training_has_diverged_where_one_of_its_seeds_has(copy: Path) -> None:
    path = copy / "normal-001" / "seed-2" / "result.json"
    nothing = {part: dict.fromkeys(("cost", "loss", "accuracy")) for part in PARTS}
    path.write_text(json.dumps({**result(path.parent), "status": "diverged", **nothing}))
    entry = listed(copy)["normal-001"]
    assert (entry["status"], entry["seeds"], entry["accuracy"]["test"]["mean"]) == ("diverged", 2, None)


# Searches and studies


def test_a_search_is_listed_with_its_best_trial(copy: Path) -> None:
    folder = copy / "plain-001"
    text = (folder / "config.yaml").read_text().replace("search: null", "search: " + json.dumps(SPACE))
    (folder / "config.yaml").write_text(text)
    plan = {"stages": ["coarse"], "seeds": 1, "cores": 2, "memory": 1e9, "status": "running"}
    (folder / "search.json").write_text(json.dumps(plan))
    (folder / "seeds.csv").write_text(
        "trial,seed,status,train_accuracy,validation_accuracy,validation_loss,seconds,reason\n"
        "1,1,finished,0.5,0.4,1.0,2.5,\n2,1,diverged,nan,nan,nan,nan,\n"
    )
    (folder / "top.json").write_text(json.dumps({"best": {"trial": 1, "validation_accuracy": 0.4}}))
    entry = listed(copy)["plain-001"]
    assert (entry["kind"], entry["status"], entry["seconds"]) == ("search", "unfinished", 2.5)
    assert entry["about"] == "2 trials of training.lambda"
    assert entry["accuracy"]["validation"]["mean"] == 0.4
    (folder / "top.json").write_text('{"best": [')
    assert listed(copy)["plain-001"]["fault"].startswith("top.json is damaged: ")
    (folder / "top.json").write_text(json.dumps({"best": {"validation_accuracy": 1.7}}))
    assert listed(copy)["plain-001"]["fault"].startswith("top.json is damaged: best.validation_accuracy: ")


SPACE = {"coarse": {"trials": 2, "space": {"training.lambda": {"uniform": [0.0, 1.0]}}}}


def test_a_study_is_listed_with_the_runs_inside(copy: Path) -> None:
    study = copy / "study-001"
    (study / "a").mkdir(parents=True)
    shutil.copy(copy / "plain-001" / "config.yaml", study / "a")
    for status, seen in (("finished", "finished"), ("running", "unfinished")):
        (study / "study.json").write_text(json.dumps({"status": status, "seconds": 12.5}))
        entry = listed(copy)["study-001"]
        assert (entry["kind"], entry["status"], entry["about"]) == ("study", seen, "1 run inside")
        assert entry["seconds"] == 12.5


# Damage


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("result.json", "{", "result.json is damaged"),
        ("result.json", "[" * 100_000, "result.json is damaged"),
        ("result.json", "[]", "result.json is damaged"),
        ("result.json", '{"status": "fine"}', "result.json is damaged"),
        ("result.json", "null\x00\xff", "result.json is damaged"),
        ("config.yaml", "seed: [", "config.yaml"),
        ("config.yaml", "hiden: 3", "hiden"),
        ("config.yaml", None, "no config.yaml"),
        ("summary.json", "{}", "summary.json is damaged"),
        ("search.json", "{}", "damaged"),
        ("study.json", "nonsense", "study.json is damaged"),
        ("study.json", '{"status": "odd", "seconds": 1.0}', "study.json is damaged: status: Input should be"),
        ("study.json", '{"status": "finished", "seconds": 1e999}', "study.json is damaged: seconds"),
    ],
)
def test_a_damaged_folder_is_a_row_that_says_what(
    copy: Path, name: str, text: str | None, fault: str
) -> None:
    path = copy / "plain-001" / name
    path.write_text(text, encoding="latin-1") if text is not None else path.unlink()
    done = cifarmlp("runs", copy)
    entry = listed(copy)["plain-001"]
    assert done.code == 0
    assert (entry["status"], entry["seeds"]) == ("damaged", 0)
    assert fault in entry["fault"]
    assert "\n" not in entry["fault"]
    assert len(done.out.splitlines()) == 5


def test_a_seed_that_is_damaged_is_named(copy: Path) -> None:
    (copy / "normal-001" / "seed-2" / "result.json").write_text("{")
    assert listed(copy)["normal-001"]["fault"].startswith("seed-2/result.json is damaged: Invalid JSON")


def test_numbers_that_are_none_do_not_break_the_table(copy: Path) -> None:
    values = result(copy / "plain-001")
    for seconds in ("long", None, [1]):
        (copy / "plain-001" / "result.json").write_text(json.dumps({**values, "seconds": seconds}))
        assert listed(copy)["plain-001"]["status"] == "damaged"


def test_an_empty_folder_of_ours_is_a_damaged_row(copy: Path) -> None:
    (copy / "killed-001").mkdir()
    assert listed(copy)["killed-001"]["status"] == "damaged"


def test_control_characters_in_names_do_not_reach_the_terminal(copy: Path) -> None:
    (copy / "plain-001").rename(copy / "evil\x1b[2J\n-001")
    (copy / "lost-001").rename(copy / os.fsdecode(b"byte\xff-001"))
    done = cifarmlp("runs", copy)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert r"evil\x1b[2J\n-001" in done.out
    assert "byte" in done.out
    assert len(done.out.splitlines()) == 5


def test_hundreds_are_listed_in_about_a_second(copy: Path) -> None:
    texts = {name: (copy / "plain-001" / name).read_text() for name in ("config.yaml", "result.json")}
    for n in range(300):
        folder = copy / f"many-{n:03d}"
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text)
    started = time.process_time()
    found = listing.list_entries(copy)
    assert time.process_time() - started < 3  # 0.7 s on an idle core
    assert len(found) == 303


# Parts of the data, and models that are gone


def columns_of(*words: object) -> list[str]:
    return cifarmlp("runs", *words).out.splitlines()[0].split()


def test_without_validation_images_there_is_no_such_column(measured: Path, tmp_path: Path) -> None:
    shutil.copytree(measured / "bare-001", tmp_path / "bare-001")
    assert columns_of(tmp_path) == ["run", "kind", "status", "what", "seeds", "test", "seconds", "when"]
    assert list(listed(tmp_path)["bare-001"]["accuracy"]) == ["test"]
    shutil.copytree(measured / "whole-001", tmp_path / "whole-001")
    assert "validation" in columns_of(tmp_path)
    (row,) = [line for line in cifarmlp("runs", tmp_path).out.splitlines() if line.startswith("bare-001")]
    assert row.split()[-7] == "-"


def test_test_images_that_were_looked_at_are_marked(measured: Path) -> None:
    done = cifarmlp("runs", measured)
    marked = [line.split()[0] for line in done.out.splitlines() if " *  " in line]
    assert marked == ["looked-001"]
    assert done.out.endswith("* test images looked at during training\n")


def test_a_run_without_its_model_is_not_finished_here_nor_where_it_is_compared(copy: Path) -> None:
    (copy / "normal-001" / "seed-2" / "model.npz").unlink()
    entry = listed(copy)["normal-001"]
    assert (entry["status"], entry["seeds"], entry["planned"]) == ("unfinished", 1, 2)
    (copy / "plain-001" / "model.npz").unlink()
    assert listed(copy)["plain-001"]["status"] == "unfinished"
    compared = cifarmlp(
        "compare", copy / "normal-001", copy / "plain-001", "--figure", copy / "c.png", "--json"
    )
    assert [each["status"] for each in compared.json["runs"]] == ["1 of 2 not ended", "not ended"]


# Notes: runs of one name told apart


def notes_of(*words: object) -> dict[str, str]:
    """The column of notes by run."""
    header, _, *lines = cifarmlp("runs", *words).out.splitlines()
    start, end = header.index("notes"), header.index("  seeds")
    return {line.split()[0]: line[start:end].strip() for line in lines if line}


def named(folder: Path, name: str, *settings: str) -> None:
    """Give a run another name and other settings, as its config.yaml says them."""
    text = tiny.config(f"name={name}", *settings)
    (folder / "config.yaml").write_text(to_yaml(text))


def test_runs_of_one_name_say_what_they_differ_in(copy: Path) -> None:
    named(copy / "plain-001", "mine", "training.lambda=0.25", "seed=7")
    named(copy / "normal-001", "mine", "network.batch_norm={momentum: 0.8}")
    named(copy / "lost-001", "other", "training.lambda=0.25")
    entries = listed(copy)
    assert entries["plain-001"]["differs"]["training.lambda"] == 0.25
    assert entries["normal-001"]["differs"]["seed"] == 1
    assert entries["lost-001"]["differs"] == {}
    notes = notes_of(copy)
    assert notes["plain-001"] == "at chance, seed=7, batch_norm.momentum=0.9, lambda=0.25"
    assert notes["normal-001"] == "seed=1, batch_norm.momentum=0.8, lambda=0.5"
    assert notes["lost-001"] == ""


def test_one_of_a_shipped_name_says_what_is_not_as_shipped(copy: Path) -> None:
    shipped = load_config(find_config("report-2/figure-3"))
    (copy / "plain-001" / "config.yaml").write_text(to_yaml(shipped))
    changes = {"network.dropout": 0.5, "training.steps": 100, "network.hidden": [7], "seed": 3}
    changed = override_with(shipped, changes)
    (copy / "lost-001" / "config.yaml").write_text(to_yaml(changed))
    notes = notes_of(copy)
    assert notes["plain-001"] == "at chance"  # as it was trained
    assert notes["lost-001"] == "shortened: 100 of 9000 steps, seed=3, hidden=[7], dropout=0.5"
    assert listed(copy)["lost-001"]["shortened"] == {"steps": 100, "schedule": 9000}


def test_a_longer_training_is_not_shortened(copy: Path) -> None:
    named(copy / "plain-001", "plain", "training.steps=80")
    named(copy / "lost-001", "lost", "training.steps=79")
    entries = listed(copy)
    assert entries["plain-001"]["shortened"] == {}
    assert entries["lost-001"]["shortened"] == {"steps": 79, "schedule": 80}


def test_runs_at_chance_level_are_marked(copy: Path) -> None:
    for folder in (copy / "plain-001", copy / "normal-001" / "seed-2"):
        values = {**result(folder), "at_chance": True}
        (folder / "result.json").write_text(json.dumps(values))
    notes = notes_of(copy)
    assert (notes["plain-001"], notes["normal-001"]) == ("at chance", "1 of 2 at chance")
    assert listed(copy)["normal-001"]["at_chance"] == 1
