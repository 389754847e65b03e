"""Run folders of tiny trainings, and the commands on them."""

import csv
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cifarmlp.files import sha256
from helpers import command

cifarmlp = partial(command.cifarmlp, on_tiny_images=True)

LOST = "training.schedule={kind: constant, eta: 1.0e+30, epochs: 2}"  # diverges
PARTS = ("train", "validation", "test")


def result(folder: Path) -> dict[str, Any]:
    """The content of result.json."""
    values: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return values


def write_model(run: Path, arrays: dict[str, Any]) -> None:
    """Write another model.npz, of which result.json knows."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (run / "model.npz").write_bytes(buffer.getvalue())
    (run / "result.json").write_text(json.dumps({**result(run), "model_sha256": sha256(buffer.getvalue())}))


def column(folder: Path, name: str) -> list[float]:
    """A column of metrics.csv."""
    with (folder / "metrics.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file)]
