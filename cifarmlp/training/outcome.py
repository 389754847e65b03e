"""result.json: the outcome of one training; summary.json: mean and std over several seeds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, WrapValidator

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.errors import RunFolderError
from cifarmlp.stats import mean_and_std
from cifarmlp.text import escape
from cifarmlp.training.metrics import LARGEST

PARTS = ("train", "validation", "test")
QUANTITIES = ("cost", "loss", "accuracy")
F1 = "f1"  # of the test images only
CLASSES = ("precision", "recall")
MODEL = "model.npz"
OPTIONAL = ("kept_step", "measured_step", "stopped", "snapshots")  # not in result.json where they are unset
LOOKED_AT = "looked at during training"  # what tables and plots say of such test images
Status = Literal["finished", "diverged", "interrupted"]

STRICT = ConfigDict(strict=True, defer_build=True, allow_inf_nan=False)
NULL_IS_NAN = WrapValidator(lambda value, check: math.nan if value is None else check(value))
Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST), NULL_IS_NAN]
Share = Annotated[float, Field(ge=0, le=1), NULL_IS_NAN]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Positive = Annotated[float, Field(ge=0, lt=LARGEST)]


@dataclass
class Outcome:
    """Outcome of a training, see `as_dict` and result.json.

    metrics: {train, validation, test} -> {cost, loss, accuracy}, and f1 (macro F1) of test; validation is
    missing without such images, test if interrupted. classes: precision and recall of each class of the test
    images. diverged_at: step. layers: health of each layer of a training that never left chance level.
    advice: for that and for one that diverged, what was seen, line by line. kept_step: of model.npz, with
    `keep: best`. measured_step: of the metrics, if not that of model.npz. stopped: why it ended before its
    last step. snapshots: SHA-256 of each by its name.
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
    classes: dict[str, list[float]] = field(default_factory=dict)

    def metric(self, part: str, quantity: str) -> float:
        """Return a metric such as the accuracy of the test images; nan if it was not measured.

        Raises ValueError if there is no such part or quantity.

        >>> outcome = Outcome("interrupted", 300, 0.6, 2.5, {"train": {"loss": 1.5}}, seed=1)
        >>> outcome.metric("train", "loss"), outcome.metric("test", "loss")
        (1.5, nan)
        """
        quantities = (*QUANTITIES, F1) if part == "test" else QUANTITIES
        if part not in PARTS or quantity not in quantities:
            raise ValueError(f"no {part} {quantity}: a part of {PARTS}, a quantity of {quantities}")
        return self.metrics.get(part, {}).get(quantity, float("nan"))

    def as_dict(self) -> dict[str, Any]:
        """Return what result.json holds, but for the checksum of the model."""
        values = asdict(self)
        metrics, classes = values.pop("metrics"), values.pop("classes")
        if "test" in metrics:
            metrics["test"] |= classes
        unset = [name for name in OPTIONAL if values[name] in (None, "", {})]
        values = {name: value for name, value in values.items() if name not in unset}
        values["steps_per_second"] = self.steps / self.seconds if self.seconds else 0.0
        return {**values, **{part: metrics.get(part) for part in PARTS}}


class MetricsFile(BaseModel):
    """Cost, loss and accuracy in result.json; null is read as nan."""

    model_config = STRICT

    cost: Number
    loss: Number
    accuracy: Share


class TestFile(MetricsFile):
    """Metrics of the test images, with macro F1 and, by class, precision and recall: not of version 0.1."""

    f1: Share | None = None
    precision: Annotated[list[Share] | None, Field(max_length=10)] = None
    recall: Annotated[list[Share] | None, Field(max_length=10)] = None


class LayerFile(BaseModel):
    """Health of a layer in result.json; null is read as nan."""

    model_config = STRICT

    layer: Count
    dead: Share
    spread: Number


class ResultFile(BaseModel):
    """Contents of result.json."""

    model_config = STRICT

    status: Status
    steps: Count
    epochs: Positive
    seconds: Positive
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    at_chance: bool
    diverged_at: Count | None
    layers: Annotated[list[LayerFile], FailFast()]
    advice: Annotated[list[str], FailFast()]
    kept_step: Count | None = None
    measured_step: Count | None = None
    stopped: str = ""
    snapshots: Annotated[dict[str, str], Field(max_length=10_000)] = {}
    train: MetricsFile | None
    validation: MetricsFile | None
    test: TestFile | None
    model_sha256: str


class SummaryFile(BaseModel):
    """Contents of summary.json, as far as they cannot be worked out again: the number of seeds to train."""

    model_config = STRICT

    planned: int = Field(ge=1, le=10_000)


def parts_of(configs: Iterable[Config]) -> tuple[str, ...]:
    """Return the parts of the data that trainings of these configs are measured on.

    >>> parts_of([Config()])
    ('train', 'validation', 'test')
    """
    has_validation = any(config.data.validation_images for config in configs)
    return PARTS if has_validation else ("train", "test")


def model_checksum(folder: Path, name: str = MODEL) -> str:
    """Return the SHA-256 of model.npz or of a snapshot. Raises OSError if it cannot be read."""
    with files.open_regular(folder / name, files.MOST_ARRAYS) as file:
        return file_digest(file, "sha256").hexdigest()


def read_ended(folder: Path) -> Outcome | None:
    """Return the outcome of a training that has ended; None if it has not, or its files are damaged."""
    try:
        return read_whole(folder)
    except RunFolderError:
        return None


def read_whole(folder: Path) -> Outcome | None:
    """Return the outcome of a training that has ended; None if it has not.

    Raises RunFolderError if result.json or model.npz is damaged, or they are not of the same training.
    """
    recorded = read_recorded(folder)
    if recorded is None or recorded[0].status == "interrupted":
        return None
    name = escape(str(folder / MODEL))
    try:
        checksum = model_checksum(folder)
    except OSError as error:
        raise RunFolderError(f"{name} cannot be read: {error.strerror}") from error
    if checksum != recorded[1]:
        raise RunFolderError(f"{name} is damaged: its checksum is not the one in result.json")
    return recorded[0]


def read_recorded(folder: Path) -> tuple[Outcome, str] | None:
    """Return the outcome in result.json, of an interrupted training too, and the SHA-256 of its model.npz.

    No other file is read. None if there is no result.json; raises RunFolderError if it is damaged.
    """
    result = files.read_json(folder / "result.json", ResultFile)
    if result is None:
        return None
    values = result.model_dump(exclude_none=True)
    checksum = values.pop("model_sha256")
    metrics = {part: numbers for part in PARTS if (numbers := values.pop(part, None))}
    classes = {name: metrics["test"].pop(name) for name in CLASSES if name in metrics.get("test", {})}
    return Outcome(metrics=metrics, classes=classes, **values), checksum


def read_planned(folder: Path) -> int:
    """Return how many seeds are to be trained in a folder: those in summary.json, or one if it has none.

    Raises RunFolderError if that file is damaged.
    """
    try:
        summary = files.read_json(folder / "summary.json", SummaryFile)
    except RunFolderError as error:
        raise RunFolderError(f"{error}; train the config anew") from error
    return 1 if summary is None else summary.planned


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
