"""Rows of metrics.csv and of checkpoints, read back: what a training can have measured, or damage."""

import math
from collections.abc import Mapping
from pathlib import Path

from cifarmlp import files
from cifarmlp.text import quote

NAME = "metrics.csv"
COLUMNS = ("step", "epoch", "eta", "train_cost", "train_loss", "train_accuracy")  # that every row has

LARGEST = 1e100  # more than the sum of the squares of all float32 weights


def read_metrics(folder: Path) -> tuple[list[dict[str, float]], list[str]]:
    """Return the rows of metrics.csv that are not damaged, column -> number, and a line about each other one.

    None of either if there is no such file. One without a row is damaged: it is written with the first.
    """
    rows, faults = files.read_rows(folder / NAME, parse_metrics)
    if not rows and not faults and (folder / NAME).exists():
        faults = [f"{NAME} is damaged: there is no row in it"]
    return rows, faults


def parse_metrics(row: Mapping[str, str]) -> dict[str, float]:
    """Return a row as numbers. Raises ValueError if it is damaged, see `check_metrics`.

    >>> parse_metrics(dict.fromkeys(COLUMNS, "1"))["train_loss"]
    1.0
    """
    values = parse_numbers(row)
    check_metrics(values)
    return values


def parse_numbers(row: Mapping[str, str]) -> dict[str, float]:
    """Return a row as numbers. Raises ValueError for a text that is none.

    >>> parse_numbers({"step": "80", "loss": "inf"})
    {'step': 80.0, 'loss': inf}
    """
    values = {}
    for name, text in row.items():
        try:
            values[name] = float(text)
        except ValueError as error:
            raise ValueError(f"{name}: {quote(text)} is no number") from error
    return values


def check_metrics(row: Mapping[str, float]) -> None:
    """Raise ValueError if a column is missing, or has what no training can have measured.

    A loss or cost is nan or infinite after a divergence; an accuracy is from 0 to 1, or nan.
    """
    missing = next((name for name in COLUMNS if name not in row), None)
    if missing:
        raise ValueError(f"there is no column {missing!r}")
    odd = next((name for name, value in row.items() if not _is_possible(name, value)), None)
    if odd is not None:
        raise ValueError(f"{odd}: {row[odd]:g} cannot have been measured")


def _is_possible(name: str, value: float) -> bool:
    if name == "step":
        return 0 <= value < 2**53 and float(value).is_integer()
    if name in ("epoch", "eta"):
        return 0 <= value < LARGEST
    if name.endswith("_accuracy"):
        return math.isnan(value) or 0 <= value <= 1
    return not math.isfinite(value) or abs(value) < LARGEST
