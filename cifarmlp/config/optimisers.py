"""Optimisers of a config, a class for kinds with the same fields; its words and what others ask of it.

training/build.py makes the optimiser of it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from cifarmlp.config.types import Share, StrictModel, conflict


class SGDConfig(StrictModel):
    """Stochastic gradient descent."""

    kind: Literal["sgd"] = "sgd"
    bytes_per_parameter: ClassVar[int] = 0  # kept by the optimiser

    @model_validator(mode="before")
    @classmethod
    def _has_no_rho(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("rho") is not None:
            words = "training.optimiser.rho belongs to kind: momentum or nesterov, and the kind is sgd"
            raise conflict(words, "training.optimiser.rho", "training.optimiser.kind")
        return raw

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return "plain SGD"

    def in_short(self) -> str:
        """Return the words for a list of runs; the default optimiser needs none."""
        return ""


class MomentumConfig(StrictModel):
    """Stochastic gradient descent with momentum `rho`, plain or Nesterov's."""

    kind: Literal["momentum", "nesterov"]
    rho: Share = 0.9

    @property
    def bytes_per_parameter(self) -> int:
        """Bytes of the velocity, float32; with rho = 0 there is none."""
        return 4 if self.rho else 0

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return f"SGD with {'Nesterov ' * (self.kind == 'nesterov')}momentum, rho {self.rho:g}"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"{'momentum' if self.kind == 'momentum' else 'Nesterov'} {self.rho:g}"


class AdamConfig(StrictModel):
    """Adam with L2 as part of the gradient, or AdamW: each step multiplies W by 1 - 2 eta lambda instead."""

    kind: Literal["adam", "adamw"]
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: Annotated[float, Field(ge=1e-30)] = 1.0e-8  # far smaller ones are 0 in float32
    bytes_per_parameter: ClassVar[int] = 8  # of both moments, float32

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return self.in_short() + ", lambda as decoupled weight decay" * (self.kind == "adamw")

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        usual, values = AdamConfig.model_fields, {"beta1": self.beta1, "beta2": self.beta2, "eps": self.eps}
        changes = [f" {name} {value:g}" for name, value in values.items() if value != usual[name].default]
        return f"{'Adam' if self.kind == 'adam' else 'AdamW'}{','.join(changes)}"


def _long_optimiser(raw: Any) -> Any:
    raw = {"kind": raw} if isinstance(raw, str) else raw
    if isinstance(raw, dict) and raw.get("rho", 0) is None:
        raw = {key: raw[key] for key in raw if key != "rho"}
    return {"kind": "sgd", **raw} if isinstance(raw, dict) else raw


OptimiserConfig = SGDConfig | MomentumConfig | AdamConfig
AnyOptimiser = Annotated[
    Annotated[OptimiserConfig, Field(discriminator="kind")], BeforeValidator(_long_optimiser)
]
