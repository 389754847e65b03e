"""The fields of a pydantic model and of those inside it, by their dotted keys."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def kinds_of(annotation: Any) -> Iterator[Any]:
    """The plain types that an annotation allows."""
    if get_origin(annotation) is Annotated:
        yield from kinds_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from kinds_of(part)
    else:
        yield annotation


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field by its dotted key; '*' stands for whatever names a mapping's entries have."""
    for name, field in model.model_fields.items():
        dotted = f"{prefix}{field.alias or name}"
        yield dotted, field
        for kind in kinds_of(field.annotation):
            if get_origin(kind) is dict:
                yield from fields_of(get_args(kind)[1], f"{dotted}.*.")
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from fields_of(kind, f"{dotted}.")
