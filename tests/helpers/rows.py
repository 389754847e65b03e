"""Rows of metrics.csv, made by hand."""

from collections.abc import Sequence

STEPS = (0, 10, 20)


PARTS = ("train", "validation")


def row(step: float, value: float, parts: Sequence[str] = PARTS) -> dict[str, float]:
    """A row of metrics.csv with one value in all columns."""
    columns = [f"{part}_{quantity}" for part in parts for quantity in ("cost", "loss", "accuracy")]
    return {"step": step, "eta": 0.1, **dict.fromkeys(columns, value)}


ROWS = [row(step, step + 1.0) for step in STEPS]
