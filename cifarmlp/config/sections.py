"""The sections data, network and training: fields, types, bounds, defaults, and rules between fields.

A description completes the sentence 'NAME is VALUE; it must be …'; editors show it for the field.
An optimiser or a schedule is a class here, by its `kind`. It knows its words and what others ask of its kind;
training/build.py turns it into arrays and functions.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from cifarmlp.text import quote

TRAINING_IMAGES = 50_000
BATCH_FILE_IMAGES = 10_000

Count = Annotated[int, Field(ge=1, le=10**9)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=1, le=100_000)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def conflict(message: str, *fields: str) -> PydanticCustomError:
    """Return a fault between fields (dotted; its place is that of the first) or one with its own words."""
    return PydanticCustomError("conflict", "{message}", {"message": message, "fields": fields})


def _no_repeats(files: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(files)) < len(files):
        raise conflict(f"the list {quote(files)} names a file twice: once is enough")
    return files


BatchFiles = Annotated[
    tuple[Annotated[int, Field(ge=1, le=5)], ...],
    Field(strict=False, min_length=1),
    AfterValidator(_no_repeats),
]


class StrictModel(BaseModel):
    """A mapping of the config: converts no value, refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(StrictModel):
    """The images to train on, and those to validate on."""

    source: Literal["cifar10", "synthetic"] = "cifar10"
    validation: Annotated[int, Field(ge=1, lt=TRAINING_IMAGES)] | None = Field(
        1000, description="a whole number: so many of the last training images are for validation"
    )
    train_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [1, 2]")
    validation_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [5]")

    @property
    def training_images(self) -> int:
        """Number of images in the training split."""
        if self.train_batches is None:
            return TRAINING_IMAGES - (self.validation or 0)
        return BATCH_FILE_IMAGES * len(self.train_batches)

    @property
    def validation_images(self) -> int:
        """Number of images in the validation split."""
        return self.validation or BATCH_FILE_IMAGES * len(self.validation_batches or ())

    @model_validator(mode="before")
    @classmethod
    def _batches_replace_the_default(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and (raw.get("train_batches") or raw.get("validation_batches")):
            return {"validation": None, **raw}
        return raw

    @model_validator(mode="after")
    def _is_one_split(self) -> DataConfig:
        train, validation = self.train_batches, self.validation_batches
        images, first, second = "data.validation", "data.train_batches", "data.validation_batches"
        if self.validation is not None and (train or validation):
            raise conflict("give either data.validation or the two lists of batches", images, first, second)
        if self.validation is None and not (train and validation):
            place = first if train else second if validation else images
            raise conflict(
                "data needs validation, or both train_batches and validation_batches", place, first, second
            )
        if both := {*(train or ())} & {*(validation or ())}:
            raise conflict(f"{first} and {second} share file {min(both)}: give it to one", second, first)
        return self


class BatchNormConfig(StrictModel):
    """Batch normalisation; `momentum` is the share of the old running average that a step keeps."""

    eps: NotNegative = 1.0e-12
    momentum: Share = 0.9


class InitConfig(StrictModel):
    """Draw of the initial weights; `sigma` is the standard deviation of kind `normal`."""

    kind: Literal["he", "xavier", "normal"] = "he"
    sigma: NotNegative | None = None

    @model_validator(mode="after")
    def _only_normal_has_sigma(self) -> InitConfig:
        fields = ("network.init.sigma", "network.init.kind")
        if self.kind == "normal" and self.sigma is None:
            raise conflict("network.init lacks its sigma: write {sigma: 0.001}", *fields)
        if self.kind != "normal" and self.sigma is not None:
            raise conflict(f"network.init is {self.kind}, which has no sigma: remove one of the two", *fields)
        return self


class SGDConfig(StrictModel):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = "sgd"
    bytes_per_parameter: ClassVar[int] = 0  # kept by the optimiser

    @model_validator(mode="before")
    @classmethod
    def _has_no_rho(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("rho") is not None:
            words = "training.optimiser.rho belongs to kind: momentum, and the kind is sgd"
            raise conflict(words, "training.optimiser.rho", "training.optimiser.kind")
        return raw

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return "plain SGD"

    def in_short(self) -> str:
        """Return the words for a list of runs; the default optimiser needs none."""
        return ""


class MomentumConfig(StrictModel):
    """Stochastic gradient descent with momentum `rho`."""

    kind: Literal["momentum"]
    rho: Share = 0.9

    @property
    def bytes_per_parameter(self) -> int:
        """Bytes of the velocity, float32; with rho = 0 there is none."""
        return 4 if self.rho else 0

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return f"SGD with momentum, rho {self.rho:g}"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"momentum {self.rho:g}"


def _long_batch_norm(raw: Any) -> Any:
    return {True: {}, False: None}[raw] if isinstance(raw, bool) else raw


def _long_init(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.get("sigma") is not None:
        return {"kind": "normal", **raw}
    return {"kind": raw} if isinstance(raw, str) else raw


def _long_optimiser(raw: Any) -> Any:
    raw = {"kind": raw} if isinstance(raw, str) else raw
    if isinstance(raw, dict) and raw.get("rho", 0) is None:
        raw = {key: raw[key] for key in raw if key != "rho"}
    return {"kind": "sgd", **raw} if isinstance(raw, dict) else raw


def _long_schedule(raw: Any) -> Any:
    return {"kind": "cyclic", **raw} if isinstance(raw, dict) else raw


class NetworkConfig(StrictModel):
    """The network between the pixels and the ten classes."""

    hidden: Annotated[tuple[Width, ...], Field(strict=False, max_length=1000)] = Field(
        (50, 50), description="a list of widths, such as [50, 30], or [] for a linear classifier"
    )
    batch_norm: Annotated[BatchNormConfig | None, BeforeValidator(_long_batch_norm)] = Field(
        None, description="true, false or a mapping such as {eps: 1.0e-12, momentum: 0.9}"
    )
    init: Annotated[InitConfig, BeforeValidator(_long_init)] = Field(
        InitConfig(), description="he, xavier or a mapping such as {sigma: 0.001}"
    )

    @property
    def sizes(self) -> list[int]:
        """Widths of all layers: pixels, hidden layers, classes."""
        return [3072, *self.hidden, 10]


class CyclicConfig(StrictModel):
    """eta rises and falls linearly between its bounds, `n_s` steps each way, `cycles` times."""

    kind: Literal["cyclic"] = "cyclic"
    eta_min: NotNegative = 1.0e-5
    eta_max: NotNegative = 1.0e-1
    n_s: Count = 2250
    cycles: Count = 2
    rates: ClassVar[tuple[str, ...]] = ("eta_min", "eta_max")  # one a member of a population; highest last

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> CyclicConfig:
        if self.eta_max < self.eta_min:
            words = f"training.schedule.eta_max is {self.eta_max}, below eta_min, which is {self.eta_min}"
            raise conflict(words, "training.schedule.eta_max", "training.schedule.eta_min")
        return self

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return 2 * self.n_s * self.cycles

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return f"cyclic, {self.in_short()}, n_s {self.n_s}, {self.cycles} cycle{'s' * (self.cycles > 1)}"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta {self.eta_min:g} to {self.eta_max:g}"


class ConstantConfig(StrictModel):
    """eta is constant within an epoch and multiplied by `decay` after each."""

    kind: Literal["constant"]
    eta: Annotated[float, Field(gt=0)] = 0.01
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    epochs: Count = 10
    rates: ClassVar[tuple[str, ...]] = ("eta",)

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return self.epochs * steps_per_epoch

    def in_words(self) -> str:
        """Return the words for a report's table."""
        decay = f", times {self.decay:g} after each epoch" if self.decay != 1 else ""
        return f"constant, {self.in_short()}{decay}, {self.epochs} epochs"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta {self.eta:g}"


OptimiserConfig = SGDConfig | MomentumConfig
ScheduleConfig = CyclicConfig | ConstantConfig


class TrainingConfig(StrictModel):
    """The training of the network."""

    batch_size: Annotated[int, Field(ge=1, le=TRAINING_IMAGES)] = 100
    lam: NotNegative = Field(0.0, alias="lambda")
    optimiser: Annotated[
        Annotated[OptimiserConfig, Field(discriminator="kind")], BeforeValidator(_long_optimiser)
    ] = Field(SGDConfig(), description="sgd, momentum or a mapping such as {kind: momentum, rho: 0.9}")
    schedule: Annotated[
        Annotated[ScheduleConfig, Field(discriminator="kind")], BeforeValidator(_long_schedule)
    ] = Field(CyclicConfig(), description="a mapping with kind: cyclic or kind: constant")
    steps: Annotated[int, Field(ge=0, le=10**9)] | None = None
    evaluate_every: Count = 1
    evaluate_images: Count | None = None
