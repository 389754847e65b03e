"""Section `training` of a config."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from cifarmlp.config.losses import AnyLoss, CrossEntropyConfig
from cifarmlp.config.optimisers import AnyOptimiser, SGDConfig
from cifarmlp.config.schedules import AnySchedule, CyclicConfig
from cifarmlp.config.types import TRAINING_IMAGES, Count, NotNegative, StrictModel, conflict


class EverySteps(StrictModel):
    """So many steps between two evaluations, in place of epochs."""

    steps: Count


def _unit(value: Any) -> str:
    return "steps" if isinstance(value, dict | EverySteps) else "epochs"


Interval = Annotated[
    Annotated[Count, Tag("epochs")] | Annotated[EverySteps, Tag("steps")], Discriminator(_unit)
]


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
        SGDConfig(),
        description="sgd, momentum, nesterov, adam, adamw or a mapping such as {kind: momentum, rho: 0.9}",
    )
    schedule: AnySchedule = Field(
        CyclicConfig(), description="a mapping with kind: cyclic, constant, cosine or one_cycle"
    )
    steps: Annotated[int, Field(ge=0, le=10**9)] | None = None
    evaluate_every: Interval = Field(
        1, description="a whole number of epochs, or a mapping such as {steps: 100}"
    )
    evaluate_images: Count | None = None
    evaluate_test: bool = False
    keep: Literal["last", "best"] = "last"
    patience: Count | None = None
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    snapshots: bool = False

    @model_validator(mode="after")
    def _snapshots_are_of_cycles(self) -> TrainingConfig:
        if self.snapshots and self.cycle is None:
            words = f"training.snapshots keeps each cycle's model, and schedule {self.schedule.kind} has none"
            remedy = "remove it, or take kind: cyclic"
            raise conflict(f"{words}; {remedy}", "training.snapshots", "training.schedule.kind")
        return self

    @property
    def cycle(self) -> int | None:
        """Steps of a cycle of the schedule; None if it has none."""
        return getattr(self.schedule, "cycle", None)

    def evaluation_interval(self, steps_per_epoch: int) -> int:
        """Return the number of steps between two evaluations."""
        every = self.evaluate_every
        return every.steps if isinstance(every, EverySteps) else every * steps_per_epoch
