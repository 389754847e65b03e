"""The config of an experiment: its name, its seed and all sections."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from cifarmlp.config.data_section import DataConfig
from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.config.search_section import SearchConfig
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.config.types import Seed, StrictModel, conflict


class Config(StrictModel):
    """Config of one experiment: images, network, training, search, and the seed of all random draws."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")] = Field(
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
            raise conflict(words, "training.batch_size", "data.validation", "data.train_batches")
        return self
