"""Section `data` of a config: the images, and how they are split."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cifarmlp.config.types import BATCH_FILE_IMAGES, TRAINING_IMAGES, StrictModel, conflict
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


class DataConfig(StrictModel):
    """The images to train on, and those to validate on."""

    source: Literal["cifar10", "synthetic"] = "cifar10"
    validation: Annotated[int, Field(ge=0, lt=TRAINING_IMAGES)] | None = Field(
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
