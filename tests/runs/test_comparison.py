"""`cifarmlp compare`: tables, differences of configs and seeds, and curves laid over one another."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from helpers.command import Done
from helpers.origins import change_images, change_numpy
from helpers.run_folders import PARTS, cifarmlp, column, result
from matplotlib.figure import Figure

from cifarmlp import stats
from cifarmlp.render.overlay import draw_overlay
from cifarmlp.runs import comparison, differences
from cifarmlp.runs.folder import load_run


@pytest.fixture(scope="module")
def both(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """plain-001 and normal-001 compared."""
    figure = tmp_path_factory.mktemp("figure") / "compare.png"
    return cifarmlp("compare", out / "plain-001", out / "normal-001", "--figure", figure)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the time that the figure takes."""
    monkeypatch.setattr(comparison, "draw_comparison", lambda found, path: False)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def compared(*words: object) -> Any:
    return cifarmlp("compare", *words, "--json").json


def refused(*words: object) -> tuple[int, str]:
    """Exit code and the one line of a comparison that is none."""
    done = cifarmlp("compare", *words)
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert not Path("compare.png").exists()
    return done.code, done.err


def test_the_table_has_mean_and_std_over_seeds(out: Path, both: Done) -> None:
    assert both.code == 0
    results = [result(out / "plain-001" / f"seed-{seed}") for seed in (1, 2, 3)]
    for part, quantity in itertools.product(PARTS, ("accuracy", "loss")):
        numbers = [each[part][quantity] for each in results]
        assert f"{np.mean(numbers):.4f} ± {np.std(numbers, ddof=1):.4f}" in both.out
    assert (both.out.index("accuracy"), both.err) == (0, "")


@pytest.mark.usefixtures("undrawn")
def test_only_what_differs_is_a_column(out: Path, both: Done) -> None:
    header, _, plain, normal = both.out.splitlines()[1:5]
    assert header.split() == ["run", "seed", "network.batch_norm", "seeds", *PARTS]
    assert plain.split()[:4] == ["plain-001", "1", "false", "3"]
    assert normal.split()[:4] == ["normal-001", "2", "true", "2"]
    runs = compared(out / "plain-001", out / "normal-001", "--figure", "two.png")["runs"]
    assert [run["differs"] for run in runs] == [
        {"seed": 1, "network.batch_norm": False},
        {"seed": 2, "network.batch_norm": True},
    ]


@pytest.mark.usefixtures("undrawn")
def test_much_that_differs_is_a_table_of_its_own(out: Path) -> None:
    done = cifarmlp("compare", *(out / f"{name}-001" for name in ("plain", "normal", "linear", "lost")))
    first, _, rest = done.out.partition("what their configs differ in")
    assert "network.hidden" not in first
    rows = {line.split()[0]: line.split()[1:] for line in rest.splitlines() if "." in line}
    assert rows["network.batch_norm"] == ["false", "true", "false", "false"]
    assert rows["network.hidden"] == ["[8,", "6]", "[8,", "6]", "[]", "[8,", "6]"]
    assert rows["training.schedule.eta"] == ["-", "-", "-", "1.0e+30"]
    assert "training.lambda" not in rows


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        (["network.init=he"], ["network.init={sigma: 0.1}"], {"network.init": ["he", {"sigma": 0.1}]}),
        (["network.batch_norm=true"], ["network.batch_norm=false"], {"network.batch_norm": [True, False]}),
        (
            ["network.batch_norm={eps: 0.1}"],
            ["network.batch_norm=false"],
            {"network.batch_norm": [{"eps": 0.1, "momentum": 0.9, "position": "before"}, False]},
        ),
        (
            ["network.batch_norm={eps: 0.1}"],
            ["network.batch_norm=true"],
            {"network.batch_norm.eps": [0.1, 1e-12]},
        ),
        (["name=a"], ["name=b"], {}),
        (["training.steps=7"], [], {"training.steps": [7, None]}),
    ],
)
def test_what_configs_differ_in(one: list[str], other: list[str], differs: dict[str, Any]) -> None:
    assert differences.differing_values([tiny.config(*one), tiny.config(*other)]) == differs


def test_the_paired_difference_is_over_the_seeds_that_both_have(out: Path, both: Done) -> None:
    accuracies = [
        [result(out / name / f"seed-{seed}")["test"]["accuracy"] for seed in (2, 3)]
        for name in ("plain-001", "normal-001")
    ]
    mean, low, high = stats.mean_interval(np.subtract(*accuracies[::-1]).tolist())
    row = next(line for line in both.out.partition("seed by seed")[2].splitlines() if "test" in line)
    assert row.split() == ["test", f"{mean:+.4f}", f"{low:+.4f}", "to", f"{high:+.4f}", "2"]
    assert "normal-001 minus plain-001" in both.out


@pytest.mark.usefixtures("undrawn")
def test_there_is_no_difference_where_fewer_than_two_seeds_are_common(out: Path) -> None:
    found = compared(out / "plain-001", out / "linear-001", out / "lost-001")
    assert found["differences"]["accuracy"] == {}
    assert "seed by seed" not in cifarmlp("compare", out / "plain-001", out / "linear-001").out


@pytest.mark.usefixtures("undrawn")
def test_seeds_that_diverged_are_told_and_have_no_mean(out: Path) -> None:
    done = cifarmlp("compare", out / "plain-001", out / "lost-001")
    lost = next(line for line in done.out.splitlines() if line.startswith("lost-001"))
    assert lost.split()[-4:] == ["2", "-", "-", "-"]
    assert "2 of 2 diverged" in done.out


# Curves


def test_a_line_is_the_mean_over_seeds_and_its_band_the_std(out: Path) -> None:
    curves = {name: comparison.mean_curve(load_run(out / name)) for name in ("plain-001", "linear-001")}
    names = [f"{part}_{quantity}" for quantity in ("loss", "accuracy") for part in ("train", "validation")]
    for panel, name in zip(draw_overlay(curves).axes, names, strict=True):
        seeds = np.array([column(out / "plain-001" / f"seed-{seed}", name) for seed in (1, 2, 3)])
        mean, std = seeds.mean(axis=0), seeds.std(axis=0, ddof=1)
        plain, linear = panel.lines
        assert list(plain.get_xdata()) == column(out / "linear-001", "step")
        assert plain.get_ydata() == pytest.approx(mean)
        assert list(linear.get_ydata()) == column(out / "linear-001", name)
        (band,) = panel.collections
        edges = band.get_paths()[0].vertices[:, 1]
        assert edges.max() == pytest.approx((mean + std).max())
        assert edges.min() == pytest.approx((mean - std).min())


def test_a_curve_is_that_of_the_seeds_that_have_ended(copy: Path) -> None:
    (copy / "plain-001" / "seed-3" / "result.json").unlink()
    assert comparison.mean_curve(load_run(copy / "plain-001")).n == 2
    (copy / "linear-001" / "result.json").unlink()
    assert comparison.mean_curve(load_run(copy / "linear-001")).n == 1


# The file


def test_the_figure_is_a_png_whose_path_is_printed(out: Path) -> None:
    done = cifarmlp("compare", out / "plain-001", out / "linear-001")
    assert "curves:  compare.png" in done.out
    assert Path("compare.png").read_bytes().startswith(b"\x89PNG")


def test_an_earlier_comparison_is_overwritten_and_nothing_else(out: Path) -> None:
    both = out / "plain-001", out / "linear-001"
    assert [cifarmlp("compare", *both).code for _ in range(2)] == [0, 0]
    other = Path("other.png")
    Figure().savefig(other)
    before = other.read_bytes()
    for path, code in ((other, 2), (out, 2), ("a.pdf", 2), ("no/such/folder.png", 4)):
        done = cifarmlp("compare", *both, "--figure", path)
        assert (done.code, done.out) == (code, "")
    assert other.read_bytes() == before


# Bad input


def test_two_runs_are_needed_and_each_once(out: Path) -> None:
    assert refused()[0] == 2
    assert refused(out / "plain-001")[0] == 2
    code, message = refused(out / "plain-001", out / "linear-001", out / "plain-001" / ".." / "plain-001")
    assert (code, "given twice" in message) == (2, True)


def test_what_is_no_run_is_refused(out: Path, copy: Path) -> None:
    (copy / "empty").mkdir()
    assert refused(out / "plain-001", copy / "none")[0] == 4
    assert refused(out / "plain-001", copy / "empty")[0] == 4
    assert refused(out / "plain-001", copy / "linear-001" / "result.json")[0] == 4
    (copy / "linear-001" / "config.yaml").write_text("seed: [")
    assert refused(out / "plain-001", copy / "linear-001")[0] == 4


@pytest.mark.parametrize("kind", ["search", "study"])
def test_searches_and_studies_are_refused(out: Path, copy: Path, kind: str) -> None:
    (copy / "linear-001" / f"{kind}.json").write_text("{}")
    code, message = refused(out / "plain-001", copy / "linear-001")
    assert (code, f"folder of a {kind}" in message) == (2, True)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", ["result.json", "model.npz"])
def test_seeds_that_have_not_ended_or_are_damaged_are_left_out_and_named(copy: Path, name: str) -> None:
    (copy / "plain-001" / "seed-3" / name).write_text("{")
    done = cifarmlp("compare", copy / "plain-001", copy / "linear-001")
    assert done.code == 0
    assert "seed-3: not ended, or damaged" in done.err
    assert "1 of 3 not ended" in done.out
    numbers = [result(copy / "plain-001" / f"seed-{seed}")["test"]["accuracy"] for seed in (1, 2)]
    assert f"{np.mean(numbers):.4f} ±" in done.out
    quiet = cifarmlp("compare", copy / "plain-001", copy / "linear-001", "--quiet")
    assert (quiet.err, quiet.out) == ("", done.out)


def test_runs_without_any_curve_are_compared_without_a_figure(copy: Path) -> None:
    (copy / "linear-001" / "metrics.csv").write_text("step\n1\n")
    (copy / "linear-001" / "result.json").unlink()
    shutil.rmtree(copy / "lost-001" / "seed-1")
    shutil.rmtree(copy / "lost-001" / "seed-2")
    found = compared(copy / "linear-001", copy / "lost-001")
    assert found["figure"] is None
    assert not Path("compare.png").exists()
    assert [run["status"] for run in found["runs"]] == ["not ended", "not ended"]


@pytest.mark.usefixtures("undrawn")
def test_runs_on_other_images_have_no_differences_seed_by_seed(copy: Path) -> None:
    for path in (copy / "normal-001").rglob("config.yaml"):
        path.write_text(path.read_text().replace("source: synthetic", "source: cifar10"))
    done = cifarmlp("compare", copy / "plain-001", copy / "normal-001")
    assert "data.source" in done.out
    assert "seed by seed" not in done.out
    assert "other images" in done.err


@pytest.mark.usefixtures("undrawn")
def test_runs_of_equal_names_go_by_their_paths(out: Path) -> None:
    alike = [out / "plain-001" / "seed-2", out / "normal-001" / "seed-2"]
    found = compared(*alike, out / "linear-001")
    assert [run["label"] for run in found["runs"]] == [*map(str, alike), "linear-001"]


@pytest.mark.usefixtures("undrawn")
def test_control_characters_do_not_reach_the_terminal(copy: Path) -> None:
    evil = (copy / "linear-001").rename(copy / "e\x1b[2J\nvil-001")
    done = cifarmlp("compare", copy / "plain-001", evil)
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert "\x1b" not in cifarmlp("compare", copy / "plain-001", copy / "none\x1b[2J").err


# What they are made of


@pytest.mark.usefixtures("undrawn")
def test_to_a_run_on_other_images_no_difference_is_taken(copy: Path) -> None:
    change_images(copy / "normal-001")
    done = cifarmlp("compare", copy / "plain-001", copy / "normal-001")
    assert "minus" not in done.out
    assert done.err.endswith("normal-001: other images than plain-001, so no differences to it\n")
    found = compared(copy / "plain-001", copy / "normal-001")
    assert (found["differences"]["accuracy"], len(found["notes"])) == ({}, 1)


@pytest.mark.usefixtures("undrawn")
def test_a_run_whose_own_seeds_are_of_different_images_is_told(copy: Path) -> None:
    change_images(copy / "normal-001" / "seed-3")
    done = cifarmlp("compare", copy / "plain-001", copy / "normal-001")
    assert "normal-001: its own seeds were trained on different images" in done.err
    assert "minus" not in done.out


@pytest.mark.usefixtures("undrawn")
def test_another_numpy_is_told_with_its_effect(copy: Path) -> None:
    change_numpy(copy / "plain-001")
    done = cifarmlp("compare", copy / "plain-001", copy / "normal-001")
    assert "normal-001 minus plain-001" in done.out
    assert "normal-001 and plain-001: other numerics (numpy was 1.0, is " in done.err
    assert "by about a seed's spread" in done.err


# Parts of the data


@pytest.mark.usefixtures("undrawn")
def test_without_validation_images_nothing_is_said_of_them(measured: Path) -> None:
    done = cifarmlp("compare", measured / "bare-001", measured / "blind-001")
    assert done.code == 0
    assert "validation" not in done.out
    assert "nan" not in done.out
    assert "test " in done.out.partition("seed by seed")[2]


@pytest.mark.usefixtures("undrawn")
def test_with_validation_images_in_one_run_the_other_has_a_dash(measured: Path) -> None:
    done = cifarmlp("compare", measured / "whole-001", measured / "bare-001")
    (row,) = [line for line in done.out.splitlines() if line.startswith("bare-001")][:1]
    assert row.split().count("-") == 1
    assert "validation" not in done.out.partition("seed by seed")[2]
    found = compared(measured / "whole-001", measured / "bare-001")
    assert found["runs"][1]["validation"]["accuracy"] == {"mean": None, "std": None, "n": 0}
    assert list(found["differences"]["accuracy"]["bare-001"]) == ["train", "test"]


def test_curves_have_a_panel_for_each_part_that_some_run_has(measured: Path) -> None:
    def titles(*names: str) -> list[str]:
        figure = draw_overlay({name: comparison.mean_curve(load_run(measured / name)) for name in names})
        return [panel.get_title() for panel in figure.axes if panel.get_title()]

    assert titles("bare-001", "blind-001") == ["training set"]
    assert titles("bare-001", "whole-001") == ["training set", "validation set"]
    both = ["training set", "test set, looked at during training"]
    assert titles("bare-001", "looked-001") == both
