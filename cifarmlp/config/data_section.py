"""Section `data` of a config: the images, and how they are split."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cifarmlp.config.types import (
    BATCH_FILE_IMAGES,
    SIDE,
    TEST_IMAGES,
    TRAINING_IMAGES,
    NotNegative,
    Probability,
    StrictModel,
    conflict,
)
from cifarmlp.text import quote


def _no_repeats(files: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(files)) < len(files):
        raise conflict(f"the list {quote(files)} names a file twice: once is enough")
    return files


BatchFiles = Annotated[
    tuple[Annotated[int, Field(ge=1, le=5)], ...],
    Field(strict=False, min_length=1),
    AfterValidator(_no_repeats),
]


class AugmentConfig(StrictModel):
    """Random changes of the images trained on; see `data.augment`. All zero changes nothing."""

    flip: Probability = 0.0
    shift: Annotated[int, Field(ge=0, lt=SIDE)] = 0
    noise: Annotated[float, Field(ge=0, le=1e30)] = 0.0
    cutout: Annotated[int, Field(ge=0, le=SIDE)] = 0
    mixup: NotNegative = 0.0

    def in_words(self) -> str:
        """Return words such as `flip 0.5, shift 4`."""
        return ", ".join(f"{name} {value:g}" for name, value in self.model_dump().items() if value)


def _none_if_nothing_changes(augment: AugmentConfig | None) -> AugmentConfig | None:
    return None if augment == AugmentConfig() else augment


class DataConfig(StrictModel):
    """The images to train on, those to validate on, and what is done to them."""

    source: Literal["cifar10", "synthetic"] = "cifar10"
    validation: Annotated[int, Field(ge=0, lt=TRAINING_IMAGES)] | None = Field(
        1000, description="a whole number: so many of the training images are for validation"
    )
    validation_from: Literal["last", "random", "stratified"] | None = Field(
        "last", description="last, random or stratified"
    )
    train_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [1, 2]")
    validation_batches: BatchFiles | None = Field(None, description="a list of CIFAR-10's files, such as [5]")
    train_images: Annotated[int, Field(ge=1, le=TRAINING_IMAGES)] | None = None
    test_images: Annotated[int, Field(ge=1, le=TEST_IMAGES)] | None = None
    last_batch: Literal["drop", "keep"] = "drop"
    scaling: Literal["per_pixel", "per_channel", "mean_image", "unit", "none"] = "per_pixel"
    label_noise: Probability = 0.0
    augment: Annotated[AugmentConfig | None, AfterValidator(_none_if_nothing_changes)] = Field(
        None, description="a mapping such as {flip: 0.5, shift: 4}"
    )

    @property
    def training_images(self) -> int:
        """Number of images to train on."""
        return min(self.training_split, self.train_images or TRAINING_IMAGES)

    @property
    def training_split(self) -> int:
        """Number of images that are not for validation, whether they are trained on or not."""
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
            return {"validation": None, "validation_from": None, **raw}
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

    @model_validator(mode="after")
    def _is_drawn_from_one_set(self) -> DataConfig:
        way = "data.validation_from"
        if (self.validation is None) != (self.validation_from is None):
            words = f"{way} says which images data.validation takes; give both, or the two lists of batches"
            raise conflict(words, way, "data.train_batches", "data.validation")
        return self

    @model_validator(mode="after")
    def _has_enough_images(self) -> DataConfig:
        images, most = self.train_images, self.training_split
        if images is not None and images > most:
            words = f"data.train_images is {images}; it must be at most {most}, those not for validation"
            raise conflict(words, "data.train_images", "data.validation", "data.train_batches")
        return self
