"""The config of an experiment: its name, its seed and all sections."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from cifarmlp.config.data_section import DataConfig
from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.config.search_section import SearchConfig
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.config.types import Seed, StrictModel, conflict
from cifarmlp.text import quote


def _check_name(name: str) -> str:
    if re.match(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])\.", name, re.IGNORECASE):
        raise conflict(f"name is {quote(name)}; Windows keeps {name[:3]} for devices: begin otherwise")
    return name


class Config(StrictModel):
    """Config of one experiment: images, network, training, search, and the seed of all random draws."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"), AfterValidator(_check_name)
    ] = Field(
        "unnamed",
        description="1 to 100 letters a-z or A-Z, digits, '.', '_' and '-', not beginning with '.' or '-'",
    )
    seed: Seed = 1
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchConfig | None = None

    @model_validator(mode="after")
    def _batches_can_be_filled(self) -> Config:
        size, images = self.training.batch_size, self.data.training_images
        if size == 1 and self.network.batch_norm:
            words = "training.batch_size is 1; with network.batch_norm it must be at least 2"
            raise conflict(words, "training.batch_size", "network.batch_norm")
        if size > images:
            words = f"training.batch_size is {size}; it must be at most {images}, the images to train on"
            fields = ("training.batch_size", "data.train_images", "data.validation", "data.train_batches")
            raise conflict(words, *fields)
        if self.network.batch_norm and self.data.last_batch == "keep" and images % size == 1:
            words = (
                f"the last batch of {images} images in batches of {size} has 1; with network.batch_norm it "
                "must have at least 2: change training.batch_size, or data.last_batch to drop"
            )
            raise conflict(words, "data.last_batch", "training.batch_size", "network.batch_norm")
        return self

    @model_validator(mode="after")
    def _mixes_labels_only_for_a_loss_that_can(self) -> Config:
        augment = self.data.augment
        if augment and augment.mixup and self.training.loss.kind == "hinge":
            words = (
                "data.augment.mixup mixes labels, which training.loss: hinge has no loss of: "
                "remove mixup, or take cross_entropy or binary_cross_entropy"
            )
            raise conflict(words, "data.augment.mixup", "training.loss")
        return self

    @model_validator(mode="after")
    def _can_be_ranked(self) -> Config:
        if self.search and not self.data.validation_images:
            words = (
                "data.validation is 0, but section search ranks by validation accuracy: "
                "give it images, or remove the section (search: null)"
            )
            raise conflict(words, "data.validation", "search")
        return self

    @model_validator(mode="after")
    def _best_is_told_by_validation_images(self) -> Config:
        if self.data.validation_images:
            return self
        training, remedy = self.training, "set data.validation to 1000 or so, or remove it"
        if training.keep == "best":
            words = f"training.keep: best goes by the validation accuracy, and data.validation is 0; {remedy}"
            raise conflict(words, "training.keep", "data.validation")
        if training.patience is not None:
            words = f"training.patience goes by the validation accuracy, and data.validation is 0; {remedy}"
            raise conflict(words, "training.patience", "data.validation")
        return self

    @model_validator(mode="after")
    def _halving_ends_before_the_training(self) -> Config:
        halving = self.search and self.search.coarse.halving
        if not halving:
            return self
        field, training = "search.coarse.halving", self.training
        if training.cycle is None:
            words = f"{field} is at the ends of cycles, and schedule {training.schedule.kind} has none"
            raise conflict(f"{words}: take kind: cyclic, or remove it", field, "training.schedule.kind")
        steps = training.schedule.steps(0) if training.steps is None else training.steps
        if halving.at[-1] * training.cycle >= steps:
            last = f"cycle {halving.at[-1]} ends at step {halving.at[-1] * training.cycle}"
            words = f"{field}.at: {last}, the training at {steps}: take earlier cycles, or train for more"
            raise conflict(words, f"{field}.at", "training.schedule.cycles")
        return self

    @model_validator(mode="after")
    def _a_search_has_one_judge(self) -> Config:
        is_drawn = self.data.validation_from in ("random", "stratified")  # from the seed
        if self.search and is_drawn and "seed" in self.search.coarse.space:
            words = "seed cannot be searched where data.validation_from draws each seed's validation images"
            fields = ("search.coarse.space.seed", "data.validation_from")
            raise conflict(f"{words}; set that to last, or search with --seeds", *fields)
        return self
