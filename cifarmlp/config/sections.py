"""The sections data, network and training: fields, types, bounds, defaults, and how fields must agree.

A description completes the sentence 'NAME is VALUE; it must be …', and is what editors show for the field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    """A fault between fields (dotted; the first is the one to point at) or one with its own words."""
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
    """A mapping of the config: nothing is converted, nothing unknown is taken, nothing changes later."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(StrictModel):
    """Which images to train on, and which to validate on."""

    source: Literal["cifar10", "synthetic"] = "cifar10"
    validation: Annotated[int, Field(ge=1, lt=TRAINING_IMAGES)] | None = Field(
        1000, description="a whole number: so many of the last training images are for validation"
    )
    train_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [1, 2]")
    validation_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [5]")

    @property
    def training_images(self) -> int:
        """How many images the training split holds."""
        if self.train_batches is None:
            return TRAINING_IMAGES - (self.validation or 0)
        return BATCH_FILE_IMAGES * len(self.train_batches)

    @property
    def validation_images(self) -> int:
        """How many images the validation split holds."""
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
        names = ("data.train_batches", "data.validation_batches")
        if self.validation is not None and (train or validation):
            raise conflict(
                "give either data.validation or the two lists of batches", "data.validation", *names
            )
        if self.validation is None and not (train and validation):
            at = "data.train_batches" if train else "data.validation_batches"
            at = at if train or validation else "data.validation"
            raise conflict("data needs validation, or both train_batches and validation_batches", at, *names)
        if both := {*(train or ())} & {*(validation or ())}:
            raise conflict(f"{names[0]} and {names[1]} share file {min(both)}: give it to one", *names[::-1])
        return self


class BatchNormConfig(StrictModel):
    """Batch normalisation; `momentum` is the share of the old running average that a step keeps."""

    eps: NotNegative = 1.0e-12
    momentum: Share = 0.9


class InitConfig(StrictModel):
    """How weights are drawn; `sigma` is the standard deviation of kind `normal`."""

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


class OptimiserConfig(StrictModel):
    """Stochastic gradient descent; `rho` is the momentum of kind `momentum`."""

    kind: Literal["sgd", "momentum"] = "sgd"
    rho: Share | None = None

    @model_validator(mode="after")
    def _only_momentum_has_rho(self) -> OptimiserConfig:
        if self.kind == "sgd" and self.rho is not None:
            words = "training.optimiser.rho belongs to kind: momentum, and the kind is sgd"
            raise conflict(words, "training.optimiser.rho", "training.optimiser.kind")
        return self


def _long_batch_norm(raw: Any) -> Any:
    return {True: {}, False: None}[raw] if isinstance(raw, bool) else raw


def _long_init(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.get("sigma") is not None:
        return {"kind": "normal", **raw}
    return {"kind": raw} if isinstance(raw, str) else raw


def _long_optimiser(raw: Any) -> Any:
    raw = {"kind": raw} if isinstance(raw, str) else raw
    if isinstance(raw, dict) and raw.get("kind") == "momentum" and raw.get("rho") is None:
        return {**raw, "rho": 0.9}
    return raw


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

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> CyclicConfig:
        if self.eta_max < self.eta_min:
            words = f"training.schedule.eta_max is {self.eta_max}, below eta_min, which is {self.eta_min}"
            raise conflict(words, "training.schedule.eta_max", "training.schedule.eta_min")
        return self


class ConstantConfig(StrictModel):
    """eta is constant within an epoch and multiplied by `decay` after each."""

    kind: Literal["constant"]
    eta: Annotated[float, Field(gt=0)] = 0.01
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    epochs: Count = 10


class TrainingConfig(StrictModel):
    """How the network is trained."""

    batch_size: Annotated[int, Field(ge=1, le=TRAINING_IMAGES)] = 100
    lam: NotNegative = Field(0.0, alias="lambda")
    optimiser: Annotated[OptimiserConfig, BeforeValidator(_long_optimiser)] = Field(
        OptimiserConfig(), description="sgd, momentum or a mapping such as {kind: momentum, rho: 0.9}"
    )
    schedule: Annotated[
        Annotated[CyclicConfig | ConstantConfig, Field(discriminator="kind")], BeforeValidator(_long_schedule)
    ] = Field(CyclicConfig(), description="a mapping with kind: cyclic or kind: constant")
    steps: Annotated[int, Field(ge=0, le=10**9)] | None = None
    evaluate_every: Count = 1
    evaluate_images: Count | None = None
