"""Whole commands: `cifarmlp train` against a PyTorch script that evaluates as it does, seconds a process.

    python benchmarks/whole.py [--rounds 7] [--epochs 4] [--before PYTHON] [--torch PYTHON]

Both train report 2's 3-layer network on the images at hand (CIFAR-10, or else synthetic ones) and evaluate
all training and validation images after each epoch, from the start of the process to its end; the script is
benchmarks/torch_training.py. The contenders take turns; medians. before: the interpreter of another version
of this engine; torch: that which has PyTorch.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from side_by_side import THREAD_VARIABLES, footer
from tabulate import tabulate

from cifarmlp import data, parallel
from cifarmlp.errors import DataError

SCRIPT = Path(__file__).with_name("torch_training.py")
AN_EPOCH = 490  # steps of 49,000 images


def write_images(folder: Path) -> str:
    """Write the images for the script; return their source."""
    try:
        dataset = data.load("cifar10")
    except DataError:
        dataset = data.load("synthetic")
    for name in ("pixels", "labels"):
        np.save(
            folder / f"{name}.npy", np.concatenate([getattr(x, name) for x in (dataset.train, dataset.test)])
        )
    return dataset.source


def commands(options: argparse.Namespace, folder: Path, source: str) -> dict[str, list[str]]:
    """Return the command of each contender, with a folder of its own to write to."""
    settings = [f"training.steps={options.epochs * AN_EPOCH}", f"data.source={source}"]
    words = ["-m", "cifarmlp", "train", "report-2/figure-3", "--quiet"]
    words += [word for setting in settings for word in ("--set", setting)]
    found = {"this engine": [sys.executable, *words, "--out", str(folder / "ours")]}
    if options.before:
        found["before"] = [options.before, *words, "--out", str(folder / "before")]
    threads = sorted({1, *(n for n in (2, 4, parallel.cores()) if n <= parallel.cores())})
    for n in threads:
        arguments = [str(folder), str(options.epochs), str(n), str(folder / f"torch-{n}")]
        found[f"PyTorch, threads {n}"] = [options.torch, str(SCRIPT), *arguments]
    return found


def seconds(command: list[str]) -> float:
    """Run a command, and return its time; end with its message if it fails."""
    start = time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return time.perf_counter() - start


def torch_version(python: str) -> str:
    """Return the version of PyTorch of an interpreter."""
    code = "import torch; print(torch.__version__)"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Measure all in turn, and print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--before", metavar="PYTHON")
    parser.add_argument("--torch", metavar="PYTHON", default=sys.executable)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        contenders = commands(options, Path(place), write_images(Path(place)))
        for command in contenders.values():
            seconds(command)  # once before, for files in memory and bytecode
        rounds = [{name: seconds(c) for name, c in contenders.items()} for _ in range(options.rounds)]
    times = {name: [each[name] for each in rounds] for name in contenders}
    ours = times["this engine"]
    rows = [
        [name, *(f"{of(t):.2f}" for of in (statistics.median, min, max)), f"{_ratio(ours, t):.2f}"]
        for name, t in times.items()
    ]
    headers = ["", "median s", "least s", "most s", "this engine / it"]
    print(tabulate(rows, headers=headers, disable_numparse=True, colalign=("left", *["right"] * 4)))
    print(
        f"\n{options.rounds} rounds, {options.epochs} epochs;",
        ", ".join(" ".join(x) for x in {**footer(), "torch": torch_version(options.torch)}.items()),
    )


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
