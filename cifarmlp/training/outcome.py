"""result.json: the outcome of one training; summary.json: mean and std over several seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cifarmlp.config import Config
from cifarmlp.files import sha256
from cifarmlp.stats import mean_and_std

PARTS = ("train", "validation", "test")
QUANTITIES = ("cost", "loss", "accuracy")
MODEL = "model.npz"
OPTIONAL = ("kept_step", "measured_step", "stopped", "snapshots")  # not in result.json where they are unset
LOOKED_AT = "looked at during training"  # what tables and plots say of such test images
Status = Literal["finished", "diverged", "interrupted"]
Number = Annotated[float, BeforeValidator(lambda value: float("nan") if value is None else value)]


@dataclass
class Outcome:
    """Outcome of a training, see `as_dict` and result.json.

    metrics: {train, validation, test} -> {cost, loss, accuracy}; validation is missing without such images,
    test if interrupted. diverged_at: step. layers: health of each layer of a training that never left chance
    level. advice: for that and for one that diverged, what was seen, line by line. kept_step: of model.npz,
    with `keep: best`. measured_step: of the metrics, if not that of model.npz. stopped: why it ended before
    its last step. snapshots: SHA-256 of each by its name.
    """

    status: Status
    steps: int
    epochs: float
    seconds: float
    metrics: dict[str, dict[str, float]]
    seed: int
    at_chance: bool = False
    diverged_at: int | None = None
    layers: list[dict[str, float]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    kept_step: int | None = None
    measured_step: int | None = None
    stopped: str = ""
    snapshots: dict[str, str] = field(default_factory=dict)

    def metric(self, part: str, quantity: str) -> float:
        """Return a metric such as the accuracy of the test images; nan if it was not measured.

        Raises ValueError if there is no such part or quantity.

        >>> outcome = Outcome("interrupted", 300, 0.6, 2.5, {"train": {"loss": 1.5}}, seed=1)
        >>> outcome.metric("train", "loss"), outcome.metric("test", "loss")
        (1.5, nan)
        """
        if part not in PARTS or quantity not in QUANTITIES:
            raise ValueError(f"no {part} {quantity}: a part of {PARTS}, a quantity of {QUANTITIES}")
        return self.metrics.get(part, {}).get(quantity, float("nan"))

    def as_dict(self) -> dict[str, Any]:
        """Return what result.json holds, but for the checksum of the model."""
        values = asdict(self)
        metrics = values.pop("metrics")
        unset = [name for name in OPTIONAL if values[name] in (None, "", {})]
        values = {name: value for name, value in values.items() if name not in unset}
        values["steps_per_second"] = self.steps / self.seconds if self.seconds else 0.0
        return {**values, **{part: metrics.get(part) for part in PARTS}}


class ResultFile(BaseModel):
    """Contents of result.json, of which null is read as nan where a number is meant."""

    model_config = ConfigDict(strict=True, defer_build=True)

    status: Status
    steps: int
    epochs: float
    seconds: float
    seed: int
    at_chance: bool
    diverged_at: int | None
    layers: list[dict[str, int | Number]]
    advice: list[str]
    kept_step: int | None = None
    measured_step: int | None = None
    stopped: str = ""
    snapshots: dict[str, str] = {}
    train: dict[str, Number] | None
    validation: dict[str, Number] | None
    test: dict[str, Number] | None
    model_sha256: str


class SummaryFile(BaseModel):
    """Contents of summary.json, as far as they cannot be worked out again: the number of seeds to train."""

    model_config = ConfigDict(strict=True, defer_build=True)

    planned: int = Field(ge=1)


def parts_of(configs: Iterable[Config]) -> tuple[str, ...]:
    """Return the parts of the data that trainings of these configs are measured on.

    >>> parts_of([Config()])
    ('train', 'validation', 'test')
    """
    has_validation = any(config.data.validation_images for config in configs)
    return PARTS if has_validation else ("train", "test")


def model_checksum(folder: Path, name: str = MODEL) -> str:
    """Return the SHA-256 of model.npz or of a snapshot."""
    return sha256((folder / name).read_bytes())


def read_ended(folder: Path) -> Outcome | None:
    """Return the outcome of a training that has ended; None if it has not, or its files are damaged."""
    try:
        outcome, checksum = read_recorded(folder)
        is_whole = outcome.status != "interrupted" and checksum == model_checksum(folder)
        return outcome if is_whole else None
    except (OSError, ValueError):
        return None


def read_recorded(folder: Path) -> tuple[Outcome, str]:
    """Return the outcome in result.json, of an interrupted training too, and the SHA-256 of its model.npz.

    No other file is read. Raises ValueError if it is damaged, OSError if it cannot be read.
    """
    data = (folder / "result.json").read_bytes()
    try:
        values = ResultFile.model_validate_json(data).model_dump()
    except ValidationError as error:
        raise ValueError("result.json is damaged") from error
    checksum = values.pop("model_sha256")
    metrics = {part: numbers for part in PARTS if (numbers := values.pop(part))}
    return Outcome(metrics=metrics, **values), checksum


def read_planned(folder: Path) -> int:
    """Return how many seeds are to be trained in a folder: those in summary.json, or one if it has none.

    Raises ValueError if that file is damaged, OSError if it cannot be read.
    """
    try:
        return SummaryFile.model_validate_json((folder / "summary.json").read_bytes()).planned
    except FileNotFoundError:
        return 1
    except ValidationError as error:
        raise ValueError("summary.json is damaged") from error


def summarise(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return mean, standard deviation (n - 1) and n of each metric over the seeds, as in summary.json.

    What no seed was measured on, as validation images that are not there, is nan with n = 0.

    >>> metrics = [{"test": {"accuracy": accuracy}} for accuracy in (0.5, 0.52)]
    >>> outcomes = [Outcome("finished", 980, 2.0, 1.5, each, seed) for seed, each in enumerate(metrics, 1)]
    >>> summary = summarise(outcomes)
    >>> summary["seeds"], summary["test"]["accuracy"]["mean"]
    ([1, 2], 0.51)
    """
    summary: dict[str, Any] = {"n": len(outcomes), "seeds": [outcome.seed for outcome in outcomes]}
    for part in PARTS:
        measured = [outcome for outcome in outcomes if part in outcome.metrics]
        values = {q: [outcome.metric(part, q) for outcome in measured] for q in QUANTITIES}
        summary[part] = {quantity: mean_and_std(numbers) for quantity, numbers in values.items()}
    return summary
