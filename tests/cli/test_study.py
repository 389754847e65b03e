"""The command `study`, from a user's own files to the page, and through every way of ending early."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers import command as here
from helpers import tiny
from helpers.command import SMALL, Done, held

from cifarmlp import parallel
from cifarmlp.errors import DataError
from cifarmlp.render import curves, overlay, svg, trials
from cifarmlp.study import plan, run
from cifarmlp.training.estimate import Estimate

BASE = """\
data: {validation: 100}
network: {hidden: [8, 6], batch_norm: true}
training:
  batch_size: 20
  lambda: 0.001
  schedule: {kind: cyclic, eta_min: 1.0e-5, eta_max: 0.1, n_s: 20, cycles: 2}
"""
WIDE = """\
extends: base.yaml
training: {steps: 40, schedule: {eta_max: 0.01}}  # slow enough that rounding stays what it is
search:
  coarse: {trials: 4, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}
  fine: {trials: 2, centres: 2, space: {training.lambda: {uniform_within: 0.001}}}
"""
STUDY = """\
title: Small things
text: What is to be seen on small images.
base: base.yaml
repeats: 2
sections:
  - title: Gradients
    gradcheck:
      - {name: with norm, reported: {W1: 0.4, W2: 1.0e-7, gamma9: 0.0}}
      - {name: mistaken, mistake: constant statistics, reported: {W1: 0.4, W3: 1.0e-9}}
  - title: "Accuracies: norm or not"
    experiments:
      - {name: "a: norm", repeats: 3, reported: {accuracy: [null, 0.5, 0.95]}, note: It is the base.}
      - name: "b: bare"
        set: {network.batch_norm: false, training.schedule.eta_max: 0.01, training.batch_size: 10,
              training.steps: 100}
    comparisons:
      - {claim: norm helps, of: ["a: norm", "b: bare"]}
  - title: "Limits: accuracies that are none"
    curves: false
    experiments:
      - name: "c: lost"
        set: {training.schedule: {kind: constant, eta: 1.0e+9, epochs: 4}, network.batch_norm: false}
        reported: {status: diverged}
      - name: "d: stuck"
        set: {network.init: {sigma: 1.0e-9}, network.batch_norm: false}
        reported: {accuracy: [0.1, 0.1, 0.1]}
    comparisons:
      - {claim: norm is needed, of: ["a: norm", "d: stuck"], expected: only the first trains}
  - title: Search
    search:
      config: wide.yaml
      reported:
        coarse: [{values: {training.lambda: 0.001}, validation: 0.9}]
        best: {training.lambda: 0.001}
  - title: Words
    text: There is nothing to train here.
"""
OTHER = """\
title: Another study
base: base.yaml
repeats: 1
sections:
  - {title: One, experiments: [{name: short, set: {training.steps: 10}}]}
"""
DRAWN = {
    "cifarmlp.training.curves.draw_seeds": curves.draw_seeds,
    "cifarmlp.report.comparison.draw_overlay": overlay.draw_overlay,
    "cifarmlp.report.search.draw_trials": trials.draw_trials,
    "cifarmlp.search.summary.draw_trials": trials.draw_trials,
    "cifarmlp.render.svg.inline": svg.inline,
}
RUN = Path("runs") / "s-001"
LATE = "step 90"  # of b, the only one that has so many steps, and not the first to be trained


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in ("data", "training.workers", "search.run", "search.worker", "study.plan"):
            patch.setattr(f"cifarmlp.{module}.load", tiny.dataset)
        patch.setattr("cifarmlp.training.run._draw", lambda *_: None)
        for name in DRAWN:
            patch.setattr(name, lambda *_, **__: tiny.Figure())
        patch.setattr("cifarmlp.render.svg.inline", lambda figure, prefix, alt: "<svg></svg>")
        yield


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw them after all, which takes most of the time of so small a study."""
    for name, drawn in DRAWN.items():
        monkeypatch.setattr(name, drawn)


def ends(*args: object, cwd: Path, code: int = 0) -> Done:
    """A command that ends with this code, and without a traceback."""
    done = here.cifarmlp(*args, cwd=cwd)
    assert done.code == code, done
    assert "Traceback" not in done.err
    return done


def study(*args: str, cwd: Path, code: int = 0) -> Done:
    """The command, on the tiny images."""
    return ends("study", *args, "--jobs", "1", cwd=cwd, code=code)


def refused(*args: object, cwd: Path, code: int) -> str:
    """The one line that a command is refused with."""
    done = ends(*args, cwd=cwd, code=code)
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    return line


def place_with(path: Path, **files: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    texts = {"s": STUDY, "base": BASE, "wide": WIDE, "other": OTHER, **files}
    for name, text in texts.items():
        (path / f"{name}.yaml").write_text(text)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the study s.yaml and its configs."""
    return place_with(tmp_path / "place")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A place where the study was carried out, and what was printed. Not to be changed."""
    place = place_with(tmp_path_factory.mktemp("whole"))
    return place, study("s.yaml", cwd=place)


@pytest.fixture
def ended(whole: tuple[Path, Done], tmp_path: Path) -> Path:
    """A copy of that, to be changed."""
    shutil.copytree(whole[0], tmp_path / "ended")
    return tmp_path / "ended"


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(task: object) -> None:
        raise AssertionError(f"{task} was trained")

    monkeypatch.setattr("cifarmlp.study.run.train_in_worker", train)
    monkeypatch.setattr("cifarmlp.search.run.train_population", train)
    monkeypatch.setattr(run, "gradient_and_decay_at", train)
    monkeypatch.setattr("cifarmlp.study.run.run_checks", train)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def accuracies(folder: Path) -> dict[str, float]:
    """The test accuracy of each training in a study, and the accuracies of its search's trials."""
    found = {}
    for path in sorted(folder.rglob("result.json")):
        found[str(path.parent.relative_to(folder))] = read(path)["test"] and read(path)["test"]["accuracy"]
    for path in folder.rglob("trials.csv"):
        rows = [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()]
        found |= {f"{path.parent.name} {row}": 1.0 for row in rows}
    return found


def verdicts(out: str) -> str:
    """What was printed, without folders and times."""
    return out.split("study:")[0]


def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


class Parsed(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


# A whole study


def test_a_study_leaves_its_runs_its_record_and_a_page(whole: tuple[Path, Done]) -> None:
    place, _ = whole
    folder = place / RUN
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {"a-norm", "b-bare", "c-lost", "d-stuck", "s-search-001", "study.json", "report.html"}
    assert {path.name for path in (folder / "a-norm").glob("seed-*")} == {"seed-1", "seed-2", "seed-3"}
    assert {path.name for path in (folder / "b-bare").glob("seed-*")} == {"seed-1", "seed-2"}
    record = read(folder / "study.json")
    assert (record["status"], record["copied"]) == ("finished", 0)
    assert list(record["checks"]) == ["with norm", "mistaken"]
    assert list(record["pulls"]) == ["d: stuck"]
    assert {row["step"] for row in record["pulls"]["d: stuck"]} == {0, 80}


def test_every_verdict_is_printed(whole: tuple[Path, Done]) -> None:
    _, done = whole
    lines = done.out.splitlines()

    def line(*words: str) -> str:
        (found,) = [line for line in lines if all(word in line for word in words)]
        return found

    assert lines[1] == "Small things"
    assert line("with norm", "W1").endswith("theirs is wrong, ours is right")
    assert line("W2").endswith("holds: both are right")
    assert line("gamma9").endswith("no such parameter here")
    assert line("a: norm", "validation accuracy")
    assert line("test accuracy", "0.9500", "(n = 3)").endswith("outside the spread: above ours")
    assert line("norm helps", "test accuracy, a minus b", "(n = 2)")
    assert line("c: lost").endswith("holds: diverged with every seed")
    assert line("d: stuck", "train accuracy").endswith("holds: at chance level")
    assert line("norm is needed", "3 of 3 seeds train, against 0 of 2").endswith("holds with every seed")
    assert line("coarse: lambda 0.001", "(n = 5)")
    assert line("best setting")
    assert lines[-1] == f"page:    {RUN / 'report.html'}"
    assert "mistaken" not in done.out


def test_progress_is_told_a_line_a_training(whole: tuple[Path, Done]) -> None:
    lines = whole[1].err.splitlines()
    trained = [line for line in lines if "of 9 done" in line]
    assert len(trained) == 9
    assert trained[0].startswith("s-c-lost, seed 1: diverged")  # it would be the longest
    assert any(line.startswith("s-a-norm, seed 3: finished, test accuracy 0.") for line in trained)


def test_the_page_has_every_section_and_experiment(whole: tuple[Path, Done]) -> None:
    place, _ = whole
    parsed = Parsed(page(place / RUN))
    text = "".join(parsed.words)
    for words in (
        "Small things", "What is to be seen", "Gradients", "Accuracies: norm or not", "Limits", "Search",
        "There is nothing to train here.", "It is the base.", "a: norm", "b: bare", "c: lost", "d: stuck",
        "norm helps", "norm is needed", "mistaken", "never left chance level", "cifarmlp study s.yaml",
        "gradient, decay at step 80", "prediction interval",
    ):  # fmt: skip
        assert words in text, words
    assert "has been run yet" not in text
    assert parsed.tags.count("svg") == 4  # the curves of a and b, alone and overlaid, the search's trials
    for link in parsed.links:
        assert link.startswith("#") or (place / RUN / link).exists(), link


def test_the_mistaken_gradient_is_a_table_without_a_vote(whole: tuple[Path, Done]) -> None:
    text = page(whole[0] / RUN)
    assert ">both are wrong<" in text
    assert ">both are right<" in text


def test_verdicts_as_json(ended: Path, no_training: None) -> None:
    (found,) = study("s.yaml", "--json", "--quiet", cwd=ended).json
    assert (found["study"], found["status"]) == ("s", "finished")
    assert found["folder"] == str(RUN)
    sections = {section["title"]: section for section in found["sections"]}
    assert list(sections) == [
        "Gradients", "Accuracies: norm or not", "Limits: accuracies that are none", "Search", "Words",
    ]  # fmt: skip
    (conclusion,) = sections["Limits: accuracies that are none"]["conclusions"]
    assert conclusion["verdict"] == {"words": "holds with every seed", "tone": "good"}
    assert [each["quantity"] for each in sections["Gradients"]["numbers"]] == ["W1", "W2", "gamma9"]
    assert all(type(each["numbers"]["reported"]) is float for each in sections["Gradients"]["numbers"])
    experiments = sections["Accuracies: norm or not"]["experiments"]
    assert [each["name"] for each in experiments] == ["a: norm", "b: bare"]
    accuracy = experiments[0]["test"]["accuracy"]
    assert (accuracy["n"], 0 < accuracy["mean"] < 1, 0 <= accuracy["std"] < 1) == (3, True, True)
    assert sections["Search"]["search"]["best"]["trial"] > 0


def test_the_shipped_studies_as_json() -> None:
    assert [each["name"] for each in here.cifarmlp("study", "--json").json][:2] == ["dd2424-1", "dd2424-2"]


def test_the_same_command_again_trains_nothing(
    ended: Path, whole: tuple[Path, Done], no_training: None
) -> None:
    before, seconds = page(ended / RUN), read(ended / RUN / "study.json")["seconds"]
    again = study("s.yaml", cwd=ended)
    assert again.out == whole[1].out
    assert page(ended / RUN) == before
    assert read(ended / RUN / "study.json")["seconds"] == seconds
    assert [path.name for path in (ended / "runs").iterdir()] == ["s-001"]


@pytest.mark.slow
def test_tables_and_figures_beside_the_page(ended: Path, no_training: None, pictures: None) -> None:
    study("s.yaml", "--tables", "md", "--figures", "--quiet", cwd=ended)
    tables = {path.name for path in (ended / RUN / "tables").iterdir()}
    figures = {path.name for path in (ended / RUN / "figures").iterdir()}
    assert "conclusions.md" in tables
    assert any("gradients" in name for name in tables)
    assert len(figures) == 8  # SVG and PDF, of three experiments and of all together
    assert "holds with every seed" in (ended / RUN / "tables" / "conclusions.md").read_text()


@pytest.mark.slow
def test_two_jobs_come_to_the_same(place: Path, whole: tuple[Path, Done]) -> None:
    command = [sys.executable, str(SMALL), "study", "s.yaml", "--jobs", "2"]
    done = subprocess.run(
        command, cwd=place, env=here.with_helpers(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)
    assert verdicts(done.stdout) == verdicts(whole[1].out)
    assert read(place / RUN / "study.json")["jobs"] == 2


# A part of a study


@pytest.mark.parametrize("word", ["gradients", "GRADI"])
def test_a_section_alone(word: str, place: Path) -> None:
    done = study("s.yaml", "--only", word, cwd=place)
    assert list(read(place / RUN / "study.json")["checks"]) == ["with norm", "mistaken"]
    assert not list((place / RUN).rglob("result.json"))
    assert "theirs is wrong" in done.out
    assert page(place / RUN).count("Nothing of this section has been run yet") == 3


def test_sections_one_by_one_are_the_study(place: Path, whole: tuple[Path, Done]) -> None:
    study("s.yaml", "--only", "limits", cwd=place)
    there = {path.name for path in (place / RUN).iterdir() if path.is_dir()}
    assert there == {"a-norm", "c-lost", "d-stuck"}  # a is one that a comparison calls
    assert read(place / RUN / "study.json")["status"] == "unfinished"
    assert "has not ended" in page(place / RUN)
    study("s.yaml", "--only", "Search", "--only", "norm or not", "--only", "grad", cwd=place)
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)
    assert read(place / RUN / "study.json")["status"] == "finished"
    assert "has not ended" not in page(place / RUN)


def test_only_words_is_no_work(place: Path, no_training: None) -> None:
    study("s.yaml", "--only", "words", cwd=place)


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("depth", "no section has this in its title; give one of 'Gradients', 'Accuracies: norm or not',"),
        ("accuracies", "several sections have this in their titles; give one of 'Accuracies: norm"),
        ("--", "no section has this in its title"),
        ("é", "no section has this in its title"),
    ],
)  # fmt: skip
def test_a_section_that_is_none_or_several(word: str, fault: str, place: Path) -> None:
    assert fault in refused("study", "s.yaml", f"--only={word}", cwd=place, code=2)
    assert not (place / "runs").exists()


def test_fewer_seeds_and_trials(ended: Path, whole: tuple[Path, Done]) -> None:
    done = study("s.yaml", "--repeats", "1", "--trials", "2", cwd=ended)
    folder = ended / "runs" / "s-002"
    before = accuracies(ended / RUN)
    after = accuracies(folder)
    for name in ("a-norm", "b-bare", "c-lost", "d-stuck"):
        assert after[name] == before[f"{name}/seed-1"]
    assert read(folder / "study.json")["copied"] == 4  # of the study before; the search is another one
    assert "too few seeds for an interval" in done.out
    assert len((folder / "s-search-001" / "trials.csv").read_text().splitlines()) == 1 + 2 + 2 * 2


# What it would do


def test_a_dry_run_tells_what_is_left_and_writes_nothing(place: Path, no_training: None) -> None:
    done = study("s.yaml", "--dry-run", cwd=place)
    assert sorted(path.name for path in place.iterdir()) == ["base.yaml", "other.yaml", "s.yaml", "wide.yaml"]
    assert "s: Small things" in done.out
    assert "trainings: 9 of 9 are left" in done.out
    assert "searches:  1 of 1 are left" in done.out


def test_no_more_trainings_gain_time_than_there_are_cores(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(populations: Sequence[object], jobs: int, in_folders: bool = False) -> Estimate:
        at_once.add(jobs)
        return Estimate(1.0, 1.0)

    at_once: set[int] = set()
    monkeypatch.setattr(parallel, "cores", lambda: 4)
    monkeypatch.setattr(plan, "estimate", note)
    monkeypatch.setattr("cifarmlp.search.plan.estimate", note)
    done = ends("study", "s.yaml", "--jobs", 8, "--dry-run", cwd=place)
    assert "8 at a time" in done.out
    assert at_once == {4}


def test_a_dry_run_of_what_is_done(ended: Path, no_training: None) -> None:
    before = {path: path.stat().st_mtime_ns for path in ended.rglob("*")}
    done = study("s.yaml", "--dry-run", cwd=ended)
    assert "trainings: 0 of 9 are left, 0 steps, no time" in done.out
    assert "searches:  0 of 1 are left, no time" in done.out
    assert {path: path.stat().st_mtime_ns for path in ended.rglob("*")} == before
    other = study("s.yaml", "--dry-run", "--repeats", "2", cwd=ended)
    assert "trainings: 0 of 8 are left" in other.out  # as they would be copied


def test_a_dry_run_of_a_study_without_a_search(place: Path) -> None:
    study("other.yaml", cwd=place)
    done = study("other.yaml", "--dry-run", cwd=place)
    assert "trainings: 0 of 1 are left" in done.out
    assert "searches" not in done.out


def test_without_images(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise DataError("no complete CIFAR-10 in any place")

    monkeypatch.setattr(plan, "load", missing)
    assert "9 of 9 are left" in study("s.yaml", "--dry-run", cwd=place).out
    assert "no complete CIFAR-10" in refused("study", "s.yaml", cwd=place, code=3)
    assert not (place / "runs").exists()


def test_without_a_name_the_shipped_studies_are_listed(tmp_path: Path) -> None:
    done = ends("study", cwd=tmp_path)
    names = ["dd2424-1", "dd2424-2", "dd2424-3", "report-1", "report-2", "smai-4", "next:"]
    assert [line.split()[0] for line in done.out.splitlines() if line] == names
    assert done.out.splitlines()[-1].endswith("cifarmlp study dd2424-1 --dry-run")


@pytest.mark.parametrize("name", ["nowhere.yaml", "report-3", ".", "base.yaml"])
def test_what_is_no_study(name: str, place: Path) -> None:
    done = study(name, cwd=place, code=2)
    assert all(line.startswith("error: ") for line in done.err.splitlines())
    assert not (place / "runs").exists()


def test_a_config_given_for_a_study_is_told_with_the_command_for_it(place: Path) -> None:
    done = study("base.yaml", cwd=place, code=2)
    assert done.err == "error: base.yaml: a config, no study; train it: cifarmlp train base.yaml\n"


# Ends before the end


def test_a_killed_study_goes_on_and_while_it_lives_nobody_else_does(
    place: Path, whole: tuple[Path, Done]
) -> None:
    with held(place, LATE, "study", "s.yaml", "--jobs", "1", script=SMALL) as process:
        line = refused("study", "s.yaml", "--quiet", cwd=place, code=4)
        assert f"{RUN}: process {process.pid} on " in line
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = list((place / RUN).rglob("result.json"))
    assert 0 < len(done) < 9
    before = {path: path.stat().st_mtime_ns for path in done}
    again = study("s.yaml", cwd=place)
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)
    assert {path: path.stat().st_mtime_ns for path in done} == before
    assert verdicts(again.out) == verdicts(whole[1].out)


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_interrupted_study_says_how_to_go_on_and_does(
    jobs: int, place: Path, whole: tuple[Path, Done]
) -> None:
    with held(place, LATE, "study", "s.yaml", "--jobs", str(jobs), script=SMALL) as process:
        os.killpg(process.pid, signal.SIGINT)
        (place / "go").touch()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith(
        "interrupted; the same command goes on from here: cifarmlp study s.yaml"
    )
    assert read(place / RUN / "study.json")["status"] == "interrupted"
    assert any(read(path)["status"] == "interrupted" for path in (place / RUN).rglob("result.json"))
    study("s.yaml", cwd=place)
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)
    assert read(place / RUN / "study.json")["status"] == "finished"


def test_a_study_that_lost_trainings_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_in_worker = run.train_in_worker

    def train(tasks: Any) -> Any:
        if tasks[0].config.name == "s-b-bare":
            raise MemoryError("9 GB")
        return train_in_worker(tasks)

    monkeypatch.setattr(run, "train_in_worker", train)
    done = study("s.yaml", "--only", "norm or not", "--quiet", cwd=place, code=1)
    reasons = "; ".join(f"{RUN}/b-bare/seed-{seed}: it ran out of memory: 9 GB" for seed in (1, 2))
    assert done.err == f"error: not trained after two tries: {reasons}\n"
    assert read(place / RUN / "study.json")["status"] == "interrupted"
    assert "has not ended" in page(place / RUN)
    assert "a: norm" in done.out


# What was there before


def test_runs_from_other_folders_are_copied(place: Path, whole: tuple[Path, Done]) -> None:
    ends("train", "base.yaml", "--repeats", "2", "--quiet", cwd=place)
    ends("search", "wide.yaml", "--quiet", "--jobs", "1", cwd=place)
    done = study("s.yaml", cwd=place)
    assert "s: 3 runs there from before" in done.err
    assert "7 of 7 done" in done.err
    assert "seed 3" in done.err
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)
    assert verdicts(done.out) == verdicts(whole[1].out)
    assert "of 3 runs there before" in page(place / RUN)


def test_a_config_that_was_changed_since_makes_another_study(ended: Path) -> None:
    before = accuracies(ended / RUN)
    (ended / "base.yaml").write_text(BASE.replace("lambda: 0.001", "lambda: 0.002"))
    done = study("s.yaml", "--only", "norm or not", cwd=ended)
    assert accuracies(ended / RUN) == before
    assert "5 of 5 done" in done.err
    assert "lambda: 0.002" in (ended / "runs" / "s-002" / "a-norm" / "config.yaml").read_text()


def test_a_study_that_was_changed_copies_what_is_the_same(ended: Path) -> None:
    (ended / "s.yaml").write_text(STUDY.replace("repeats: 3,", "repeats: 4,").replace("helps", "is of help"))
    done = study("s.yaml", cwd=ended)
    assert "s: 10 runs there from before" in done.err
    assert "1 of 1 done" in done.err
    assert "norm is of help" in done.out
    assert accuracies(ended / RUN).items() <= accuracies(ended / "runs" / "s-002").items()


def test_what_was_torn_is_trained_again(ended: Path, whole: tuple[Path, Done]) -> None:
    (ended / RUN / "a-norm" / "seed-2" / "model.npz").write_bytes(b"half")
    (ended / RUN / ".a-norm.copy").mkdir()
    done = study("s.yaml", cwd=ended)
    assert "1 of 1 done" in done.err
    assert accuracies(ended / RUN) == accuracies(whole[0] / RUN)


def test_without_its_curves_there_is_still_a_page(ended: Path) -> None:
    for path in (ended / RUN / "a-norm").rglob("metrics.csv"):
        path.write_text("step\n")
    study("s.yaml", cwd=ended)
    assert Parsed(page(ended / RUN)).tags.count("svg") == 2


# What is in the study's folder and is another's, or damaged


def test_two_folders_that_were_swapped_are_refused_and_nothing_is_written(ended: Path) -> None:
    (ended / RUN / "a-norm").rename(ended / RUN / "x")
    (ended / RUN / "b-bare").rename(ended / RUN / "a-norm")
    (ended / RUN / "x").rename(ended / RUN / "b-bare")
    before = {path: path.stat().st_mtime_ns for path in ended.rglob("*")}
    line = refused("study", "s.yaml", "--jobs", "1", cwd=ended, code=2)
    assert f"{RUN}/a-norm is the training of another config: name is s-b-bare there, s-a-norm here" in line
    assert {path: path.stat().st_mtime_ns for path in ended.rglob("*")} == before
    ends("report", RUN, cwd=ended)
    words = "".join(Parsed(page(ended / RUN)).words)
    assert (
        "a-norm is of another experiment: name is s-b-bare there, s-a-norm here; it is left out here."
        in words
    )


@pytest.mark.parametrize("damaged", ["search.json", "config.yaml", "all"])
def test_a_search_that_can_t_be_read_is_set_aside_and_done_again(
    damaged: str, ended: Path, whole: tuple[Path, Done]
) -> None:
    before = (whole[0] / RUN / "s-search-001" / "trials.csv").read_text()
    path = ended / RUN / "s-search-001" / damaged
    if damaged == "all":  # killed between the folder's claim and its first file
        for other in path.parent.iterdir():
            other.unlink()
    else:
        path.write_text("{")
        ends("report", RUN, cwd=ended)
        assert "it is left out here" in page(ended / RUN)
    done = study("s.yaml", cwd=ended)
    assert f"it is kept as {RUN}/s-search-001.aside-1, and done again" in done.err
    after = (ended / RUN / "s-search-001" / "trials.csv").read_text()
    columns = [line.rpartition(",")[0] for line in after.splitlines()]  # all but the seconds
    assert columns == [line.rpartition(",")[0] for line in before.splitlines()]
    assert (ended / RUN / "s-search-001.aside-1").is_dir()
    assert verdicts(done.out) == verdicts(whole[1].out)


def test_a_stray_pipe_or_link_in_an_old_run_is_no_hindrance(place: Path, whole: tuple[Path, Done]) -> None:
    ends("train", "base.yaml", "--quiet", cwd=place)
    ends("train", "base.yaml", "--seed", "2", "--quiet", cwd=place)
    (place / "runs" / "base-001" / "stray").symlink_to("nowhere")
    os.mkfifo(place / "runs" / "base-002" / "curves.png")
    done = study("s.yaml", cwd=place)
    assert "s: 1 run there from before" in done.err
    assert accuracies(place / RUN) == accuracies(whole[0] / RUN)


# Late refusals


def test_a_foreign_page_in_the_way_is_refused_before_anything_is_trained(
    ended: Path, no_training: None
) -> None:
    shutil.rmtree(ended / RUN / "b-bare")
    (ended / RUN / "report.html").write_text("my own notes")
    line = refused("study", "s.yaml", "--jobs", "1", cwd=ended, code=2)
    assert f"{RUN}/report.html: exists already and is no report" in line
    (ended / "runs" / "report.html").write_text("my own notes")
    refused("study", "s.yaml", "other.yaml", cwd=ended, code=2)
    assert not (ended / "runs" / "other-001").exists()


def test_the_verdicts_are_shown_though_the_page_can_t_be_written(ended: Path) -> None:
    before = study("s.yaml", cwd=ended)
    (ended / RUN / "report.html").unlink()
    (ended / RUN / "tables").write_text("in the way")
    done = study("s.yaml", "--tables", "md", cwd=ended)
    assert verdicts(done.out) == verdicts(before.out)
    assert f"again: cifarmlp report {RUN} --output {RUN}/report.html" in done.err
    (found,) = json.loads(study("s.yaml", "--tables", "md", "--json", cwd=ended).out)
    assert found["page"] is None


@pytest.mark.parametrize(
    ("setting", "fault"),
    [("seed=4294967295", "4294967296"), ("search.coarse.space={training.lambda: {uniform: [-2, -1]}}", "")],
)
def test_what_can_t_be_trained_is_refused_before_anything_is(setting: str, fault: str, place: Path) -> None:
    (place / "wide.yaml").write_text(WIDE)
    done = study("s.yaml", "--set", setting, cwd=place, code=2)
    assert fault in done.err
    assert not (place / "runs").exists()


# Reports of studies


def test_a_report_of_a_study_is_its_page(ended: Path) -> None:
    before = page(ended / RUN)
    (ended / RUN / "report.html").unlink()
    done = ends("report", RUN, cwd=ended)
    assert done.out.split() == [str(RUN / "report.html")]
    assert page(ended / RUN) == before


def test_a_study_and_another_run_make_two_reports(ended: Path) -> None:
    for folders in ((RUN, RUN / "a-norm"), (RUN / "a-norm", RUN)):
        line = refused("report", *folders, cwd=ended, code=2)
        assert f"{RUN / 'a-norm'}: not a study's folder" in line


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"asked": 1}', '{"status": "finished"}', "\x00\xff", "[" * 9999]
)
def test_a_damaged_record_is_told_in_a_line(text: str, ended: Path) -> None:
    (ended / RUN / "study.json").write_text(text)
    assert "damaged" in refused("report", RUN, cwd=ended, code=4)


def test_a_record_of_a_hostile_study_is_damaged(ended: Path) -> None:
    record = read(ended / RUN / "study.json")
    record["asked"]["study"]["title"] = "\x1b[2J"
    (ended / RUN / "study.json").write_text(json.dumps(record))
    assert refused("report", RUN, cwd=ended, code=4).isprintable()


def test_next_to_a_damaged_study_another_is_begun(ended: Path) -> None:
    (ended / RUN / "study.json").write_text("{")
    study("s.yaml", "--quiet", cwd=ended)
    assert read(ended / "runs" / "s-002" / "study.json")["copied"] == 10


def test_the_folders_of_a_study_are_no_studies(ended: Path) -> None:
    ends("report", RUN / "s-search-001", cwd=ended)
    (entry,) = ends("runs", "runs", "--json", cwd=ended).json
    assert (entry["kind"], entry["status"]) == ("study", "finished")


# Several studies


def test_two_studies_make_one_page(ended: Path) -> None:
    done = study("s.yaml", "other.yaml", cwd=ended)
    text = "".join(Parsed(page(ended / "runs")).words)
    for words in ("Small things", "Another study", "S: gradients", "Other: one", "a: norm", "short"):
        assert words in text, words
    assert "Another study" in done.out
    assert done.out.splitlines()[-1] == "page:    runs/report.html"
    assert all(
        link[0] == "#" or (ended / "runs" / link).exists() for link in Parsed(page(ended / "runs")).links
    )
    one, two = study("s.yaml", "other.yaml", "--json", "--quiet", cwd=ended).json
    assert (one["study"], two["study"]) == ("s", "other")
    ends("report", RUN, "runs/other-001", "--output", "runs/again.html", cwd=ended)
    assert (ended / "runs" / "again.html").read_text() == page(ended / "runs")


# Hostile words

HOSTILE = "<script>alert(1)</script> \"x\" & 'y' $\\frac{_^ ]]> {{ 7 * 7 }} | a\\x"


def test_hostile_names_are_only_words(place: Path, pictures: None) -> None:
    quoted = json.dumps(HOSTILE)
    text = (
        f"title: {quoted}\ntext: {quoted}\nbase: base.yaml\nrepeats: 2\nsections:\n  - title: {quoted}\n"
        f"    text: {quoted}\n    experiments:\n      - {{name: {quoted}, note: {quoted}, "
        f"set: {{training.steps: 20}}, reported: {{accuracy: [0.5, null, null]}}}}\n"
        f"      - {{name: x, set: {{training.steps: 10}}}}\n"
        f"    gradcheck: [{{name: {quoted}, reported: {{{quoted}: 1}}}}]\n"
        f"    comparisons: [{{claim: {quoted}, of: [{quoted}, x]}}]\n"
    )
    (place / "s.yaml").write_text(text)
    done = study("s.yaml", "--tables", "tex", cwd=place)
    assert all(line.isprintable() for line in (done.out + done.err).splitlines())
    parsed = Parsed(page(place / RUN))
    assert "script" not in parsed.tags
    assert "".join(parsed.words).count("<script>alert(1)</script>") > 8
    assert "7 * 7" in page(place / RUN)
    assert page(place / RUN).count("<script") == 0


def test_names_that_would_be_the_same_folder_are_refused(place: Path) -> None:
    (place / "s.yaml").write_text(STUDY.replace("b: bare", "a? norm!"))
    study("s.yaml", cwd=place, code=2)


def test_a_gradient_that_overflows_is_told(place: Path) -> None:
    text = "title: t\nbase: base.yaml\nsections:\n  - title: a\n    gradcheck:\n"
    text += "      - {name: huge, set: {training.lambda: 1.0e+308}, reported: {W1: 1.0e-9}}\n"
    (place / "s.yaml").write_text(text)
    done = study("s.yaml", cwd=place)
    assert "ours is wrong" in done.out
    ends("report", RUN, cwd=place)


def test_words_in_the_command_are_quoted_on_the_page(ended: Path, no_training: None) -> None:
    study("s.yaml", "--only", "norm or not", cwd=ended)
    assert "--only &#39;norm or not&#39;" in page(ended / RUN)


def test_a_command_that_is_no_utf8(ended: Path, no_training: None) -> None:
    (ended / "runs").rename(ended / os.fsdecode(b"r\xff"))
    study("s.yaml", "--out", os.fsdecode(b"r\xff"), cwd=ended)
    assert r"r\udcff" in page(ended / os.fsdecode(b"r\xff") / "s-001")


# The shipped ones


@pytest.mark.slow
def test_the_shipped_studies_shortened(tmp_path: Path) -> None:
    settings = ["data.source=synthetic", "training.steps=10", "training.evaluate_images=1000"]
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "cifarmlp", "study", "report-1", "report-2", *sets]
    command += ["--repeats", "1", "--trials", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    runs, names = tmp_path / "runs", ["report-1-001", "report-2-001"]
    assert sorted(path.name for path in runs.iterdir()) == [*names, "report.html"]
    text = page(runs)
    words = "".join(Parsed(text).words)
    assert len(text.encode()) < 3e6
    assert "not trained yet" not in words
    studies = [read(runs / name / "study.json")["asked"]["study"] for name in names]
    sections = [section for study in studies for section in study["sections"]]
    experiments = [experiment["name"] for section in sections for experiment in section["experiments"]]
    assert len(experiments) == len(list(runs.rglob("result.json"))) == 27
    for title in [*(study["title"] for study in studies), *(section["title"][1:] for section in sections)]:
        assert title in words
    for name in experiments:
        assert f">{name}</th>" in text.replace("&#39;", "'"), name


def test_the_page_names_the_mistakes_that_are_wrong_where_the_report_is(whole: tuple[Path, Done]) -> None:
    page = (whole[0] / RUN / "report.html").read_text()
    (note,) = re.findall(r"Wrong as reported: ([^<]*)", page)
    assert note.startswith("W1, 1 of ")
    assert "l2_missing (the gradient has no L2 term)" not in note  # which every W would show
