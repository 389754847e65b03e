"""Reports on run folders: what stands on the page, and what the command does with folders that are none."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from cifarmlp import files
from cifarmlp.cli import main
from cifarmlp.cli.report import report as command
from cifarmlp.config import words as words_
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.render import curves, document
from cifarmlp.render.document import Link, Page, Picture, Table, Text, Verdict
from cifarmlp.report import build
from cifarmlp.training import seeds as seeds_

SEARCH = [
    "search.coarse={trials: 3, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}",
    "search.fine=null",
]


def trained(out: Path, seeds: int, *settings: str) -> Path:
    """The folder of a tiny training."""
    begun = seeds_.claim_repeats(tiny.config(*settings), seeds, out)
    seeds_.train_seeds(begun, tiny.dataset(), None)
    return begun.folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four trainings: whole ones with and without batch norm, one that diverges, one that has not ended."""
    out = tmp_path_factory.mktemp("report")
    trained(out, 2, "name=plain")
    trained(out, 2, "name=bare", "network.batch_norm=false")
    trained(out, 1, "name=lost", "training.schedule={kind: constant, eta: 1.0e+9, epochs: 4}")
    begun = trained(out, 2, "name=begun")
    (begun / "seed-2" / "result.json").unlink()
    return out


def table(page: Page, name: str) -> Table:
    """The one whose name ends so."""
    found = [b for b in document.blocks(page) if isinstance(b, Table) and b.name.endswith(name)]
    assert len(found) == 1
    return found[0]


def words(page: Page, kind: str) -> str:
    return "\n".join(b.words for b in document.blocks(page) if isinstance(b, Text) and b.kind == kind)


def test_a_repeated_training_has_a_row_a_seed_and_the_mean(place: Path) -> None:
    page = build.build_page([place / "plain-001"], place)
    first, second, mean = table(page, "results").rows
    assert page.title == "plain-001"
    assert (first[0], first[1], second[0]) == ("1", Verdict("finished", "good"), "2")
    assert mean[0] == "mean ± std, n = 2"
    accuracies = [float(str(row[2])) for row in (first, second)]
    assert str(mean[2]).startswith(f"{sum(accuracies) / 2:.3f}")
    assert "test accuracy" in document.blocks(page)[0].words  # type: ignore[union-attr]


def test_a_run_is_told_with_its_settings_command_folder_and_curves(place: Path) -> None:
    page = build.build_page([place / "plain-001"], place / "elsewhere")
    settings = dict(row for row in table(page, "settings").rows)
    assert settings["network"] == "3 layers (8-6), batch norm, He"
    assert settings["learning rate"] == "cyclic, eta 1e-05 to 0.1, n_s 20, 2 cycles"
    assert settings["trained for"] == "80 steps, 5.3 epochs"
    assert settings["folder"] == Link("plain-001", "../plain-001")
    assert "python" in {row[0] for row in table(page, "environment").rows}
    assert words(page, "command").startswith("cifarmlp ")
    picture = next(b for b in document.blocks(page) if isinstance(b, Picture))
    cost, _, accuracy, eta = picture.draw().axes
    assert len(cost.lines[0].get_xdata()) == len(accuracy.lines[1].get_xdata()) == 7  # type: ignore[arg-type]
    assert max(eta.lines[0].get_ydata()) == pytest.approx(0.1)  # type: ignore[type-var]


def test_several_runs_are_compared_with_the_first(place: Path) -> None:
    page = build.build_page([place / "plain-001", place / "bare-001"], place)
    assert page.sections[0].title == "Comparison"
    assert table(page, "comparison-settings").header == ("run", "network")
    assert [row[2] for row in table(page, "comparison").rows] == [
        Verdict("finished", "good"),
        Verdict("1 of 2 did not learn", "bad"),
    ]
    differences = table(page, "comparison-differences").rows
    assert [row[:2] for row in differences] == [
        ("bare-001", part) for part in ("train", "validation", "test")
    ]
    plain, bare = (float(str(row[4]).split()[0]) for row in table(page, "comparison").rows)
    assert float(str(differences[1][2])) == pytest.approx(bare - plain, abs=1.1e-4)


def test_a_run_that_diverged_says_so_and_what_helps(place: Path) -> None:
    page = build.build_page([place / "lost-001"], place)
    row = table(page, "results").rows[0]
    assert isinstance(row[1], Verdict)
    assert row[1].tone == "bad"
    assert "diverged" in row[1].words
    assert "what usually helps" in words(page, "note")
    assert "diverged" in document.blocks(page)[0].words  # type: ignore[union-attr]


def test_a_training_that_has_not_ended_says_how_to_go_on(place: Path) -> None:
    page = build.build_page([place / "begun-001"], place)
    assert "1 of 2 seeds have ended" in words(page, "note")
    assert f"cifarmlp train --resume {place / 'begun-001'}" in words(page, "command")
    assert table(page, "results").rows[1][1] == Verdict("not ended", "open")


def test_one_folder_twice_and_two_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "x-001", tmp_path / "b" / "x-001", tmp_path / "y", tmp_path / "y"]
    assert len(set(build.unique_titles(folders))) == 4


def test_damaged_rows_and_files_leave_a_report(place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain-001"
    shutil.copytree(place / "plain-001", folder)
    (folder / "seed-1" / "metrics.csv").write_text("step,train_loss\n0,2.3\n20,oops\n40\n60,inf\n")
    (folder / "seed-2" / "metrics.csv").write_text("stp,train_loss\n0,2.3\n20,2.2\n")
    (folder / "seed-1" / "environment.json").write_text('{"command": 3, "data": [], "libraries": 1')
    (folder / "summary.json").write_text("[1, 2]")
    page = build.build_page([folder, place / "plain-001"], tmp_path)
    assert "plain-001" in page.sections[1].title
    for block in document.blocks(page):
        if isinstance(block, Picture):
            block.draw().savefig(tmp_path / "drawn.png")


# Searches


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from cifarmlp.search import folder as folder_
    from cifarmlp.search import plan
    from cifarmlp.search.ranking import Result

    out = tmp_path_factory.mktemp("search")
    found = plan.prepare_search(tiny.config("name=wide", *SEARCH), ["coarse"], 1, 2, out)
    folder_.claim_search(found, out, tiny.dataset())
    found.results = {(i, 1): Result(i, 1, "finished", 0.5, 0.4 + 0.01 * i, 1.0, 2.0) for i in (1, 2, 3)}
    folder_.write_results(found)
    folder_.write_plan(found, "finished")
    return found.folder


def test_a_search_is_told_with_its_best_trials(searched: Path) -> None:
    page = build.build_page([searched], searched)
    assert [row[0] for row in table(page, "coarse").rows] == ["3", "2", "1"]
    assert "number 3" in document.blocks(page)[0].words  # type: ignore[union-attr]
    assert "2 other trials are not significantly worse" in words(page, "note")
    assert "not ended" not in words(page, "note")
    assert len([b for b in document.blocks(page) if isinstance(b, Picture)]) == 1
    assert dict(table(page, "settings").rows)["time of all trials, one after the other"] == "6.0 s"


def test_a_search_with_nothing_trained_is_told_too(searched: Path, tmp_path: Path) -> None:
    shutil.copytree(searched, tmp_path / "wide-001")
    (tmp_path / "wide-001" / "seeds.csv").unlink()
    page = build.build_page([tmp_path / "wide-001"], tmp_path)
    assert "no trial has finished" in document.blocks(page)[0].words  # type: ignore[union-attr]


# Words and figures


def test_configs_in_words() -> None:
    told = words_.describe(
        tiny.config(
            "network.hidden=[]",
            "network.init={sigma: 0.1}",
            "network.batch_norm=false",
            "training.optimiser=momentum",
            "training.schedule={kind: constant, eta: 0.01, decay: 0.95, epochs: 3}",
        )
    )
    assert told["network"] == "linear classifier, sigma 0.1"
    assert told["mini-batches"] == "20 images, SGD with momentum, rho 0.9"
    assert told["learning rate"] == "constant, eta 0.01, times 0.95 after each epoch, 3 epochs"
    normed = tiny.config("network.batch_norm={eps: 1.0e-5, momentum: 0.99}")
    assert words_.network(normed) == "3 layers (8-6), batch norm (eps 1e-05, momentum 0.99), He"


def test_the_band_is_the_standard_deviation_over_the_seeds_that_got_there() -> None:
    one = [{"step": 0.0, "x": 1.0}, {"step": 10.0, "x": 2.0}]
    two = [{"step": 0.0, "x": 3.0}]
    steps, mean, std = curves.mean_and_std_by_step([one, two], "x")
    assert [*steps] == [0, 10]
    assert [*mean] == [2, 2]
    assert std[0] == pytest.approx(2**0.5)
    assert std[1] != std[1]


# The command


def call(*words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_page_of_one_run_goes_to_its_folder(place: Path) -> None:
    done = call(place / "plain-001", "--tables", "md", "--figures")
    assert done.exit_code == 0, done.exception
    written = done.output.split()
    assert written[0] == str(place / "plain-001" / "report.html")
    assert all(Path(path).stat().st_size > 100 for path in written)
    assert {Path(path).suffix for path in written} == {".html", ".md", ".svg", ".pdf"}
    before = (place / "plain-001" / "report.html").read_bytes()
    call(place / "plain-001")
    assert (place / "plain-001" / "report.html").read_bytes() == before


def test_the_page_of_several_goes_where_one_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert call("plain-001", "lost-001").output.split() == ["report.html"]
    assert call("plain-001", "lost-001", "--output", "other.html").output.split() == ["other.html"]
    assert "plain-001" in (place / "other.html").read_text()


def refused(*words: object) -> CifarmlpError:
    error = call(*words).exception
    assert isinstance(error, CifarmlpError)
    assert len(str(error).splitlines()) == 1
    return error


def test_what_cannot_be_reported_is_told_in_a_line(place: Path, tmp_path: Path) -> None:
    assert isinstance(refused(tmp_path), RunFolderError)
    assert isinstance(refused(tmp_path / "nowhere"), RunFolderError)
    assert isinstance(refused(place / "plain-001", "--output", tmp_path), ConfigError)
    assert isinstance(refused(place / "plain-001", "--output", tmp_path / "no" / "x.html"), RunFolderError)
    files.write_text(tmp_path / "study.json", "{}")
    assert "study" in str(refused(tmp_path))
    (tmp_path / "study.json").rename(tmp_path / "search.json")
    assert isinstance(refused(tmp_path), RunFolderError)
    (tmp_path / "search.json").rename(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("nework: 1\n")
    assert "damaged" in str(refused(tmp_path))


def test_the_command_is_one_of_the_command_line() -> None:
    assert main.commands.commands["report"] is command


def test_a_report_takes_the_place_of_reports_only(place: Path, tmp_path: Path) -> None:
    config = shutil.copy(place / "plain-001" / "config.yaml", tmp_path)
    done = CliRunner().invoke(command, [str(place / "plain-001"), "--output", str(config)])
    assert isinstance(done.exception, ConfigError)
    assert "is no report" in str(done.exception)
    assert Path(config).read_bytes() == (place / "plain-001" / "config.yaml").read_bytes()
    for _ in range(2):
        again = CliRunner().invoke(command, [str(place / "plain-001"), "--output", str(tmp_path / "a.html")])
        assert again.exit_code == 0, again.exception
