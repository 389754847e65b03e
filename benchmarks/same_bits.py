"""Whether two installations of cifarmlp leave the same bits: trainings, searches, a study and their pages.

    python benchmarks/same_bits.py BEFORE AFTER [--work DIR]

BEFORE and AFTER are the Python programs of two environments, such as .venv/bin/python, with one version each.
Both run the same commands in a folder each; then every file that holds results is compared, times and
versions aside. CIFAR-10 must be where the commands find it. It takes about ten minutes on two cores.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STUDY = """\
title: Small things
base: base.yaml
repeats: 2
sections:
  - title: Gradients
    gradcheck: [{name: with norm, reported: {W1: 0.4, gamma1: 1.0e-9}}]
  - title: Accuracies
    experiments:
      - {name: norm, reported: {accuracy: [0.5, 0.4, 0.41]}}
      - {name: bare, set: {network.batch_norm: false}, reported: {accuracy: [0.5, 0.4, 0.41]}}
      - name: lost
        set: {training.schedule.eta_max: 1.0e+9, network.batch_norm: false}
        reported: {status: diverged}
    comparisons: [{claim: norm helps, of: [norm, bare]}]
  - title: Search
    search: {config: base.yaml}
"""
BASE = """\
extends: quickstart
data: {validation: 1000}
network: {hidden: [20, 10]}
training: {steps: 300}
search:
  coarse: {trials: 6, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}
  fine: {trials: 2, centres: 2, space: {training.lambda: {uniform_within: 0.001}}}
"""
STEPS = ["--set", "training.steps=980"]
COMMANDS = [
    ["train", "quickstart", "report-2/figure-3", "report-2/figure-4", "report-1/figure-1", *STEPS],
    ["train", "quickstart", *STEPS, "--repeats", "2", "--jobs", "2"],
    ["search", "base.yaml", "--jobs", "2"],
    ["study", "study.yaml", "--jobs", "2"],
    [
        "report",
        "runs/quickstart-001",
        "runs/report-2-figure-3-001",
        "--output",
        "two.html",
        "--tables",
        "tex",
    ],
    ["report", "runs/quickstart-003", "--tables", "md"],
]
TIMES = {
    "seconds",
    "steps_per_second",
    "copied_seconds",
    "made_of",
    "command",
    "memory",
}  # memory: what was free


def run(python: str, place: Path) -> None:
    """Run every command in `place`; a command that fails ends the program."""
    place.mkdir()
    (place / "study.yaml").write_text(STUDY)
    (place / "base.yaml").write_text(BASE)
    for command in COMMANDS:
        print(f"{place.name}: cifarmlp {' '.join(command)}", flush=True)
        call = [python, "-m", "cifarmlp", *command, *(["--quiet"] if command[0] != "report" else [])]
        subprocess.run(call, cwd=place, check=True, stdout=subprocess.DEVNULL)


def results(place: Path) -> Iterator[Path]:
    """The files that hold results, relative to `place`."""
    kinds = {".npz", ".csv", ".json", ".html", ".yaml", ".tex", ".md", ".png"}
    for path in sorted(place.rglob("*")):
        if path.suffix in kinds and not path.name.startswith(("checkpoint", "environment", ".")):
            yield path.relative_to(place)


def content(path: Path) -> Any:
    """What two versions must agree in."""
    if path.suffix == ".json":
        return without_times(json.loads(path.read_text()))
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]
    if path.suffix in {".html", ".tex", ".md"}:
        return without_origin(path.read_text())
    return path.read_bytes()


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def without_origin(text: str) -> str:
    """A page or table without durations, versions, commits and the paths of programs."""
    text = re.sub(r"\d+(\.\d+)? (s|min|h)\b( \d+ (s|min)\b)?", "TIME", text)
    text = re.sub(r"\b0\.[12]\.0\b|\b[0-9a-f]{40}\+?", "VERSION", text)
    return re.sub(r"(git commit|blas threads|cpu|platform).*", "ORIGIN", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--work", type=Path, help="where the runs of both go, and stay")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    places = work / "before", work / "after"
    for python, place in zip((options.before, options.after), places, strict=True):
        if not place.exists():
            run(python, place)
    names = [set(results(place)) for place in places]
    kinds: dict[str, list[int]] = {}
    for name in sorted(names[0] | names[1]):
        same = name in names[0] & names[1] and content(places[0] / name) == content(places[1] / name)
        counts = kinds.setdefault(
            name.name if name.suffix in {".npz", ".csv", ".json"} else name.suffix, [0, 0]
        )
        counts[not same] += 1
        if not same:
            print(f"DIFFERS: {name}")
    for kind, (same, other) in sorted(kinds.items()):
        print(f"{kind:<16} {same:>3} the same{f', {other} differ' if other else ''}")
    sys.exit(1 if any(other for _, other in kinds.values()) else 0)


if __name__ == "__main__":
    main()
