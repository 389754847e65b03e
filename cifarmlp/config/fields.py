"""Fields of a pydantic model, and of those inside it, by their dotted keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def kinds_of(annotation: Any) -> Iterator[Any]:
    """Yield the plain types that an annotation allows.

    >>> list(kinds_of(Annotated[int, "positive"] | None))
    [<class 'int'>, <class 'NoneType'>]
    """
    if get_origin(annotation) is Annotated:
        yield from kinds_of(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from kinds_of(part)
    else:
        yield annotation


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield each field with its dotted key, in which '*' stands for the keys of a mapping."""
    for name, field in model.model_fields.items():
        dotted = f"{prefix}{field.alias or name}"
        yield dotted, field
        for kind in kinds_of(field.annotation):
            inner, star = _items(kind)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from fields_of(inner, f"{dotted}.{star}")


def _items(kind: Any) -> tuple[Any, str]:
    """Return the type of the items of a list or mapping, else the type itself; and a mapping's '*.'."""
    if get_origin(kind) is dict:
        return get_args(kind)[1], "*."
    return (get_args(kind)[0] if get_origin(kind) is tuple else kind), ""


@cache
def dotted_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return all fields of a model by their dotted keys, in which '*' stands for the keys of a mapping."""
    return dict(fields_of(model))
