"""Losses of a config, a class by each `kind`: its fields and its words.

training/build.py makes the function of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cifarmlp.config.types import Share, StrictModel


class CrossEntropyConfig(StrictModel):
    """Softmax cross-entropy; `label_smoothing` is the share of a label that all classes divide among them."""

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: Share = 0.0

    def in_words(self) -> str:
        """Return the words for a report's table; the default loss needs none."""
        smoothing = self.label_smoothing
        return f"cross-entropy, label smoothing {smoothing:g}" if smoothing else ""

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return f"label smoothing {self.label_smoothing:g}" if self.label_smoothing else ""


class HingeConfig(StrictModel):
    """Hinge loss of a multi-class support vector machine, with margin 1."""

    kind: Literal["hinge"]

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return "hinge (multi-class SVM, margin 1)"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return "hinge"


class BinaryCrossEntropyConfig(StrictModel):
    """Cross-entropy of one sigmoid a class, summed over the classes."""

    kind: Literal["binary_cross_entropy"]

    def in_words(self) -> str:
        """Return the words for a report's table."""
        return "binary cross-entropy of a sigmoid a class, summed over the classes"

    def in_short(self) -> str:
        """Return the words for a list of runs."""
        return "binary cross-entropy"


def _long_loss(raw: Any) -> Any:
    raw = {"kind": raw} if isinstance(raw, str) else raw
    return {"kind": "cross_entropy", **raw} if isinstance(raw, dict) else raw


LossConfig = CrossEntropyConfig | HingeConfig | BinaryCrossEntropyConfig
AnyLoss = Annotated[Annotated[LossConfig, Field(discriminator="kind")], BeforeValidator(_long_loss)]
