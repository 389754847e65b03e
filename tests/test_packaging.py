"""setup.cfg names every package and file that a wheel needs, and a wheel runs where it is installed."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import cifarmlp

ROOT = Path(cifarmlp.__file__).parents[1]
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg")
OFFLINE = "Could not find a version that satisfies the requirement"


def lines(section: str, option: str) -> list[str]:
    return SETUP[section][option].split("\n")[1:]


def folder_of(package: str) -> Path:
    """The folder of the checkout that a package is made of."""
    return ROOT / "configs" if package == "cifarmlp.configs" else ROOT / package.replace(".", "/")


def test_every_folder_with_code_is_a_package_and_each_package_a_folder() -> None:
    folders = [path.parent for path in (ROOT / "cifarmlp").rglob("__init__.py")]
    assert sorted(map(folder_of, lines("options", "packages"))) == sorted([*folders, ROOT / "configs"])


def test_every_file_beside_the_code_is_package_data() -> None:
    data = {name: patterns.split(",") for name, patterns in SETUP["options.package_data"].items()}
    packed = {path for name in data for each in data[name] for path in folder_of(name).glob(each.strip())}
    files = [path for name in ("cifarmlp", "configs") for path in (ROOT / name).rglob("*") if path.is_file()]
    assert packed == {path for path in files if path.suffix not in (".py", ".pyc")}
    assert len(packed) > 30


def test_the_version_is_one_and_the_command_leads_to_main() -> None:
    assert SETUP["metadata"]["version"] == cifarmlp.__version__
    assert lines("options.entry_points", "console_scripts") == ["cifarmlp = cifarmlp.cli.main:main"]


@pytest.mark.slow
def test_a_wheel_trains_and_reports_where_it_is_installed(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "elsewhere"
    place.mkdir()
    for name in ("cifarmlp", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: object) -> str:
        done = subprocess.run(
            list(map(str, words)), cwd=place, env=environment, capture_output=True, text=True
        )
        if OFFLINE in done.stderr:
            pytest.skip(f"pip reaches no index: {done.stderr.splitlines()[0]}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, source)
    (wheel,) = tmp_path.glob("cifarmlp-*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(scripts / "python", "-m", "pip", "install", "--quiet", wheel)
    assert "report-2/figure-3" in run(scripts / "cifarmlp", "configs")
    assert "accuracy" in run(scripts / "cifarmlp", "train", "quickstart", "--set", "training.steps=20")
    run(scripts / "cifarmlp", "report", "runs/quickstart-001")
    assert (place / "runs" / "quickstart-001" / "report.html").is_file()
