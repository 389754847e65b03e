"""Imports go down the ranks of packages, never up; commands answer before heavy libraries are loaded."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import cifarmlp

PACKAGE = Path(cifarmlp.__file__).parent
HEAVY = {"numpy", "scipy", "matplotlib"}

# A package imports only from the lines below its own; those of one line do not know each other.
RANKS = [
    {"__main__"},
    {"cli"},
    {"api"},
    {"report"},
    {"study"},
    {"runs"},
    {"search"},
    {"training", "owncode"},
    {"nn", "data", "config", "parallel", "render"},
    {"files"},
    {"errors", "text", "stats"},
    {"__init__"},
]
RANK = {package: rank for rank, packages in enumerate(RANKS) for package in packages}


@cache
def modules() -> dict[str, Path]:
    """Every module by its name within the package: `api`, `nn.layers`, `nn` for its `__init__`."""
    paths = PACKAGE.rglob("*.py")
    names = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def package_of(module: str) -> str:
    return module.split(".")[0]


def imported_names(tree: ast.AST) -> set[str]:
    """The modules that are imported, at the top or within functions, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            ours = {name for name in inside if name.removeprefix("cifarmlp.") in modules()}
            names |= ours | ({node.module} if len(ours) < len(inside) else set())
    return names


@cache
def graph() -> dict[str, frozenset[str]]:
    """The modules of the package that each of them imports; a face stands for what it imports, too."""
    known = modules()
    edges = {}
    for name, path in known.items():
        names = imported_names(ast.parse(path.read_text(encoding="utf-8")))
        inside = {other.removeprefix("cifarmlp.") for other in names if other.startswith("cifarmlp.")}
        edges[name] = frozenset((inside & set(known)) - {name})
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


@pytest.mark.parametrize("name", sorted(modules()))
def test_every_module_is_in_a_package_with_a_rank(name: str) -> None:
    assert package_of(name) in RANK


# `__init__` offers the API, but imports it only when it is used.
@pytest.mark.parametrize("name", sorted(set(modules()) - {"__init__"}))
def test_imports_go_down(name: str) -> None:
    rank = RANK[package_of(name)]
    others = {other for other in graph()[name] if package_of(other) != package_of(name)}
    assert {other for other in others if RANK[package_of(other)] <= rank} == set()


@pytest.mark.parametrize("name", sorted(modules()))
def test_no_module_imports_itself_in_a_circle(name: str) -> None:
    assert name not in reached_from(name)


@pytest.mark.parametrize("name", sorted(name for name in modules() if "." in name))
def test_siblings_are_not_imported_through_the_face(name: str) -> None:
    assert package_of(name) not in graph()[name]


@pytest.mark.parametrize("name", sorted(name for name in modules() if package_of(name) == "nn"))
def test_the_engine_knows_nothing_of_files_configs_or_screens(name: str) -> None:
    names = imported_names(ast.parse(modules()[name].read_text(encoding="utf-8")))
    assert {n for n in names if n.split(".")[0] == "cifarmlp" and not n.startswith("cifarmlp.nn")} == set()
    roots = {n.split(".")[0] for n in names}
    assert not roots & {"click", "io", "json", "matplotlib", "os", "pathlib", "pydantic", "tqdm", "yaml"}


def test_the_test_sees_imports_within_functions() -> None:
    tree = ast.parse("def f():\n    from cifarmlp.nn import layers\n    import cifarmlp.training.loop\n")
    assert imported_names(tree) == {"cifarmlp.nn.layers", "cifarmlp.training.loop"}


@pytest.mark.parametrize("module", ["cifarmlp", "cifarmlp.cli.main", "cifarmlp.config"])
def test_the_command_line_starts_without_heavy_libraries(module: str) -> None:
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_a_worker_of_a_search_starts_without_matplotlib() -> None:
    code = "import sys, cifarmlp.search.worker; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
