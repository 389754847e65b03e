"""Section `search` of a config: the numeric fields that a search draws, and their ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from math import isfinite, prod
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from cifarmlp.config.data_section import DataConfig
from cifarmlp.config.fields import fields_of, kinds_of
from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.config.types import Count, Seed, StrictModel, conflict
from cifarmlp.text import quote

MOST_TRIALS = 10**9


@cache
def numeric_fields() -> dict[str, Any]:
    """Fields that a search can draw: dotted key -> type, with its bounds."""
    sections: dict[str, type[StrictModel]] = {
        "data": DataConfig,
        "network": NetworkConfig,
        "training": TrainingConfig,
    }
    fields = [item for name, section in sections.items() for item in fields_of(section, f"{name}.")]
    numeric = [(name, field) for name, field in fields if {int, float} & set(kinds_of(field.annotation))]
    return {"seed": Seed} | {
        name: Annotated[field.annotation, Field(), *field.metadata] for name, field in numeric
    }


def _number(value: object) -> object:
    # Before the union int | float is validated, which has one error for each of its halves.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "must be a number")
    if not isfinite(value):
        raise PydanticKnownError("finite_number")
    return value


def _numeric_field(name: str) -> str:
    if name not in numeric_fields():
        near = get_close_matches(name[:100], numeric_fields(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name one by its dotted key, as in training.lambda"
        raise conflict(f"{quote(name)} is not a numeric field of a config; {hint}")
    return name


def _no_repeats(grid: tuple[int | float, ...]) -> tuple[int | float, ...]:
    number, times = Counter(grid).most_common(1)[0]
    if times > 1:
        raise conflict(f"the grid {quote(grid)} has {quote(number)} twice: once is enough")
    return grid


def _true(value: object) -> object:
    # Literal[True] alone would take 1 as well.
    if value is not True:
        raise PydanticKnownError("literal_error", {"expected": "true"})
    return value


NumericField = Annotated[str, AfterValidator(_numeric_field)]
Number = Annotated[int | float, BeforeValidator(_number)]
Pair = Annotated[tuple[Number, Number], Field(strict=False, description="a list of two numbers, [low, high]")]
Numbers = Annotated[tuple[Number, ...], Field(strict=False, min_length=1)]


class Draw(StrictModel):
    """Range that a coarse search draws a field from; the numbers of a grid are taken in turn."""

    uniform: Pair | None = None
    log_uniform: Pair | None = None
    values: Numbers | None = None
    grid: Annotated[Numbers, AfterValidator(_no_repeats)] | None = None

    @property
    def bounds(self) -> tuple[int | float, int | float]:
        """Smallest and largest number that may be drawn."""
        numbers = self.uniform or self.log_uniform or self.values or self.grid or ()
        return min(numbers), max(numbers)

    @model_validator(mode="after")
    def _is_one_range(self) -> Draw:
        if len(self.model_dump(exclude_none=True)) != 1:
            ways = "uniform: [a, b], log_uniform: [a, b], values: [...] or grid: [...]"
            raise conflict(f"give exactly one of {ways}")
        low, high = self.uniform or self.log_uniform or (0, 1)
        if low >= high:
            raise conflict(f"the range {quote([low, high])} must go from a smaller to a larger number")
        if self.log_uniform and low <= 0:
            raise conflict(f"log_uniform is {quote([low, high])}; both must be greater than 0")
        return self


class Around(StrictModel):
    """Range that a fine search draws a field from: around one good trial, or between several."""

    uniform_within: Annotated[float, Field(gt=0)] | None = None
    between_best: Annotated[Literal[True], BeforeValidator(_true)] | None = None

    @model_validator(mode="after")
    def _is_one_range(self) -> Around:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise conflict("give exactly one of uniform_within: w or between_best: true")
        return self


def _convert_to_fields(space: dict[str, Draw]) -> dict[str, Draw]:
    """Convert each number to its field's type, int or float, and check it as the field would."""
    faults: list[InitErrorDetails] = []
    typed = {}
    for name, draw in space.items():
        ((way, numbers),) = draw.model_dump(exclude_none=True).items()
        try:
            typed[name] = draw.model_copy(update={way: _values_of(name).validate_python(numbers)})
        except ValidationError as error:
            faults += [_move_into(detail, name, way) for detail in error.errors()]
    _raise(faults)
    return typed


def _move_into(detail: ErrorDetails, *outer: str) -> InitErrorDetails:
    """Convert an error of pydantic's about a part to one about the whole, which has the part at `outer`."""
    loc, context = (*outer, *detail["loc"]), detail.get("ctx", {})
    return InitErrorDetails(type=detail["type"], loc=loc, input=detail["input"], ctx=context)


@cache
def _values_of(name: str) -> TypeAdapter[tuple[int | float, ...]]:
    numbers: Any = GenericAlias(tuple, (numeric_fields()[name], ...))
    return TypeAdapter(numbers, config=ConfigDict(strict=True))


def _check_widths(space: dict[str, Around]) -> dict[str, Around]:
    """Check that the width of a field of whole numbers is a whole number."""
    faults = []
    for name, around in space.items():
        width, whole = around.uniform_within, float not in kinds_of(numeric_fields()[name])
        if width and whole and not width.is_integer():
            faults += [InitErrorDetails(type="int_type", loc=(name, "uniform_within"), input=width)]
    _raise(faults)
    return space


def _raise(faults: Sequence[InitErrorDetails]) -> None:
    if faults:
        raise ValidationError.from_exception_data("search", [*faults])


class Coarse(StrictModel):
    """First stage, wide. Over grids alone, `trials` is by default the number of combinations."""

    trials: Count = 50
    space: Annotated[dict[NumericField, Draw], Field(min_length=1), AfterValidator(_convert_to_fields)]

    @model_validator(mode="after")
    def _takes_no_combination_twice(self) -> Coarse:
        grids = [draw.grid for draw in self.space.values() if draw.grid]
        if len(grids) < len(self.space):
            return self
        combinations = prod(map(len, grids))
        if "trials" not in self.model_fields_set:
            object.__setattr__(self, "trials", min(combinations, MOST_TRIALS))  # the model is frozen
        if self.trials > combinations:
            words = f"search.coarse.trials is {self.trials}; the grids have {combinations} combinations"
            raise conflict(
                f"{words}: no more trials than that", "search.coarse.trials", "search.coarse.space"
            )
        return self


class Fine(StrictModel):
    """Second stage, near the best `centres` trials of the first.

    `trials` is their number around each centre, or in all where every field is drawn between_best.
    """

    trials: Count = 50
    centres: Count = 3
    space: Annotated[dict[NumericField, Around], Field(min_length=1), AfterValidator(_check_widths)]

    @model_validator(mode="after")
    def _between_two(self) -> Fine:
        if self.centres == 1 and any(around.between_best for around in self.space.values()):
            words = "search.fine.centres is 1; with between_best it must be at least 2"
            raise conflict(words, "search.fine.centres")
        return self


class SearchConfig(StrictModel):
    """Section `search`: a search for good values of numeric fields, in one or two stages."""

    coarse: Coarse
    fine: Fine | None = None

    @model_validator(mode="after")
    def _fine_refines_coarse(self) -> SearchConfig:
        fine = self.fine.space if self.fine else {}
        _raise([self._unknown(name) for name in fine if name not in self.coarse.space])
        return self

    def _unknown(self, name: str) -> InitErrorDetails:
        words = f"{name} is not in search.coarse.space, which has {', '.join(self.coarse.space)}"
        fault = conflict(words, f"search.fine.space.{name}", "search.coarse.space")
        return InitErrorDetails(type=fault, loc=("fine", "space", name, "[key]"), input=name)
