"""Ranges that a search draws a field of a config from, and the fields that it may draw.

A value is checked as its field would check it, and kept as it was typed, such as the list [20, 20] for
network.hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from math import isfinite
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
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError

from cifarmlp.config.data_section import DataConfig
from cifarmlp.config.fields import fields_of
from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.config.types import Seed, StrictModel, conflict
from cifarmlp.text import quote

Number = int | float
JUDGES = ("data.source", "data.validation", "data.validation_from", "data.validation_batches")


@cache
def searchable_fields() -> dict[str, list[Any]]:
    """Fields that a search can draw: dotted key -> types, one for each kind of section that has the field."""
    fields: dict[str, list[Any]] = {"seed": [Seed]}
    for name, section in (("data", DataConfig), ("network", NetworkConfig), ("training", TrainingConfig)):
        for key, field in fields_of(section, f"{name}."):
            if key not in JUDGES:
                fields.setdefault(key, []).append(_type_of(field))
    return fields


def _type_of(field: FieldInfo) -> Any:
    return Annotated[field.annotation, Field(discriminator=field.discriminator), *field.metadata]


@cache
def _readers(name: str) -> list[TypeAdapter[tuple[Any]]]:
    # In a tuple, as pydantic takes no `config` for a class, which has its own.
    kinds: list[Any] = [GenericAlias(tuple, (kind,)) for kind in searchable_fields()[name]]
    return [TypeAdapter(kind, config=ConfigDict(strict=True, allow_inf_nan=False)) for kind in kinds]


def read_value(name: str, value: Any) -> Any:
    """Return a value as the field reads it, such as an InitConfig for `he`. Raises ValidationError.

    >>> read_value("training.lambda", 1)
    1.0
    """
    *others, last = _readers(name)
    for reader in others:
        with suppress(ValidationError):
            return reader.validate_python((value,))[0]
    return last.validate_python((value,))[0]


@cache
def _takes(name: str, number: Number) -> bool:
    try:
        read_value(name, number)
    except ValidationError:
        return False
    return True


def is_whole(name: str) -> bool:
    """Return whether a field of numbers takes whole ones only."""
    return not _takes(name, 0.5)


def is_number(value: object) -> bool:
    """Return whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> object:
    # Before the union int | float is validated, which has one error for each of its halves.
    if not is_number(value):
        raise PydanticCustomError("float_type", "must be a number")
    if not isfinite(value):  # type: ignore[arg-type]
        raise PydanticKnownError("finite_number")
    return value


def _searchable(name: str) -> str:
    if name in JUDGES:
        raise conflict(
            f"{name} cannot be searched: trials judged by different validation images have no ranking; "
            "search with each of its values in a config of its own"
        )
    if name not in searchable_fields():
        near = get_close_matches(name[:100], searchable_fields(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "name one by its dotted key, as in training.lambda"
        raise conflict(f"{quote(name)} is not a field that can be searched; {hint}")
    return name


def _true(value: object) -> object:
    # Literal[True] alone would take 1 as well.
    if value is not True:
        raise PydanticKnownError("literal_error", {"expected": "true"})
    return value


SearchableField = Annotated[str, AfterValidator(_searchable)]
CheckedNumber = Annotated[Number, BeforeValidator(_number)]
Pair = Annotated[
    tuple[CheckedNumber, CheckedNumber], Field(strict=False, description="a list of two numbers, [low, high]")
]
Values = Annotated[tuple[Any, ...], Field(strict=False, min_length=1)]


class Draw(StrictModel):
    """Range that a coarse search draws a field from; the values of a grid are taken in turn."""

    uniform: Pair | None = None
    log_uniform: Pair | None = None
    values: Values | None = None
    grid: Values | None = None

    @property
    def way(self) -> str:
        """The one of the four that is given."""
        return next(way for way in Draw.model_fields if getattr(self, way) is not None)

    @property
    def given(self) -> tuple[Any, ...]:
        """The two ends of a range, or all values."""
        return tuple(getattr(self, self.way))

    @property
    def is_numeric(self) -> bool:
        """True if only numbers may be drawn."""
        return all(map(is_number, self.given))

    @property
    def bounds(self) -> tuple[Number, Number]:
        """Smallest and largest number that may be drawn."""
        numbers: tuple[Number, ...] = self.given
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


def check_draws(space: dict[str, Draw]) -> dict[str, Draw]:
    """Check each value as its field would, and convert numbers to the field's type, int or float."""
    faults: list[InitErrorDetails] = []
    typed = {
        name: draw.model_copy(update={draw.way: _typed(name, draw, faults)}) for name, draw in space.items()
    }
    raise_all(faults)
    return typed


def _typed(name: str, draw: Draw, faults: list[InitErrorDetails]) -> tuple[Any, ...]:
    """Return what a draw has, in the field's type; add what the field would refuse to the faults."""
    if draw.way in ("uniform", "log_uniform") and not (_takes(name, 1) or _takes(name, 0.5)):
        words = f"{name} is not a numeric field; give values: [...] or grid: [...]"
        faults.append(InitErrorDetails(type=conflict(words), loc=(name, draw.way), input=draw.given))
        return draw.given
    read = []
    for place, value in enumerate(draw.given):
        try:
            read.append(read_value(name, value))
        except ValidationError as error:
            faults += [_move(detail, name, draw.way, place, *detail["loc"][1:]) for detail in error.errors()]
    if draw.way == "grid" and (words := _repeats(draw.given, read)):
        faults.append(InitErrorDetails(type=conflict(words), loc=(name, draw.way), input=draw.given))
    return tuple(_plain(name, *pair) for pair in zip(draw.given, read, strict=False))


def _plain(name: str, value: Any, read: Any) -> Any:
    """Return a value to keep in a config: numbers of the field's type, all else as it was typed."""
    if is_number(read) or not is_number(value):
        return read if is_number(read) else value
    return value if is_whole(name) else float(value)  # a number that stands for something longer


def _repeats(grid: Sequence[Any], read: Sequence[Any]) -> str:
    texts = [repr(value) for value in read]  # a value may be a mapping, which has no hash
    twice = next((text for text, times in Counter(texts).items() if times > 1), None)
    if twice is None or len(read) < len(grid):
        return ""
    return f"the grid {quote(grid)} has {quote(grid[texts.index(twice)])} twice: once is enough"


def _move(detail: ErrorDetails, *loc: str | int) -> InitErrorDetails:
    """Convert an error of pydantic's about a value to one about the space, which has its fault at `loc`."""
    kind: str | PydanticCustomError = detail["type"]
    context = detail.get("ctx", {})
    if kind == "conflict":  # the fields that it names are the config's own, and not those of a value here
        kind = conflict(context["message"])
    return InitErrorDetails(type=kind, loc=loc, input=detail["input"], ctx=context)


def check_widths(space: dict[str, Around]) -> dict[str, Around]:
    """Check that the width of a field of whole numbers is a whole number."""
    faults = []
    for name, around in space.items():
        width = around.uniform_within
        if width and is_whole(name) and not width.is_integer() and _takes(name, 1):
            faults += [InitErrorDetails(type="int_type", loc=(name, "uniform_within"), input=width)]
    raise_all(faults)
    return space


def raise_all(faults: Sequence[InitErrorDetails]) -> None:
    """Raise the ValidationError of these faults, if there are any."""
    if faults:
        raise ValidationError.from_exception_data("search", [*faults])
