"""Rows of metrics.csv read back: what a training can have measured; all else is damaged."""

import math
from collections.abc import Mapping
from pathlib import Path

from cifarmlp import files
from cifarmlp.text import quote

NAME = "metrics.csv"


def read_metrics(folder: Path) -> tuple[list[dict[str, float]], list[str]]:
    """Return the rows of metrics.csv that are not damaged, column -> number, and a line about each other one.

    None of either if there is no such file.
    """
    return files.read_rows(folder / NAME, parse_metrics)


def parse_metrics(row: Mapping[str, str]) -> dict[str, float]:
    """Return a row as numbers. Raises ValueError for what no training can have measured.

    A loss or cost may be anything, as after a divergence; an accuracy is from 0 to 1, or nan.

    >>> parse_metrics({"step": "80", "train_loss": "inf", "train_accuracy": "0.5"})
    {'step': 80.0, 'train_loss': inf, 'train_accuracy': 0.5}
    """
    values = {}
    for name, text in row.items():
        try:
            values[name] = float(text)
        except ValueError as error:
            raise ValueError(f"{name}: {quote(text)} is no number") from error
        if not _is_possible(name, values[name]):
            raise ValueError(f"{name}: {quote(text)} cannot have been measured")
    if "step" not in values:
        raise ValueError("there is no column `step`")
    return values


def _is_possible(name: str, value: float) -> bool:
    if name == "step":
        return 0 <= value < 2**53 and value.is_integer()
    if name in ("epoch", "eta"):
        return 0 <= value < math.inf
    return not name.endswith("_accuracy") or math.isnan(value) or 0 <= value <= 1
