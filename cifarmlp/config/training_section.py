"""Section `training` of a config."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cifarmlp.config.losses import AnyLoss, CrossEntropyConfig
from cifarmlp.config.optimisers import AnyOptimiser, SGDConfig
from cifarmlp.config.schedules import AnySchedule, CyclicConfig
from cifarmlp.config.types import TRAINING_IMAGES, Count, NotNegative, StrictModel


class TrainingConfig(StrictModel):
    """The training of the network."""

    batch_size: Annotated[int, Field(ge=1, le=TRAINING_IMAGES)] = 100
    lam: NotNegative = Field(0.0, alias="lambda")
    loss: AnyLoss = Field(
        CrossEntropyConfig(),
        description="cross_entropy, hinge, binary_cross_entropy or a mapping such as "
        "{kind: cross_entropy, label_smoothing: 0.1}",
    )
    optimiser: AnyOptimiser = Field(
        SGDConfig(), description="sgd, momentum or a mapping such as {kind: momentum, rho: 0.9}"
    )
    schedule: AnySchedule = Field(CyclicConfig(), description="a mapping with kind: cyclic or kind: constant")
    steps: Annotated[int, Field(ge=0, le=10**9)] | None = None
    evaluate_every: Count = 1
    evaluate_images: Count | None = None
