"""A record as a row of metrics.csv, and the outcome of a training with the metrics of a row."""

from collections.abc import Mapping

from cifarmlp.config import Config
from cifarmlp.training.loop import Metrics, Record, Training
from cifarmlp.training.outcome import PARTS, QUANTITIES, Outcome, Status

Row = dict[str, float]


def row_of(record: Record, member: int = 0) -> Row:
    """Return the row of metrics.csv that holds a record: with the parts of the data that were measured."""
    eta = float(str(record.eta[member]))  # in the fewest digits that are this float32: 0.1, not 0.1000000015
    row = {"step": record.step, "epoch": record.epoch, "eta": eta}
    for part in PARTS:
        metrics = getattr(record, part)
        values = of_member(metrics, member) if metrics else {}
        row.update({f"{part}_{quantity}": value for quantity, value in values.items()})
    return row


def of_member(metrics: Metrics, member: int = 0) -> dict[str, float]:
    """Return a member's cost, loss and accuracy."""
    return {quantity: float(getattr(metrics, quantity)[member]) for quantity in QUANTITIES}


def outcome_of(
    config: Config, training: Training, row: Mapping[str, float], seconds: float, member: int = 0
) -> Outcome:
    """Return the outcome of a member, with the metrics of a row of metrics.csv; empty if it has none."""
    diverged = int(training.diverged[member])
    status: Status = "interrupted" if not training.over else "diverged" if diverged >= 0 else "finished"
    parts = [part for part in PARTS if f"{part}_loss" in row]
    kept, measured = training.kept[1], int(row.get("step", -1))
    return Outcome(
        status,
        training.step,
        training.step / training.steps_per_epoch,
        seconds,
        {part: {q: row[f"{part}_{q}"] for q in QUANTITIES} for part in parts},
        config.seed,
        diverged_at=diverged if status == "diverged" else None,
        kept_step=kept if config.training.keep == "best" else None,
        measured_step=measured if row and measured != kept else None,
        stopped=_why_stopped(training) if status == "finished" else "",
    )


def _why_stopped(training: Training) -> str:
    best = training.best
    if best is None or best.is_waiting or training.step == training.steps:
        return ""
    evaluations = f"{best.patience} evaluation{'s' * (best.patience != 1)}"
    return f"{evaluations} without a better validation accuracy than {best.accuracy:.4f} at step {best.step}"
