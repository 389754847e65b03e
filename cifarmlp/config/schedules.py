"""Schedules of a config, a class by each `kind`: its fields, its words and what others ask of its kind.

training/build.py makes the function step -> eta of it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from cifarmlp.config.types import Count, NotNegative, StrictModel, conflict


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

    @property
    def cycle(self) -> int:
        """Steps of a cycle."""
        return 2 * self.n_s

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


def _long_schedule(raw: Any) -> Any:
    return {"kind": "cyclic", **raw} if isinstance(raw, dict) else raw


ScheduleConfig = CyclicConfig | ConstantConfig
AnySchedule = Annotated[
    Annotated[ScheduleConfig, Field(discriminator="kind")], BeforeValidator(_long_schedule)
]
