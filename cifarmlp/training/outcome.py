"""How a training went: what result.json holds, and the summary over seeds."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cifarmlp.files import sha256
from cifarmlp.stats import mean_and_std

PARTS = ("train", "validation", "test")
QUANTITIES = ("cost", "loss", "accuracy")
MODEL = "model.npz"
STATUS = ("finished", "diverged", "interrupted")


@dataclass
class Outcome:
    """How a training went; `as_dict` is result.json.

    status: finished, diverged or interrupted. metrics: {train, validation, test} -> {cost, loss, accuracy}.
    advice: for a run that diverged or never left chance level, what was seen, line by line.
    """

    status: str
    steps: int
    epochs: float
    seconds: float
    metrics: dict[str, dict[str, float]]
    seed: int
    at_chance: bool = False
    diverged_at: int | None = None
    layers: list[dict[str, float]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def metric(self, part: str, quantity: str) -> float:
        """Return a metric such as the accuracy of the test images; nan if it was not measured."""
        return self.metrics.get(part, {}).get(quantity, float("nan"))

    def as_dict(self) -> dict[str, Any]:
        """Return what result.json holds."""
        values = asdict(self)
        metrics = values.pop("metrics")
        values["steps_per_second"] = self.steps / self.seconds if self.seconds else 0.0
        return {**values, **{part: metrics.get(part) for part in PARTS}}


def model_checksum(folder: Path) -> str:
    """SHA-256 of model.npz."""
    return sha256((folder / MODEL).read_bytes())


def read_ended(folder: Path) -> Outcome | None:
    """The outcome of a training that ended in this folder; None where none did or its files are not whole."""
    try:
        found, checksum = read_recorded(folder)
        return found if found.status != "interrupted" and checksum == model_checksum(folder) else None
    except (OSError, ValueError):
        return None


def read_recorded(folder: Path) -> tuple[Outcome, str]:
    """What result.json says, of an interrupted training too, and the SHA-256 that model.npz should have.

    Nothing else is looked at. Raises ValueError where it is not whole, OSError where it can't be read.
    """
    try:
        values = json.loads((folder / "result.json").read_bytes())
        names = {f.name for f in fields(Outcome)} - {"metrics"}
        metrics = {p: {q: _known(x) for q, x in values[p].items()} for p in PARTS if values[p]}
        found = Outcome(metrics=metrics, **{name: values[name] for name in names})
        if found.status not in STATUS or not isinstance(found.seconds, int | float):
            raise ValueError(found.status)
        return found, str(values["model_sha256"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("result.json is damaged") from error


def _known(number: float | None) -> float:
    return float("nan") if number is None else float(number)


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Mean, standard deviation (n - 1) and n of each metric over the seeds: summary.json."""
    summary: dict[str, Any] = {"n": len(outcomes), "seeds": [outcome.seed for outcome in outcomes]}
    for part in PARTS:
        values = {q: [outcome.metric(part, q) for outcome in outcomes] for q in QUANTITIES}
        summary[part] = {quantity: mean_and_std(numbers) for quantity, numbers in values.items()}
    return summary
