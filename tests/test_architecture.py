"""Imports go down the list of modules, never up; commands answer before heavy libraries are loaded."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import cifarmlp

PACKAGE = Path(cifarmlp.__file__).parent
HEAVY = {"numpy", "scipy", "matplotlib"}

# From the top down; the modules of one line do not know each other, but for the parts of one thing.
LAYERS = [
    {"cli"},
    {"cli_study"},
    {"cli_report", "cli_runs", "cli_search"},
    {"study_screen", "cli_options"},
    {"report"},
    {"page", "tables", "report_study"},
    {"svg", "safe", "reasons"},
    {"report_comparison", "report_search"},
    {"report_run"},
    {"screen", "search_screen", "run_screen"},
    {"judged", "study_run"},
    {"study_plan"},
    {"study_folder", "reuse"},
    {"gradients", "verdicts"},
    {"study"},
    {"study_schema"},
    {"figures"},
    {"selection", "evaluation"},
    {"listing"},
    {"comparison"},
    {"search"},
    {"earlier", "search_summary", "course"},
    {"search_folder", "populations"},
    {"ranking", "paired", "repeats", "saved"},
    {"experiment"},
    {"advice"},
    {"assembly"},
    {"checkpoint", "memory"},
    {"sampling", "workers", "plots", "pictures", "runs", "train", "outcome"},
    {"processes", "cluster"},
    {"tries"},
    {"data"},
    {"config_words"},
    {"config"},
    {"errors"},
    {"document"},
]
NN_LAYERS = [
    {"nn.gradcheck"},
    {"nn.network", "nn.optimisers"},
    {"nn.layers"},
    {"nn.losses"},
    {"nn.schedules"},
    {"nn.inits"},
    {"nn.types"},
]
RANK = {name: rank for layers in (LAYERS, NN_LAYERS) for rank, names in enumerate(layers) for name in names}
ALLOWED_BESIDE = {("nn.optimisers", "nn.network")}


def is_engine(name: str) -> bool:
    return name.startswith("nn.")


def modules() -> dict[str, Path]:
    """Every module by its name within the package: `train`, `nn.layers`."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imported_names(tree: ast.AST) -> set[str]:
    """Everything that is imported, at the top or within functions, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def graph() -> dict[str, frozenset[str]]:
    """The package's modules that each of them imports."""
    known = modules()
    edges = {}
    for name, path in known.items():
        names = imported_names(ast.parse(path.read_text(encoding="utf-8")))
        inside = {other.removeprefix("cifarmlp.") for other in names if other.startswith("cifarmlp.")}
        edges[name] = frozenset(inside & set(known))
    return edges


def reached_from(name: str) -> set[str]:
    """All that a module imports, directly or through others."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        new = graph()[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


@pytest.mark.parametrize("name", sorted(set(RANK) & set(modules())))
def test_imports_go_down(name: str) -> None:
    beside = {other for other in reached_from(name) & set(RANK) if is_engine(other) == is_engine(name)}
    upward = {other for other in beside if RANK[other] <= RANK[name] and (name, other) not in ALLOWED_BESIDE}
    assert not upward


@pytest.mark.parametrize("name", sorted(modules()))
def test_no_module_imports_itself_in_a_circle(name: str) -> None:
    assert name not in reached_from(name)


@pytest.mark.parametrize("name", sorted(name for name in modules() if is_engine(name)))
def test_the_engine_imports_nothing_of_the_package_outside_itself(name: str) -> None:
    names = imported_names(ast.parse(modules()[name].read_text(encoding="utf-8")))
    assert {n for n in names if n.split(".")[0] == "cifarmlp" and not n.startswith("cifarmlp.nn")} == set()


@pytest.mark.parametrize("name", sorted(name for name in modules() if is_engine(name)))
def test_the_engine_knows_nothing_of_files_configs_or_screens(name: str) -> None:
    names = imported_names(ast.parse(modules()[name].read_text(encoding="utf-8")))
    roots = {n.split(".")[0] for n in names}
    assert not roots & {"click", "io", "json", "matplotlib", "os", "pathlib", "pydantic", "tqdm", "yaml"}


def test_the_test_sees_imports_within_functions() -> None:
    tree = ast.parse("def f():\n    from cifarmlp.nn import layers\n    import cifarmlp.train\n")
    assert {"cifarmlp.nn.layers", "cifarmlp.training.loop"} <= imported_names(tree)


@pytest.mark.skipif("cli" not in modules(), reason="there is no command line yet")
def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = "import sys, cifarmlp.cli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
