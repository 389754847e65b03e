"""Whether two installations of cifarmlp leave the same numbers, bit for bit: trainings, searches, a study.

    python benchmarks/same_bits.py BEFORE AFTER [--work DIR]

BEFORE and AFTER are the Python programs of two environments, such as .venv/bin/python, with one version each.
Both run the same commands in a folder each; then every file of arrays, CSV or JSON that BEFORE left is
compared, times and versions aside. AFTER may have more files, columns, keys and arrays. CIFAR-10 must be
where the commands find it. It takes some three minutes on two cores.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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
]
# Times, words, the request, the memory that was free, differences of gradients that are rounding alone, and
# the checksum of model.npz, whose arrays are compared.
ASIDE = {"seconds", "steps_per_second", "copied_seconds", "made_of", "command", "memory"}
ASIDE |= {"advice", "asked", "checks", "model_sha256"}


def run(python: str, place: Path) -> None:
    """Run every command in `place`; a command that fails ends the program."""
    place.mkdir()
    (place / "study.yaml").write_text(STUDY)
    (place / "base.yaml").write_text(BASE)
    for command in COMMANDS:
        print(f"{place.name}: cifarmlp {' '.join(command)}", flush=True)
        call = [python, "-m", "cifarmlp", *command, "--quiet"]
        subprocess.run(call, cwd=place, check=True, stdout=subprocess.DEVNULL)


def results(place: Path) -> Iterator[Path]:
    """The files that hold numbers, relative to `place`."""
    kinds = {".npz", ".csv", ".json"}
    for path in sorted(place.rglob("*")):
        if path.suffix in kinds and not path.name.startswith(("checkpoint", "environment", ".")):
            yield path.relative_to(place)


def agree(before: Path, after: Path) -> bool:
    """Whether a file is there in both versions, and with the same numbers."""
    if not after.exists():
        return False
    if before.suffix == ".json":
        return is_in(*(json.loads(path.read_text()) for path in (before, after)))
    if before.suffix == ".csv":
        return is_in(rows(before), rows(after))
    return is_in(arrays(before), arrays(after))


def arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by their names: dtype, shape and bytes of each."""
    with np.load(path, allow_pickle=False) as found:
        return {name: [str(array.dtype), list(array.shape), array.tobytes()] for name, array in found.items()}


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, with eta as float32: 0.10000000149011612 and 0.1 are the same rate."""
    found = list(csv.DictReader(path.read_text().splitlines()))
    return [{**row, "eta": str(np.float32(row["eta"]))} if "eta" in row else row for row in found]


def is_in(before: Any, after: Any) -> bool:
    """Whether all of `before`, but for `ASIDE`, is in `after`, which may have more keys."""
    if isinstance(before, dict):
        kept = before.keys() - ASIDE
        return isinstance(after, dict) and all(
            key in after and is_in(before[key], after[key]) for key in kept
        )
    if isinstance(before, list):
        return isinstance(after, list) and len(before) == len(after) and all(map(is_in, before, after))
    return bool(before == after)


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
    kinds: dict[str, list[int]] = {}
    for name in results(places[0]):
        same = agree(places[0] / name, places[1] / name)
        kinds.setdefault(name.name, [0, 0])[not same] += 1
        if not same:
            print(f"DIFFERS: {name}")
    for kind, (same, other) in sorted(kinds.items()):
        print(f"{kind:<16} {same:>3} the same{f', {other} differ' if other else ''}")
    sys.exit(1 if any(other for _, other in kinds.values()) else 0)


if __name__ == "__main__":
    main()
