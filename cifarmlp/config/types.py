"""The form of a section of a config, the types of its fields with their bounds, and faults in words.

A description of a field completes the sentence 'NAME is VALUE; it must be …'; editors show it for the field.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

TRAINING_IMAGES = 50_000


TEST_IMAGES = 10_000


BATCH_FILE_IMAGES = 10_000


SIDE = 32  # pixels of an image, across and down


Count = Annotated[int, Field(ge=1, le=10**9)]


NotNegative = Annotated[float, Field(ge=0)]


Probability = Annotated[float, Field(ge=0, le=1)]


Share = Annotated[float, Field(ge=0, lt=1)]


Width = Annotated[int, Field(ge=1, le=100_000)]


Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def conflict(message: str, *fields: str) -> PydanticCustomError:
    """Return a fault between fields (dotted; its place is that of the first) or one with its own words."""
    return PydanticCustomError("conflict", "{message}", {"message": message, "fields": fields})


class StrictModel(BaseModel):
    """A mapping of the config: converts no value, refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
