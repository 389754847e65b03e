"""The section search: which numeric fields a random search draws, and from where."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from cifarmlp.config_fields import fields_of, kinds_of
from cifarmlp.config_sections import Count, DataConfig, NetworkConfig, Section, TrainingConfig, conflict
from cifarmlp.yaml_words import shown


@cache
def numeric_fields() -> tuple[str, ...]:
    """The dotted keys of the fields that a search can draw."""
    sections: dict[str, type[Section]] = {
        "data": DataConfig,
        "network": NetworkConfig,
        "training": TrainingConfig,
    }
    fields = [item for name, section in sections.items() for item in fields_of(section, f"{name}.")]
    return ("seed", *(name for name, field in fields if {int, float} & set(kinds_of(field.annotation))))


def _number(value: object) -> object:
    # Checked before the union int | float is: it would complain once for each of its halves.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "must be a number")
    return value


def _numeric_field(name: str) -> str:
    if name not in numeric_fields():
        near = get_close_matches(name[:100], numeric_fields(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name one by its dotted key, as in training.lambda"
        raise conflict(f"{shown(name)} is not a numeric field of a config; {hint}")
    return name


NumericField = Annotated[str, AfterValidator(_numeric_field)]
Number = Annotated[int | float, BeforeValidator(_number)]
Pair = Annotated[tuple[float, float], Field(strict=False, description="a list of two numbers, [low, high]")]


class Draw(Section):
    """Where a coarse search draws a field from."""

    uniform: Pair | None = None
    log_uniform: Pair | None = None
    values: Annotated[tuple[Number, ...], Field(strict=False, min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one_range(self) -> Draw:
        given = [value for value in (self.uniform, self.log_uniform, self.values) if value is not None]
        if len(given) != 1:
            raise conflict("give exactly one of uniform: [a, b], log_uniform: [a, b] or values: [...]")
        low, high = self.uniform or self.log_uniform or (0, 1)
        if low >= high:
            raise conflict(f"the range [{low}, {high}] must go from a smaller to a larger number")
        if self.log_uniform and low <= 0:
            raise conflict(f"log_uniform is [{low}, {high}]; both must be greater than 0")
        return self


class Around(Section):
    """How far from a good trial a fine search draws a field."""

    uniform_within: Annotated[float, Field(gt=0)]


class Coarse(Section):
    """The first search: wide and random."""

    trials: Count = 50
    space: dict[NumericField, Draw] = Field(min_length=1)


class Fine(Section):
    """The second search: around the best `centres` of the first."""

    trials: Count = 50
    centres: Count = 3
    space: dict[NumericField, Around] = Field(min_length=1)


class SearchConfig(Section):
    """A random search for good values of numeric fields."""

    coarse: Coarse | None = None
    fine: Fine | None = None
