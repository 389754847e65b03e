"""Schedules of a config, a class by each `kind`: its fields, its words and what others ask of its kind.

training/build.py makes the function step -> eta of it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cifarmlp.config.types import Count, NotNegative, Share, StrictModel, conflict

Positive = Annotated[float, Field(gt=0)]
AtLeastOne = Annotated[float, Field(ge=1)]
# A whole number stays one: 2 cycles are written 2, not 2.0.
Cycles = Annotated[
    float, Field(gt=0, le=1e9), AfterValidator(lambda n: int(n) if float(n).is_integer() else n)
]


class CyclicConfig(StrictModel):
    """eta rises and falls linearly between its bounds, `n_s` steps each way, `cycles` times.

    A fraction of a cycle ends on the way: 1.5 cycles at eta_max.
    """

    kind: Literal["cyclic"] = "cyclic"
    eta_min: NotNegative = 1.0e-5
    eta_max: NotNegative = 1.0e-1
    n_s: Count = 2250
    cycles: Cycles = 2
    rates: ClassVar[tuple[str, ...]] = ("eta_min", "eta_max")  # one a member of a population; highest last

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> CyclicConfig:
        if self.eta_max < self.eta_min:
            words = f"training.schedule.eta_max is {self.eta_max}, below eta_min, which is {self.eta_min}"
            raise conflict(words, "training.schedule.eta_max", "training.schedule.eta_min")
        return self

    @model_validator(mode="after")
    def _cycles_are_whole_steps(self) -> CyclicConfig:
        steps = 2 * self.n_s * self.cycles
        if steps < 1 - 1e-6 or abs(steps - round(steps)) > 1e-6:
            near = sorted({max(1, math.floor(steps)), max(1, math.ceil(steps))})
            remedy = " or ".join(f"{number / (2 * self.n_s):.12g}" for number in near)
            length = f"{self.cycles:g}; with n_s {self.n_s} that is {steps:g} steps, no whole number"
            raise conflict(
                f"training.schedule.cycles is {length}: write {remedy}", "training.schedule.cycles",
                "training.schedule.n_s",
            )  # fmt: skip
        return self

    @property
    def cycle(self) -> int:
        """Steps of a cycle."""
        return 2 * self.n_s

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return round(2 * self.n_s * self.cycles)

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return f"cyclic, {self.in_short()}, n_s {self.n_s}, {self.cycles:g} cycle{'s' * (self.cycles > 1)}"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta {self.eta_min:g} to {self.eta_max:g}"


class ConstantConfig(StrictModel):
    """eta is constant, but multiplied by `decay` after every `decay_every` epochs."""

    kind: Literal["constant"]
    eta: Positive = 0.01
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    decay_every: Count = 1
    epochs: Count = 10
    rates: ClassVar[tuple[str, ...]] = ("eta",)

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return self.epochs * steps_per_epoch

    def in_words(self) -> str:
        """Return the words for a report's table."""
        often = "each epoch" if self.decay_every == 1 else f"every {self.decay_every} epochs"
        decay = f", times {self.decay:g} after {often}" if self.decay != 1 else ""
        return f"constant, {self.in_short()}{decay}, {self.epochs} epochs"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta {self.eta:g}"


class CosineConfig(StrictModel):
    """eta falls along half a cosine to `eta_min`, after a linear rise in the first `warmup_epochs`."""

    kind: Literal["cosine"]
    eta: Positive = 0.1
    eta_min: NotNegative = 0.0
    warmup_epochs: Annotated[int, Field(ge=0, le=10**9)] = 0
    epochs: Count = 10
    rates: ClassVar[tuple[str, ...]] = ("eta_min", "eta")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> CosineConfig:
        if self.eta < self.eta_min:
            words = f"training.schedule.eta is {self.eta}, below eta_min, which is {self.eta_min}"
            raise conflict(words, "training.schedule.eta", "training.schedule.eta_min")
        if self.warmup_epochs >= self.epochs:
            length = f"{self.warmup_epochs}; it must be less than epochs, which is {self.epochs}"
            words = f"training.schedule.warmup_epochs is {length}"
            raise conflict(words, "training.schedule.warmup_epochs", "training.schedule.epochs")
        return self

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return self.epochs * steps_per_epoch

    def in_words(self) -> str:
        """Return the words for a report's table."""
        epochs = self.warmup_epochs
        warmup = f", {epochs} epoch{'s' * (epochs > 1)} of warm-up" if epochs else ""
        return f"cosine, {self.in_short()}{warmup}, {self.epochs} epochs"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta {self.eta:g} to {self.eta_min:g}"


class OneCycleConfig(StrictModel):
    """eta rises to `eta_max` in the share `rise` of the steps, then falls to far below where it began.

    The fields are those of PyTorch's OneCycleLR: it begins at eta_max / div_factor and ends at that /
    final_div_factor.
    """

    kind: Literal["one_cycle"]
    eta_max: Positive = 0.1
    epochs: Count = 10
    rise: Annotated[Share, Field(gt=0)] = 0.3
    div_factor: AtLeastOne = 25.0
    final_div_factor: AtLeastOne = 1.0e4
    shape: Literal["cosine", "linear"] = "cosine"
    rates: ClassVar[tuple[str, ...]] = ("eta_max",)

    def steps(self, steps_per_epoch: int) -> int:
        """Return the length of the schedule."""
        return self.epochs * steps_per_epoch

    def in_words(self) -> str:
        """Return the words for a report's table."""
        ends = f"from 1/{self.div_factor:g} of it, to 1/{self.final_div_factor:g} of that"
        rise = f"rising for {self.rise:g} of the steps, {self.shape}"
        return f"one cycle, {self.in_short()}, {ends}, {rise}, {self.epochs} epochs"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"eta up to {self.eta_max:g}"


def _long_schedule(raw: Any) -> Any:
    return {"kind": "cyclic", **raw} if isinstance(raw, dict) else raw


ScheduleConfig = CyclicConfig | ConstantConfig | CosineConfig | OneCycleConfig
AnySchedule = Annotated[
    Annotated[ScheduleConfig, Field(discriminator="kind")], BeforeValidator(_long_schedule)
]
