"""`import cifarmlp`: its names, what they load, and the examples in docs/python.md and in docstrings."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny

import cifarmlp
from cifarmlp import api
from cifarmlp.config import to_yaml

PACKAGE = Path(cifarmlp.__file__).parent
PAGE = PACKAGE.parent / "docs" / "python.md"
TEXT = PAGE.read_text(encoding="utf-8")
FUNCTIONS = [name for name in cifarmlp.__all__ if inspect.isfunction(getattr(cifarmlp, name))]
DEFINED = [name for name, value in vars(api).items() if getattr(value, "__module__", "") == api.__name__]
SEARCH = """\
search:
  coarse: {trials: 2, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}
  fine: {trials: 1, centres: 1, space: {training.lambda: {uniform_within: 0.001}}}
"""
STUDY = """\
title: A small study
base: quickstart
sections:
  - title: Depth
    experiments:
      - {name: shallow, set: {network.hidden: [4]}}
      - {name: deep, set: {network.hidden: [8, 6]}}
"""

# ---------------------------------------------------------------------------------------------------- names


def test_its_names_are_sorted_and_those_of_the_api() -> None:
    assert cifarmlp.__all__ == sorted(cifarmlp.__all__)
    assert sorted(name for name in DEFINED if name[0].islower()) == FUNCTIONS
    assert set(cifarmlp.__all__) <= set(dir(cifarmlp))


@pytest.mark.parametrize("name", cifarmlp.__all__)
def test_a_name_is_documented_and_no_packages(name: str) -> None:
    assert getattr(cifarmlp, name).__doc__
    assert f"`{name}`" in TEXT
    assert not (PACKAGE / name).exists()
    assert not (PACKAGE / f"{name}.py").exists()


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'cifarmlp' has no attribute 'trian'"):
        cifarmlp.trian  # noqa: B018


@pytest.mark.parametrize(
    ("use", "left_out"),
    [
        ("cifarmlp.__version__", {"numpy", "pydantic", "click"}),
        ("cifarmlp.load_config", {"matplotlib", "scipy"}),
        ("cifarmlp.load_run", {"matplotlib", "scipy"}),
    ],
)
def test_no_more_is_loaded_than_is_used(use: str, left_out: set[str]) -> None:
    code = f"import sys, cifarmlp; {use}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not left_out & set(done.stdout.split())


# ------------------------------------------------------------------------------------------------- examples


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of work, where the names of shipped configs are tiny configs, on tiny images."""
    config = to_yaml(tiny.config())
    (tmp_path / "quickstart").write_text(config)
    (tmp_path / "report-2").mkdir()
    (tmp_path / "report-2" / "search").write_text(config.replace("search: null\n", SEARCH))
    (tmp_path / "report-1").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cifarmlp.parallel.cores", lambda: 1)
    for module in ("data", "search.run", "search.worker", "study.plan", "study.run", "training.workers"):
        monkeypatch.setattr(f"cifarmlp.{module}.load", tiny.dataset, raising=False)
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())
    return tmp_path


def run(source: str, names: dict[str, Any]) -> int:
    """Execute Python, compare with its value what follows an expression after `# -> `; count those."""
    lines, compared = source.splitlines(), 0
    for statement in ast.parse(source).body:
        expected = re.search(r"# -> (.*)", lines[(statement.end_lineno or 0) - 1])
        if expected and isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), PAGE.name, "eval"), names)
            assert repr(value) == expected[1], ast.unparse(statement)
            compared += 1
        else:
            exec(compile(ast.Module([statement], []), PAGE.name, "exec"), names)
    return compared


def test_the_examples_of_the_page_run_in_their_order(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    compared = [run(block, names) for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)]
    assert sum(compared) > 8
    assert capsys.readouterr().out.count(" of 80: ") == 7  # what the example prints, and nothing else
    assert (place / "report.html").is_file()
    assert (place / "report-1.html").is_file()


def test_the_examples_of_the_docstrings_run_in_their_order(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"cifarmlp": cifarmlp}
    for name in (name for name in DEFINED if name in FUNCTIONS and name != "load_config"):  # a doctest
        docstring = inspect.getdoc(getattr(cifarmlp, name)) or ""
        _, example = docstring.split("For example::\n\n")
        run(inspect.cleandoc(example), names)
    assert capsys.readouterr().out == ""
    assert (place / "tables").is_dir()


# ------------------------------------------------------------------------------------------------ behaviour


def test_an_interrupted_training_is_resumed_to_the_same_bits(place: Path) -> None:
    def interrupt(training: Any, record: Any) -> None:
        if record.step == tiny.EPOCH:
            raise KeyboardInterrupt

    through = cifarmlp.train("quickstart", "through")
    with pytest.raises(KeyboardInterrupt):
        cifarmlp.train("quickstart", watch=interrupt)
    assert cifarmlp.load_run("quickstart-001").outcomes() == []
    run = cifarmlp.resume("quickstart-001")
    assert tiny.results(run.folder) == tiny.results(through.folder)


def test_changes_are_a_mapping_or_settings(place: Path) -> None:
    by_mapping = cifarmlp.load_config("quickstart", {"seed": 3, "training.schedule.n_s": 30})
    assert cifarmlp.load_config(Path("quickstart"), ["seed=3", "training.schedule.n_s=30"]) == by_mapping
    assert cifarmlp.load_config(by_mapping, ["seed=4"]).seed == 4
    with pytest.raises(cifarmlp.ConfigError, match="did you mean 'lambda'"):
        cifarmlp.load_config(by_mapping, ["training.lamda=1"])


def test_what_is_wrong_is_an_error_of_its_own_kind_and_claims_no_folder(place: Path) -> None:
    with pytest.raises(cifarmlp.ConfigError, match="no such file or shipped config"):
        cifarmlp.train("quickstrat")
    with pytest.raises(cifarmlp.RunFolderError, match="no such folder"):
        cifarmlp.evaluate("quickstart-001")
    with pytest.raises(cifarmlp.ConfigError, match="two or more"):
        cifarmlp.compare(["quickstart-001"])
    with pytest.raises(cifarmlp.ConfigError, match="seeds=0: give 1 or more"):
        cifarmlp.train("quickstart", seeds=0)
    with pytest.raises(cifarmlp.ConfigError, match="coarse_from goes with stages"):
        cifarmlp.run_search("report-2/search", coarse_from="runs/search-001")
    with pytest.raises(cifarmlp.ConfigError, match="part='tset': give one of 'train'"):
        cifarmlp.evaluate("quickstart-001", "tset")
    with pytest.raises(cifarmlp.ConfigError, match="tables='csv': give one of 'md', 'tex', None"):
        cifarmlp.write_report(["quickstart-001"], "report.html", tables="csv")
    assert not (place / "runs").exists()


def test_missing_images_claim_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = cifarmlp.load_config("quickstart", {"data.source": "cifar10"})
    with pytest.raises(cifarmlp.DataError, match="nowhere"):
        cifarmlp.train(config, data_dir="nowhere")
    assert not list(tmp_path.iterdir())
