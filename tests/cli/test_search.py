"""The command `search`, from the config to the tables, and through every way of ending early."""

import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from helpers.command import Done, cifarmlp, held, until
from helpers.searching import (
    LATE,
    PROCESS,
    SEPARATE,
    Table,
    accuracies,
    count_ended,
    on_few_images,
    place_with,
    rows,
    running,
    search,
    seeds,
    table,
    trials,
)
from matplotlib.figure import Figure

from cifarmlp import parallel
from cifarmlp.config import load_config
from cifarmlp.search import plan, run
from cifarmlp.search.folder import section_of
from cifarmlp.search.populations import Member
from cifarmlp.search.sampling import coarse_values, fine_values
from cifarmlp.training.estimate import Estimate

CONFIG = """\
name: tiny
data: {source: synthetic, validation: 400}
network: {hidden: [8], batch_norm: true}
training: {steps: 30, schedule: {eta_min: 0.001, eta_max: 0.05, n_s: 15, cycles: 1}}
search:
  coarse:
    trials: 5
    space:
      training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}
      training.schedule.eta_max: {uniform: [0.01, 0.5]}
  fine:
    trials: 2
    centres: 2
    space:
      training.lambda: {uniform_within: 0.001}
      training.schedule.eta_max: {between_best: true}
"""
LAMBDA, ETA = "training.lambda", "training.schedule.eta_max"
MEASURED = ["train_accuracy", "validation_accuracy", "validation_loss"]
FILES = [".lock", "best.yaml", "config.yaml", "environment.json", "search.json", "search.png"]
FILES += ["seeds.csv", "top.json", "trials.csv"]
RUN = "runs/tiny-001"


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with c.yaml, the config."""
    return place_with(CONFIG, tmp_path)


class Whole(NamedTuple):
    """A search in both stages: where c.yaml is, the folder of the search, and what was printed."""

    place: Path
    folder: Path
    done: Done


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Not to be changed."""
    place = place_with(CONFIG, tmp_path_factory.mktemp("whole"))
    return Whole(place, place / RUN, search("c.yaml", cwd=place))


@pytest.fixture(scope="module")
def coarse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place where c.yaml was searched, in the coarse stage only. Not to be changed."""
    place = place_with(CONFIG, tmp_path_factory.mktemp("coarse"))
    search("c.yaml", "--coarse", cwd=place)
    return place


@pytest.fixture
def copied(whole: Whole, tmp_path: Path) -> Path:
    """The folder of a finished search in both stages, to be changed."""
    shutil.copytree(whole.place, tmp_path, dirs_exist_ok=True)
    return tmp_path / RUN


def resume(folder: Path, *args: str, code: int = 0) -> Done:
    """Go on with the search in place / RUN."""
    return search("--resume", RUN, *args, cwd=folder.parents[1], code=code)


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are drawn for the fixtures of the module only: they take half of the time of so small a search."""
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(b"a figure"))


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(population: Sequence[Member], data_dir: Path | None, images: str) -> None:
        raise AssertionError(f"{population} was trained")

    monkeypatch.setattr("cifarmlp.search.run.train_population", train)


# What a search leaves


def test_a_search_leaves_a_whole_folder(whole: Whole) -> None:
    folder = whole.folder
    assert sorted({*FILES, *(path.name for path in folder.iterdir())}) == FILES
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")
    assert load_config(folder / "config.yaml") == load_config(whole.place / "c.yaml")
    assert read(folder, "search.json")["status"] == "finished"
    assert read(folder, "environment.json")["data"]["source"] == "synthetic"


def test_the_table_has_a_row_a_trial(whole: Whole) -> None:
    header = (whole.folder / "trials.csv").read_text().splitlines()[0]
    assert header == f"trial,status,{LAMBDA},{ETA},train_accuracy,validation_accuracy,validation_loss,seconds"
    assert list(trials(whole.folder)) == list(range(1, 10))
    for row in trials(whole.folder).values():
        assert row["status"] == "finished"
        assert 0.1 < float(row["train_accuracy"]) < 0.9
        assert 0.1 < float(row["validation_accuracy"]) < 0.9
        assert 1 < float(row["validation_loss"]) < 3
        assert 0 < float(row["seconds"]) < 60
    assert len(set(accuracies(whole.folder))) > 5


def test_fields_are_those_that_sampling_gives(whole: Whole) -> None:
    found = {
        number: {key: float(row[key]) for key in (LAMBDA, ETA)}
        for number, row in trials(whole.folder).items()
    }
    section = section_of(load_config(whole.place / "c.yaml"))
    wanted = {i: coarse_values(section.coarse, 1, i) for i in range(1, 6)}
    centres = [wanted[number] for number in best_first(whole.folder, range(1, 6))[:2]]
    wanted |= {5 + i: fine_values(section, 1, i, centres) for i in range(1, 5)}
    assert found == wanted


def best_first(folder: Path, some: range) -> list[int]:
    """Trials in the order that they are ranked in."""
    by = {
        number: (-float(row["validation_accuracy"]), float(row["validation_loss"]), number)
        for number, row in trials(folder).items()
        if number in some and row["status"] == "finished"
    }
    return sorted(by, key=lambda number: by[number])


@pytest.mark.parametrize("number", [2, 9])
def test_accuracies_are_those_of_the_same_config_trained_alone(
    number: int, whole: Whole, place: Path
) -> None:
    assert_same_as_alone(trials(whole.folder)[number], place, LAMBDA, ETA)


def assert_same_as_alone(row: dict[str, str], place: Path, *fields: str, seed: int = 1) -> None:
    """A trial's row agrees with `cifarmlp train` with its values, up to rounding."""
    values = [word for key in fields for word in ("--set", f"{key}={row[key]}")]
    done = on_few_images("train", "c.yaml", "--seed", seed, *values, "--json", "--quiet", cwd=place)
    (alone,) = done.json["results"]
    assert float(row["train_accuracy"]) == pytest.approx(alone["train"]["accuracy"], abs=3e-4)
    assert float(row["validation_accuracy"]) == pytest.approx(alone["validation"]["accuracy"], abs=3e-4)
    assert float(row["validation_loss"]) == pytest.approx(alone["validation"]["loss"], rel=1e-4)


def test_the_tables_are_those_of_the_rows(whole: Whole) -> None:
    top, written = read(whole.folder, "top.json"), trials(whole.folder)
    groups = {
        "coarse": range(1, 6),
        "fine, around the coarse search's number 1": range(6, 8),
        "fine, around the coarse search's number 2": range(8, 10),
    }
    printed = whole.done.out.split("\n\n")
    for group, found, text in zip(groups, top["tables"], printed, strict=False):
        best = best_first(whole.folder, groups[group])[:3]
        assert (found["of"], found["trials"]) == (group, len(groups[group]))
        assert [entry["trial"] for entry in found["top"]] == best
        title, _, _, *lines = text.splitlines()
        assert title == f"{group}: the best {len(best)} of {len(groups[group])} trials"
        for number, entry, line in zip(best, found["top"], lines, strict=True):
            assert {key: str(value) for key, value in entry.items()} == written[number]
            values = [f"{float(written[number][key]):.5g}" for key in (LAMBDA, ETA)]
            shown = [f"{float(written[number][f'{part}_accuracy']):.4f}" for part in ("train", "validation")]
            assert line.split() == [str(number), *values, *shown]


def test_the_best_is_shown_with_the_number_of_those_not_significantly_worse(whole: Whole) -> None:
    folder, out = whole.folder, whole.done.out
    top, best = read(folder, "top.json"), best_first(folder, range(1, 10))[0]
    assert top["best"]["trial"] == best
    assert f"\nbest: trial {best}, {LAMBDA} {top['best'][LAMBDA]:.5g}, " in out
    noise = 0.32 / 20  # of 400 images
    near = sum(max(accuracies(folder)) - value <= 2 * 2**0.5 * noise for value in accuracies(folder)) - 1
    assert top["standard_error"] == pytest.approx(noise)
    assert top["not_told_from_the_best"] == near
    shown = re.search(
        r"(\d+) other trials? (is|are) not significantly worse \(within twice the standard", out
    )
    assert int(shown[1] if shown else 0) == near
    assert (
        "accuracy: 0.0160, assumed for one seed and 400 images; more seeds reduce it: --seeds 3\n" in out
    ) == (near > 0)


def test_the_best_config_trains_to_what_it_was_the_best_by(whole: Whole) -> None:
    place, done = whole.place, whole.done
    command = next(line for line in done.out.splitlines() if line.startswith("next:"))
    assert command == "next:    cifarmlp train runs/tiny-001/best.yaml --repeats 20"
    alone = on_few_images("train", f"{RUN}/best.yaml", "--json", "--out", "best", cwd=place)
    (result,) = alone.json["results"]
    assert (place / "best" / "tiny-best-001").is_dir()
    best = read(whole.folder, "top.json")["best"]
    assert result["validation"]["accuracy"] == pytest.approx(best["validation_accuracy"], abs=3e-4)
    assert load_config(whole.folder / "best.yaml").search is None


def test_the_figure_has_the_rows_by_stage_and_an_axis_as_each_field_was_drawn(copied: Path) -> None:
    with mock.patch("cifarmlp.search.summary.draw_trials") as figure:
        resume(copied)
    ((stages, logarithmic), _) = figure.call_args
    assert {stage: [row["trial"] for row in some] for stage, some in stages.items()} == {
        "coarse": [1, 2, 3, 4, 5],
        "fine": [6, 7, 8, 9],
    }
    assert logarithmic == {LAMBDA: True, ETA: False}
    assert list(logarithmic) == [LAMBDA, ETA]
    written = trials(copied)
    for row in stages["coarse"] + stages["fine"]:
        assert {key: str(value) for key, value in row.items()} == written[row["trial"]]


# One stage after the other


def test_the_coarse_stage_alone(coarse: Path, whole: Whole) -> None:
    both = table(whole.folder)
    assert table(coarse / RUN) == {number: both[number] for number in range(1, 6)}
    assert [found["of"] for found in read(coarse / RUN, "top.json")["tables"]] == ["coarse"]


def test_one_stage_after_the_other_is_both_in_one(coarse: Path, whole: Whole) -> None:
    done = search("c.yaml", "--fine", "--out", "fine", "--from", RUN, cwd=coarse)
    found = coarse / "fine" / "tiny-001"
    assert table(found) == table(whole.folder)
    assert without_seconds(read(found, "top.json")) == without_seconds(read(whole.folder, "top.json"))
    assert (found / "best.yaml").read_text() == (whole.folder / "best.yaml").read_text()
    assert read(found, "search.json")["coarse_from"] == RUN
    assert len(done.err.splitlines()) == 4  # what was trained now


def without_seconds(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: without_seconds(value) for key, value in found.items() if key != "seconds"}
    return [without_seconds(value) for value in found] if isinstance(found, list) else found


def change_plan(folder: Path, **changes: Any) -> None:
    """Change search.json."""
    (folder / "search.json").write_text(json.dumps({**read(folder, "search.json"), **changes}))


def test_the_newest_finished_coarse_search_of_the_same_config_is_refined(coarse: Path, place: Path) -> None:
    runs = place / "runs"
    for number in range(1, 9):
        shutil.copytree(coarse / RUN, runs / f"tiny-00{number}")
    change_plan(runs / "tiny-004", status="interrupted")
    change_plan(runs / "tiny-005", status="running")
    change_plan(runs / "tiny-006", stages=["fine"])
    change_plan(runs / "tiny-007", stages=[])
    other = (runs / "tiny-008" / "config.yaml").read_text().replace("steps: 30", "steps: 31")
    (runs / "tiny-008" / "config.yaml").write_text(other)
    (runs / "tiny-009").mkdir()  # such as a training's
    (runs / "other-010").mkdir()
    search("c.yaml", "--fine", cwd=place)
    assert read(runs / "tiny-010", "search.json")["coarse_from"] == "runs/tiny-003"


def test_the_coarse_stage_that_is_to_be_refined_must_have_finished(coarse: Path, place: Path) -> None:
    shutil.copytree(coarse / "runs", place / "runs")
    change_plan(place / RUN, status="interrupted")
    done = search("c.yaml", "--fine", "--from", RUN, cwd=place, code=2)
    assert_refused(done, f"cifarmlp search --resume {RUN}")


def test_a_refined_search_may_be_refined_anew_with_other_fine_ranges(copied: Path) -> None:
    space = f"search.fine.space={{{LAMBDA}: {{uniform_within: 0.05}}}}"
    search("c.yaml", "--fine", "--set", space, cwd=copied.parents[1])
    first, second = table(copied), table(copied.with_name("tiny-002"))
    assert len(second) == 9
    for number in range(1, 10):
        assert (first[number] == second[number]) == (number <= 5)
        assert (first[number][-3:] == second[number][-3:]) == (number <= 5), "nothing was trained anew"


def test_fine_values_that_make_no_config_leave_a_coarse_stage_to_refine(tmp_path: Path) -> None:
    rates = "training.schedule.eta_min: {{{}}}", "training.schedule.eta_max: {{{}}}"
    coarse = [
        rate.format(f"uniform: {ends}") for rate, ends in zip(rates, ([0, 0.06], [0.05, 0.1]), strict=True)
    ]
    fine = "".join(f"      {rate.format('uniform_within: 0.06')}\n" for rate in rates)
    text = f"{with_space(*coarse)}  fine:\n    trials: 20\n    space:\n{fine}"
    place = place_with(text.replace("trials: 4", "trials: 3"), tmp_path)
    done = search("c.yaml", cwd=place, code=2)
    assert re.fullmatch(r"error: trial \d+: .* below eta_min, .*", done.err.splitlines()[-1])
    narrower = "search.fine.space={training.schedule.eta_min: {uniform_within: 1.0e-5}, "
    narrower += "training.schedule.eta_max: {uniform_within: 1.0e-5}}"
    search("c.yaml", "--fine", "--trials", "1", "--set", narrower, cwd=place)
    assert len(trials(place / "runs" / "tiny-002")) == 3 + 3


def test_the_number_of_trials_may_differ_between_the_stages(coarse: Path) -> None:
    search("c.yaml", "--fine", "--trials", "1", "--out", "few", "--from", RUN, cwd=coarse)
    assert len(trials(coarse / "few" / "tiny-001")) == 5 + 2


# Options


def test_several_seeds_a_trial_give_its_mean(place: Path) -> None:
    done = search("c.yaml", "--coarse", "--trials", "2", "--seeds", "2", cwd=place)
    each, top = seeds(place / RUN), read(place / RUN, "top.json")
    assert sorted(each) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert len(done.err.splitlines()) == 2  # a line a trial, not one a seed
    for number, row in trials(place / RUN).items():
        for name in MEASURED:
            mean = np.mean([float(each[number, seed][name]) for seed in (1, 2)])
            assert float(row[name]) == pytest.approx(mean)
    for entry in top["tables"][0]["top"]:
        pair = [float(each[entry["trial"], seed]["validation_accuracy"]) for seed in (1, 2)]
        assert entry["validation_std"] == pytest.approx(np.std(pair, ddof=1))
        assert f"{np.mean(pair):.4f} ± {np.std(pair, ddof=1):.4f}" in done.out
    variances = [entry["validation_std"] ** 2 / 2 for entry in top["tables"][0]["top"]]
    assert top["standard_error"] == pytest.approx(np.sqrt(np.mean(variances)))
    values = {key: trials(place / RUN)[2][key] for key in (LAMBDA, ETA)}
    assert_same_as_alone({**each[2, 2], **values}, place, LAMBDA, ETA, seed=2)


def test_more_seeds_than_the_coarse_search_had_are_refused_in_plain_words(coarse: Path) -> None:
    done = search("c.yaml", "--fine", "--seeds", "2", "--out", "s", "--from", RUN, cwd=coarse, code=2)
    assert_refused(done, "seed")


def test_fewer_trials_and_more_of_the_best(place: Path) -> None:
    done = search("c.yaml", "--trials", "3", "--top", "1", "--json", "--quiet", cwd=place)
    assert done.err == ""
    assert len(trials(place / RUN)) == 3 + 2 * 3
    ended = {"run": RUN, "status": "finished", "stopped": 0, "diverged": 0, "failed": 0}
    assert done.json == {**ended, **read(place / RUN, "top.json")}
    assert [len(found["top"]) for found in done.json["tables"]] == [1, 1, 1]


def test_a_dry_run_writes_nothing_and_says_what_there_is_to_train(place: Path) -> None:
    done = search("c.yaml", "--dry-run", cwd=place)
    assert [path.name for path in place.iterdir()] == ["c.yaml"]
    assert f"coarse: 5 trials of {LAMBDA}, {ETA}" in done.out
    assert f"fine: 4 trials of {LAMBDA}, {ETA}" in done.out
    assert re.search(r"about \d+ (s|min), \d+ MB in each process", done.out)
    assert done.err == ""


def test_no_more_populations_gain_time_than_there_are_cores(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(populations: Sequence[object], jobs: int) -> Estimate:
        at_once.append(jobs)
        return Estimate(1.0, 1.0)

    at_once: list[int] = []
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    monkeypatch.setattr(plan, "estimate", note)
    for jobs, at_a_time in (("2", 2), ("8", 4)):  # as there are four populations
        done = cifarmlp("search", "c.yaml", "--coarse", "--jobs", jobs, "--dry-run", cwd=place)
        assert f"{at_a_time} at a time" in done.out
    assert at_once == [2, 4]


def test_a_dry_run_of_a_finished_search_finds_nothing_to_train(copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.iterdir()}
    done = resume(copied, "--dry-run")
    assert done.out.count("nothing left to train") == 2
    assert {path: path.stat().st_mtime_ns for path in copied.iterdir()} == before


def test_progress_is_a_line_a_trial_off_a_terminal(whole: Whole) -> None:
    lines, written = whole.done.err.splitlines(), trials(whole.folder)
    assert len(lines) == 9
    best = ""
    form = (
        r"trial (\d+): (.+): validation accuracy (0\.\d{4}); (\d) of (\d) done, (\d) running, "
        r"best (0\.\d{4}) \(trial (\d)\)(, about \d+ s left)?"
    )
    for line in lines:
        match = re.fullmatch(form, line)
        assert match, line
        number, values, accuracy, finished, total, begun, best, _, left = match.groups()
        row = written[int(number)]
        assert accuracy == f"{float(row['validation_accuracy']):.4f}"
        assert values == ", ".join(f"{key} {float(row[key]):.5g}" for key in (LAMBDA, ETA))
        assert int(total) == (5 if int(number) <= 5 else 4)
        assert int(finished) + int(begun) <= int(total)
        assert (begun == "0") == (finished == total)
        assert (left is None) == (finished == total)
    assert best == f"{max(accuracies(whole.folder)):.4f}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_bar_a_stage_on_a_terminal(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    done = search("c.yaml", "--trials", "2", cwd=place, err=Terminal())
    assert done.err.count("\n") == 2, done.err
    for line, stage, total in zip(done.err.split("\n"), ("coarse", "fine"), (2, 4), strict=False):
        last = line.rstrip().split("\r")[-1]
        assert stage in last
        assert f"{total} of {total} done, 0 running, best 0." in last
        assert not re.search(r"\| ?,", last)


# Trials that end badly, and others


def test_a_trial_that_diverges_is_a_row(place: Path) -> None:
    space = f"search.coarse={{trials: 8, space: {{{ETA}: {{log_uniform: [0.01, 1.0e+30]}}}}}}"
    done = search("c.yaml", "--coarse", "--set", space, "--set", "network.batch_norm=false", cwd=place)
    written = trials(place / RUN)
    wild = [row for row in written.values() if row["status"] == "diverged"]
    assert 0 < len(wild) < 8
    assert {row["validation_accuracy"] for row in wild} == {"nan"}
    assert all(float(row[ETA]) > 1 for row in wild)
    assert f"{len(wild)} trial{'s' * (len(wild) > 1)} diverged" in done.out
    assert len([line for line in done.err.splitlines() if ": diverged; " in line]) == len(wild)
    assert len(written) == len(done.err.splitlines()) == 8
    listed = {entry["trial"] for entry in read(place / RUN, "top.json")["tables"][0]["top"]}
    assert not listed & {int(row["trial"]) for row in wild}
    assert (place / RUN / "search.png").exists()


ALL_DIVERGE = [
    *("--set", "network.batch_norm=false"),
    *("--set", f"search.coarse={{trials: 3, space: {{{ETA}: {{uniform: [1.0e+29, 1.0e+30]}}}}}}"),
    *("--set", f"search.fine.space={{{ETA}: {{between_best: true}}}}"),
]


@pytest.mark.parametrize("stage", [[], ["--coarse"]])
def test_where_all_trials_diverge_there_is_a_table_and_no_best(stage: list[str], place: Path) -> None:
    done = search("c.yaml", *ALL_DIVERGE, *stage, cwd=place)
    folder = place / RUN
    assert [row["status"] for row in trials(folder).values()] == ["diverged"] * 3
    assert "no trial has finished" in done.out
    assert "3 trials diverged" in done.out
    assert read(folder, "top.json")["best"] is None
    assert read(folder, "search.json")["status"] == "finished"
    assert not (folder / "best.yaml").exists()
    assert len(done.err.splitlines()) == 3, "nothing but a line a trial"
    assert resume(folder) == Done(0, done.out, "")


def test_a_dry_run_of_trials_that_all_diverge(place: Path) -> None:
    done = search("c.yaml", *ALL_DIVERGE, "--dry-run", cwd=place)
    assert done.out.count("about") == 2


def test_trials_that_could_not_be_trained_are_rows_and_trained_again_when_resumed(place: Path) -> None:
    with mock.patch.object(run, "train_population", side_effect=MemoryError("12 GB")):
        done = search("c.yaml", "--coarse", cwd=place, code=1)
    assert {row["status"] for row in trials(place / RUN).values()} == {"failed"}
    assert "5 trials failed: " in done.out
    assert f"next:    cifarmlp search --resume {RUN}\n" in done.out
    resume(place / RUN)
    assert {row["status"] for row in trials(place / RUN).values()} == {"finished"}


def with_space(*fields: str) -> str:
    """The config with a coarse stage of these fields only."""
    lines = "".join(f"      {field}\n" for field in fields)
    return f"{CONFIG.split('  coarse:')[0]}  coarse:\n    trials: {2 * len(fields)}\n    space:\n{lines}"


def test_fields_that_a_population_must_share_can_be_searched(tmp_path: Path) -> None:
    fields = "training.batch_size: {grid: [50, 100]}", "training.lambda: {uniform: [0, 1]}"
    place = place_with(with_space(*fields), tmp_path)
    search("c.yaml", cwd=place)
    written = trials(place / RUN)
    assert [row["training.batch_size"] for row in written.values()] == ["50", "100", "50", "100"]
    for number in (3, 4):
        assert_same_as_alone(written[number], place, "training.batch_size", LAMBDA)


def test_networks_and_optimisers_can_be_searched(tmp_path: Path) -> None:
    fields = (
        "network.hidden: {grid: [[8], [8, 6]]}",
        "network.batch_norm: {values: [true, false]}",
        "network.init: {values: [he, {sigma: 0.05}]}",
        "training.optimiser: {values: [sgd, {kind: momentum, rho: 0.5}]}",
        "training.lambda: {uniform: [0, 0.01]}",
    )
    fine = "  fine:\n    trials: 1\n    centres: 1\n    space: {training.lambda: {uniform_within: 0.001}}\n"
    place = place_with(with_space(*fields).replace("trials: 10", "trials: 4") + fine, tmp_path)
    done = search("c.yaml", cwd=place)
    written, top = trials(place / RUN), read(place / RUN, "top.json")
    assert [row["network.hidden"] for row in written.values()][:4] == ["[8]", "[8, 6]"] * 2
    keys = [field.split(":")[0] for field in fields]
    for number in (2, 3):
        assert_same_as_alone(written[number], place, *keys)
    best, centre = top["best"], top["tables"][0]["top"][0]
    assert isinstance(best["network.hidden"], list)
    assert isinstance(best["network.batch_norm"], bool)
    for key in keys[:-1]:
        assert top["tables"][1]["top"][0][key] == centre[key], "the fine stage keeps them"
    assert f"network.hidden {written[best['trial']]['network.hidden']}, " in done.out
    assert load_config(place / RUN / "best.yaml").network.hidden == tuple(best["network.hidden"])


def test_the_seed_can_be_searched(tmp_path: Path) -> None:
    place = place_with(with_space("seed: {grid: [3, 4]}"), tmp_path)
    search("c.yaml", "--seeds", "2", cwd=place)
    assert read(place / RUN, "search.json")["stages"] == ["coarse"]
    each = seeds(place / RUN)
    assert sorted(each) == [(1, 3), (1, 4), (2, 4), (2, 5)]
    assert [row["seed"] for row in trials(place / RUN).values()] == ["3", "4"]
    one, other = (each[trial, 4] for trial in (1, 2))
    assert one["validation_loss"] == other["validation_loss"] != each[1, 3]["validation_loss"]
    assert_same_as_alone(one, place, seed=4)


def test_little_memory_makes_smaller_populations_and_the_same_table(
    place: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarmlp.search.plan.free_memory", lambda: 0.0)
    search("c.yaml", "--coarse", "--trials", "3", cwd=place)
    found, both = trials(place / RUN), trials(whole.folder)
    for number, row in found.items():
        for name in MEASURED:
            assert float(row[name]) == pytest.approx(float(both[number][name]), abs=3e-4)


# Side by side, and from where it stopped


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """What the search of several populations comes to in one process, without interruption."""
    place = place_with(SEPARATE, tmp_path_factory.mktemp("separate"))
    search("c.yaml", cwd=place)
    assert len(table(place / RUN)) == 16
    return table(place / RUN)


@pytest.mark.slow
def test_two_processes_find_the_same_as_one(coarse: Path, place: Path) -> None:
    with running("c.yaml", "--coarse", "--jobs", "2", cwd=place) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert sorted(line.split(":")[0] for line in err.splitlines()) == [f"trial {n}" for n in range(1, 6)]
    assert table(place / RUN) == table(coarse / RUN)


@pytest.mark.parametrize(
    ("jobs", "least"),
    [pytest.param(2, 1, marks=pytest.mark.slow, id="coarse"), pytest.param(1, 9, id="fine")],
)
def test_what_was_killed_is_resumed(jobs: int, least: int, tmp_path: Path, separate: Table) -> None:
    place = place_with(SEPARATE, tmp_path)
    with running("c.yaml", "--jobs", str(jobs), cwd=place, KILL=str(least)) as process:
        assert process.wait(timeout=120) == -signal.SIGKILL
    before = count_ended(place)
    assert least <= before < 16
    assert read(place / RUN, "search.json")["status"] == "running"
    done = resume(place / RUN)
    assert table(place / RUN) == separate
    assert read(place / RUN, "search.json")["status"] == "finished"
    assert len(done.err.splitlines()) == 16 - before, "what was there was trained again"


@pytest.mark.parametrize("step", ["claim_search", "write_results", "write_plan", "map_unordered"])
def test_what_was_killed_before_a_fine_trial_had_ended_is_resumed_or_begun_anew(
    step: str, coarse: Path, whole: Whole, place: Path
) -> None:
    shutil.copytree(coarse / "runs", place / "runs")
    with mock.patch.object(run, step, side_effect=KeyboardInterrupt):  # ends it there and then
        search("c.yaml", "--fine", cwd=place, code=130)
    shutil.rmtree(place / RUN)  # nobody needs it any more
    done = search("--resume", "runs/tiny-002", cwd=place, code=4 if step == "claim_search" else 0)
    if step == "claim_search":
        assert_refused(done, "has no search.json")
    else:
        assert table(place / "runs" / "tiny-002") == table(whole.folder)


def test_ctrl_c_ends_a_search_in_good_order_and_it_can_be_resumed(tmp_path: Path, separate: Table) -> None:
    place = place_with(SEPARATE, tmp_path)
    with held(place, LATE, "search", "c.yaml", "--jobs", "2", script=PROCESS) as process:
        until(lambda: count_ended(place) > 0, process)
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        (place / "go").touch()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert time.monotonic() - begun < 20
    assert "Traceback" not in err
    assert read(place / RUN, "search.json")["status"] == "interrupted"
    assert 0 < len(trials(place / RUN)) < 16
    (command,) = [line for line in out.splitlines() if line.startswith("next:")]
    assert command == f"next:    cifarmlp search --resume {RUN}"
    _, _, _, *args = shlex.split(command)
    search(*args, cwd=place)
    assert table(place / RUN) == separate


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_search_at_work_is_alone_in_its_folder_and_ends_at_once_by_sigterm(jobs: int, place: Path) -> None:
    args = ["--set", "training.steps=1000000", "--jobs", str(jobs), "--seeds", "2"]
    with running("c.yaml", *args, cwd=place) as process:
        until((place / RUN / "search.json").exists, process)
        if jobs > 1:
            until(lambda: len([*workers_of(process.pid)]) == jobs, process)
        time.sleep(1)
        who = f"process {process.pid} on {socket.gethostname()}"
        assert_refused(resume(place / RUN, code=4), f"{RUN}: {who} is at work in it since ")
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 143
    assert time.monotonic() - begun < 20
    assert err == ""
    assert f"next:    cifarmlp search --resume {RUN}\n" in out
    assert read(place / RUN, "search.json")["status"] == "interrupted"
    done = resume(place / RUN, "--dry-run")
    assert f"coarse: 5 trials of {LAMBDA}, {ETA}, 2 seeds each" in done.out


def workers_of(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            yield int(child)


def test_a_search_survives_its_workers(tmp_path: Path, separate: Table) -> None:
    place = place_with(SEPARATE, tmp_path)
    with held(place, LATE, "search", "c.yaml", "--coarse", "--jobs", "2", script=PROCESS) as process:
        until(lambda: count_ended(place) > 0, process)
        worker = next(place.glob("held-*")).name.removeprefix("held-")
        os.kill(int(worker), signal.SIGKILL)
        (place / "go").touch()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert table(place / RUN) == {n: row for n, row in separate.items() if n <= 8}


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_sixty_trials_killed_at_five_random_moments(jobs: int, tmp_path: Path) -> None:
    chance = random.Random(jobs)
    text = SEPARATE.replace("trials: 8", "trials: 60")
    text = text.replace("training.steps: {grid: [40, 45, 50, 60]}", f"seed: {{grid: {[*range(1, 31)]}}}")
    text = text.replace("validation: 400", "train_batches: [1], validation_batches: [2]")
    text = text.replace(
        "training: {", "training: {steps: 400, "
    )  # so long that five kills never meet the end
    place = place_with(text, tmp_path)
    whole = cifarmlp("search", "c.yaml", "--coarse", "--out", "whole", "--jobs", 1, cwd=place)
    assert whole.code == 0, whole.err
    wanted = table(place / "whole" / "tiny-001")
    assert len(wanted) == 60
    for args in [["c.yaml", "--coarse"], *[["--resume", RUN]] * 4]:
        with running(*args, "--jobs", str(jobs), cwd=place, module="cifarmlp") as process:
            least = count_ended(place) + chance.randrange(6)
            until(lambda least=least: count_ended(place) >= least, process)
            until((place / RUN / "search.json").exists, process)
            time.sleep(chance.random() / 5)
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
    assert 0 < count_ended(place) < 60
    assert cifarmlp("search", "--resume", RUN, "--jobs", jobs, cwd=place).code == 0
    assert table(place / RUN) == wanted


# A folder that is whole again, or damaged


@pytest.mark.usefixtures("no_training")
def test_a_finished_search_that_is_resumed_says_the_same_again(copied: Path, whole: Whole) -> None:
    before = (copied / "trials.csv").read_bytes()
    done = resume(copied)
    assert done == Done(0, whole.done.out, "")
    assert (copied / "trials.csv").read_bytes() == before
    again = search("c.yaml", "--resume", RUN, cwd=copied.parents[1])
    assert again == done


@pytest.mark.usefixtures("no_training")
def test_files_that_are_missing_or_torn_are_whole_again_and_stray_ones_are_gone(copied: Path) -> None:
    names = ["trials.csv", "top.json", "best.yaml"]
    before = [(copied / name).read_bytes() for name in names]
    for name in [*names, "search.png"]:
        (copied / name).unlink()
    (copied / ".trials.csv.x1y2.tmp").write_bytes(before[0][:100])
    resume(copied)
    assert [(copied / name).read_bytes() for name in names] == before
    assert (copied / "search.png").exists()
    assert not list(copied.glob(".*.tmp"))
    (copied / "trials.csv").write_bytes(before[0][:-15])
    resume(copied)
    assert (copied / "trials.csv").read_bytes() == before[0]


def garbled(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([lines[0], *lines[2:4], b'\xff\xfe\x00,,"', *lines[5:]])


DAMAGED_ROWS = {
    "cut": lambda data: data[: len(data) // 2],
    "cut in its last row": lambda data: data.rstrip().rpartition(b",")[0][:-3],
    "garbled": garbled,
    "without header": lambda data: data.split(b"\n", 1)[1],
    "overlong": lambda data: data + b'"' + b"x" * 200_000,
}


@pytest.mark.parametrize("damage", DAMAGED_ROWS)
def test_rows_that_are_damaged_are_trained_again(damage: str, copied: Path, whole: Whole) -> None:
    path = copied / "seeds.csv"
    path.write_bytes(DAMAGED_ROWS[damage](path.read_bytes()))
    resume(copied)
    assert table(copied) == table(whole.folder)
    assert len(rows(path)) == 9
    assert {row["reason"] for row in rows(path)} == {""}


def test_a_fine_search_whose_rows_are_gone_trains_its_own_again(
    coarse: Path, whole: Whole, place: Path
) -> None:
    shutil.copytree(coarse / "runs", place / "runs")
    search("c.yaml", "--fine", cwd=place)
    folder = place / "runs" / "tiny-002"
    (folder / "seeds.csv").unlink()
    search("--resume", "runs/tiny-002", cwd=place)
    both = table(whole.folder)
    assert table(folder) == {number: both[number] for number in range(6, 10)}


DAMAGE = {
    "search.json": [None, b"", b"[]", b'{"stages": ["coarse"]}', b"\xff\x00{", b"nonsense"],
    "config.yaml": [None, b"", b"search: 1", b"\xff\x00", b"name: tiny\n"],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, content) for name, contents in DAMAGE.items() for content in contents]
)
def test_a_damaged_folder_is_refused(name: str, content: bytes | None, copied: Path) -> None:
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_bytes(content)
    assert_refused(resume(copied, code=4), RUN)


# Bad input


def assert_refused(done: Done, words: str) -> None:
    """A command ended with one line, and nothing else."""
    assert "Traceback" not in done.err
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert done.out == ""


def one_field(key: str, draw: str) -> list[str]:
    return ["--set", f"search.coarse.space={{{key}: {draw}}}", "--set", "search.fine=null"]


BETWEEN_WIDTHS = [
    *("--set", "search.coarse.space={network.hidden: {values: [[8], [9]]}}"),
    *("--set", "search.fine.space={network.hidden: {between_best: true}}"),
]
WRONG = {
    "empty range": (one_field(LAMBDA, "{uniform: [0.5, 0.5]}"), 2, "from a smaller to a larger number"),
    "inverted range": (one_field(LAMBDA, "{log_uniform: [0.1, 0.01]}"), 2, "from a smaller to a larger"),
    "not numeric": (one_field("network.batch_norm", "{uniform: [1, 2]}"), 2, "not a numeric field"),
    "no trials": (["--set", "search.coarse.trials=0"], 2, "search.coarse.trials is 0"),
    "no fine trials": (["--set", "search.fine.trials=0"], 2, "search.fine.trials is 0"),
    "nothing to refine": (["--fine"], 2, "no finished coarse search of tiny"),
    "refining no folder": (["--fine", "--from", "nowhere"], 4, "nowhere"),
    "refining what is no search": (["--fine", "--from", "."], 4, "not the folder of a search"),
    "refining besides a coarse search": (["--from", "."], 2, "--from"),
    "resuming no folder": (["--resume", "nowhere"], 4, "nowhere"),
    "no section": (["--set", "search=null"], 2, "search"),
    "no fine section": (["--fine", "--set", "search.fine=null"], 2, "search.fine"),
    "no such config": (
        one_field("training.schedule.eta_min", "{uniform: [0.2, 0.3]}"),
        2,
        "trial 4: ",  # whose eta_max is lower than that
    ),
    "no numbers around a centre": (BETWEEN_WIDTHS, 2, "network.hidden has values that are no numbers"),
    "another judge": (
        one_field("data.validation", "{values: [1, 9]}"),
        2,
        "data.validation cannot be search",
    ),
    "no such seed": (["--seed", "4294967295", "--seeds", "2"], 2, "trial 1: "),
    "out is a file": (["--out", "c.yaml"], 4, "c.yaml"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_bad_input_is_one_line_its_exit_code_and_nothing_written(fault: str, place: Path) -> None:
    args, code, words = WRONG[fault]
    assert_refused(search("c.yaml", *args, cwd=place, code=code), words)
    assert [path.name for path in place.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize("option", ["--trials", "--seeds", "--top", "--jobs"])
def test_none_of_something_is_refused(option: str, place: Path) -> None:
    done = cifarmlp("search", "c.yaml", option, "0", cwd=place)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(f"Error: Invalid value for '{option}'")
    assert [path.name for path in place.iterdir()] == ["c.yaml"]


OTHERS = {
    "refining another config": (["c.yaml", "--fine", "--from"], ["--set", "training.steps=31"]),
    "refining another seed": (["c.yaml", "--fine", "--from"], ["--seed", "2"]),
    "resuming another config": (["c.yaml", "--resume"], ["--set", "network.hidden=[9]"]),
    "resuming other ranges": (
        ["c.yaml", "--resume"],
        ["--set", "search.fine.space.training.lambda={uniform_within: 0.1}"],
    ),
    "resuming other stages": (["--resume"], ["--coarse"]),
    "resuming other seeds": (["--resume"], ["--seeds", "3"]),
    "resuming more trials": (["--resume"], ["--trials", "9"]),
    "resuming with a change": (["--resume"], ["--set", "training.steps=31"]),
}


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("fault", OTHERS)
def test_another_search_than_that_of_the_folder_is_refused(fault: str, copied: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.iterdir()}
    command, args = OTHERS[fault]
    assert_refused(search(*command, "runs/tiny-001", *args, cwd=copied.parents[1], code=2), "")
    assert {path: path.stat().st_mtime_ns for path in copied.iterdir()} == before
