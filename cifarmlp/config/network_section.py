"""Section `network` of a config: widths, batch normalisation and the initial weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cifarmlp.config.types import NotNegative, Share, StrictModel, Width, conflict


class BatchNormConfig(StrictModel):
    """Batch normalisation; `momentum` is the share of the old running average that a step keeps."""

    eps: NotNegative = 1.0e-12
    momentum: Share = 0.9


class InitConfig(StrictModel):
    """Draw of the initial weights; `sigma` is the standard deviation of kind `normal`."""

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


def _long_batch_norm(raw: Any) -> Any:
    return {True: {}, False: None}[raw] if isinstance(raw, bool) else raw


def _long_init(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.get("sigma") is not None:
        return {"kind": "normal", **raw}
    return {"kind": raw} if isinstance(raw, str) else raw


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
