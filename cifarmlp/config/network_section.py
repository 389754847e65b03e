"""Section `network` of a config: widths, activation, batch normalisation, dropout and the initial weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from cifarmlp.config.types import NotNegative, Share, StrictModel, Width, conflict


class ActivationConfig(StrictModel):
    """Activation of the hidden layers; the slope of `leaky_relu` below 0, and the alpha of `elu`."""

    kind: Literal["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"] = "relu"
    leaky_relu: Share | None = None
    elu: Annotated[float, Field(gt=0)] | None = None

    @property
    def number(self) -> float | None:
        """The slope or alpha, if the kind has one."""
        return self.leaky_relu if self.kind == "leaky_relu" else self.elu

    @model_validator(mode="after")
    def _has_only_its_own_number(self) -> ActivationConfig:
        for other in ("leaky_relu", "elu"):
            if other != self.kind and getattr(self, other) is not None:
                words = f"network.activation is {self.kind}, which has no {other}: remove one of the two"
                raise conflict(words, f"network.activation.{other}", "network.activation.kind")
        return self

    def in_short(self) -> str:
        """Return words for a list of runs; relu, the default, needs none."""
        if self.kind == "relu":
            return ""
        return self.kind if self.number in (None, NUMBERS.get(self.kind)) else f"{self.kind} {self.number:g}"


NUMBERS = {"leaky_relu": 0.01, "elu": 1.0}


class BatchNormConfig(StrictModel):
    """Batch normalisation; `momentum` is the share of the old running average that a step keeps."""

    eps: NotNegative = 1.0e-12
    momentum: Share = 0.9
    position: Literal["before", "after"] = "before"  # the activation


def _check_rates(value: Any) -> Any:
    # Before the union is validated, which has one error for each of its halves, and takes no list.
    for rate in value if isinstance(value, list | tuple) else [value]:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise PydanticKnownError("model_type", {"class_name": "rates"})
    return tuple(value) if isinstance(value, list) else value


class DropoutConfig(StrictModel):
    """Dropout in training: shares of the pixels, and of the hidden layers' outputs, that are left out."""

    input: Share = 0.0
    hidden: Annotated[float | tuple[float, ...], BeforeValidator(_check_rates)] = Field(
        0.0, description="a number from 0 to below 1, or a list with one such number a hidden layer"
    )

    def rates(self, layers: int) -> tuple[float, ...]:
        """Return the rate of the images, then that of each of so many hidden layers."""
        hidden = self.hidden if isinstance(self.hidden, tuple) else (self.hidden,) * layers
        return (self.input, *hidden)

    def in_short(self) -> str:
        """Return words such as `dropout 0.5` or `dropout 0.2 of the input, 0.5-0.3`, if there is any."""
        rates = self.hidden if isinstance(self.hidden, tuple) else (self.hidden,)
        hidden = "-".join(f"{rate:g}" for rate in rates)
        words = [f"{self.input:g} of the input"] * bool(self.input) + [hidden] * any(rates)
        return f"dropout {', '.join(words)}" if words else ""


class LayerInit(StrictModel):
    """Draw of a layer's initial weights; `sigma` is the standard deviation of kind `normal`."""

    kind: Literal["he", "xavier", "lecun", "normal"] = "he"
    sigma: NotNegative | None = None

    @property
    def spread(self) -> str | float:
        """The name of a standard deviation that depends on the widths, or a standard deviation."""
        return self.kind if self.sigma is None else self.sigma

    def in_words(self) -> str:
        """Return words for a report's table."""
        return self.kind.capitalize() if self.sigma is None else f"sigma {self.sigma:g}"


def _long_init(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.get("sigma") is not None:
        return {"kind": "normal", **raw}
    if isinstance(raw, dict) and (raw.get("hidden") is not None or raw.get("output") is not None):
        return {"kind": "by_layer", "hidden": "he", "output": "he", **raw}
    return {"kind": raw} if isinstance(raw, str) else raw


Layer = Annotated[LayerInit | None, BeforeValidator(_long_init)]
INIT = "he, xavier, lecun or a mapping such as {sigma: 0.001}"


class InitConfig(LayerInit):
    """Draw of the initial weights: the same for all layers, or of kind `by_layer`, with one for the last."""

    kind: Literal["he", "xavier", "lecun", "normal", "by_layer"] = "he"  # type: ignore[assignment]
    hidden: Layer = Field(None, description=INIT)
    output: Layer = Field(None, description=INIT)

    @model_validator(mode="after")
    def _has_only_what_its_kind_has(self) -> InitConfig:
        for name, init in self._draws():
            fields = (f"{name}.sigma", f"{name}.kind")
            if init.kind == "normal" and init.sigma is None:
                raise conflict(f"{name} lacks its sigma: write {{sigma: 0.001}}", *fields)
            if init.kind != "normal" and init.sigma is not None:
                raise conflict(f"{name} is {init.kind}, which has no sigma: remove one of the two", *fields)
        if {self.hidden is not None, self.output is not None} != {self.kind == "by_layer"}:
            words = "network.init is for all layers or {hidden: he, output: lecun}: remove one of the two"
            raise conflict(words, "network.init.hidden", "network.init.output", "network.init.kind")
        return self

    def _draws(self) -> Iterator[tuple[str, LayerInit]]:
        yield "network.init", self
        for name in ("hidden", "output"):
            if inner := getattr(self, name):
                yield f"network.init.{name}", inner

    def in_words(self) -> str:
        """Return words for a report's table."""
        if self.hidden and self.output:
            return f"{self.hidden.in_words()}, {self.output.in_words()} in the last layer"
        return super().in_words()


def _long_activation(raw: Any) -> Any:
    if isinstance(raw, dict) and "kind" not in raw:
        return {"kind": next((kind for kind in NUMBERS if raw.get(kind) is not None), "relu"), **raw}
    kind = raw.get("kind") if isinstance(raw, dict) else raw
    number = {kind: NUMBERS[kind]} if isinstance(kind, str) and kind in NUMBERS else {}
    return {**number, **(raw if isinstance(raw, dict) else {"kind": raw})} if isinstance(kind, str) else raw


def _long_batch_norm(raw: Any) -> Any:
    return {True: {}, False: None}[raw] if isinstance(raw, bool) else raw


def _long_dropout(raw: Any) -> Any:
    is_rate = isinstance(raw, int | float) and not isinstance(raw, bool)
    return {"hidden": raw} if is_rate or isinstance(raw, list | tuple) else raw


def _long_hidden(raw: Any) -> Any:
    return [raw] if isinstance(raw, int) and not isinstance(raw, bool) else raw


class NetworkConfig(StrictModel):
    """The network between the pixels and the ten classes."""

    hidden: Annotated[
        tuple[Width, ...], Field(strict=False, max_length=1000), BeforeValidator(_long_hidden)
    ] = Field((50, 50), description="a list of widths, such as [50, 30], or [] for a linear classifier")
    activation: Annotated[ActivationConfig, BeforeValidator(_long_activation)] = Field(
        ActivationConfig(),
        description="relu, leaky_relu, elu, gelu, tanh, sigmoid or a mapping such as {leaky_relu: 0.1}",
    )
    batch_norm: Annotated[BatchNormConfig | None, BeforeValidator(_long_batch_norm)] = Field(
        None, description="true, false or a mapping such as {eps: 1.0e-12, momentum: 0.9}"
    )
    dropout: Annotated[DropoutConfig, BeforeValidator(_long_dropout)] = Field(
        DropoutConfig(),
        description="a number from 0 to below 1, a list of such with one a hidden layer, or a mapping such "
        "as {input: 0.2, hidden: 0.5}",
    )
    init: Annotated[InitConfig, BeforeValidator(_long_init)] = Field(
        InitConfig(),
        description="he, xavier, lecun or a mapping such as {sigma: 0.001} or {hidden: he, output: lecun}",
    )

    @property
    def sizes(self) -> list[int]:
        """Widths of all layers: pixels, hidden layers, classes."""
        return [3072, *self.hidden, 10]

    @model_validator(mode="after")
    def _dropout_has_a_rate_a_layer(self) -> NetworkConfig:
        rates, layers = self.dropout.hidden, len(self.hidden)
        if isinstance(rates, tuple) and len(rates) != layers:
            words = (
                f"network.dropout has {len(rates)} rate{'s' * (len(rates) != 1)} for {layers} hidden "
                f"layer{'s' * (layers != 1)}: give one a layer, or one number for all"
            )
            raise conflict(words, "network.dropout", "network.hidden")
        return self
