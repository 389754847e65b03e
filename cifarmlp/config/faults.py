"""Validation by pydantic; its errors become sentences, each with the place in the text that it is about.

Such as an int_type at ('network', 'hidden', 0):
    a.yaml:3:12: network.hidden[0] is 'x'; it must be a whole number
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from itertools import takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cifarmlp.config.fields import dotted_fields
from cifarmlp.config.merge import steps_of
from cifarmlp.config.strict_yaml import Fault, Node, number_hint, to_plain
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape, quote

Steps = tuple[str | int, ...]
Fields = Mapping[str, FieldInfo]  # by dotted key
Model = TypeVar("Model", bound=BaseModel)

MAX_SHOWN = 50

_ALLOWED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list, such as [1, 2]",
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "greater_than_equal": "at least {ge:.10g}",
    "greater_than": "greater than {gt:.10g}",
    "less_than_equal": "at most {le:.10g}",
    "less_than": "less than {lt:.10g}",
    "literal_error": "{expected}",
    "string_unicode": "text that can be shown",
    "string_too_short": "at least {min_length} letter long",
    "string_too_long": "at most {max_length} letters long",
    "too_short": "at least {min_length} item long",
    "too_long": "at most {max_length} items long",
}
# Of classes that `kind` tells apart, or the type of the value.
_UNIONS = {
    ("training", "loss"),
    ("training", "optimiser"),
    ("training", "schedule"),
    ("training", "evaluate_every"),
}
DRAWN = 6  # length of the path to a value in a search, as in search.coarse.space.seed.values[0]
_WRONG_SHAPE = {
    "literal_error",
    "tuple_type",
    "model_type",
    "model_attributes_type",
    "dict_type",
    "string_pattern_mismatch",
}


def check(tree: Node, model: type[Model]) -> tuple[Model | None, list[Fault]]:
    """Return the config (or other model) that a tree describes, or None and all faults.

    Fields are compared with each other only where each is right by itself: faulty ones are left out and the
    rest is validated again, until that finds nothing new.
    """
    faults: list[Fault] = []
    left_out: set[Steps] = set()
    while True:
        try:
            config = model.model_validate(_remove(to_plain(tree), left_out))
            return (None if faults else config), faults
        except ValidationError as error:
            new = [detail for detail in error.errors() if not _is_consequence(detail, left_out)]
        faults += [_fault(detail, tree, dotted_fields(model)) for detail in new]
        paths = {_field_steps(detail, tree) for detail in new} - {()} - left_out
        if not paths:
            return None, faults
        left_out |= paths


def refusal(faults: Iterable[Fault]) -> ConfigError:
    """Return all faults as one error, in the order of the text."""
    by_place = sorted(faults, key=lambda fault: fault.place)
    lines = [f"{place}: {message}" for place, message in by_place]
    if len(lines) > MAX_SHOWN:
        first = escape(by_place[0].place.source.name)
        lines[MAX_SHOWN:] = [f"{first}: {len(lines) - MAX_SHOWN} more faults"]
    return ConfigError("\n".join(lines))


def _fault(detail: ErrorDetails, tree: Node, fields: Fields) -> Fault:
    path = _typed_path(detail, tree)
    if detail["type"] == "union_tag_invalid":
        path = (*path, "kind")
    node, depth = _find(tree, path)
    if not isinstance(node.value, dict | list):
        path = path[:depth]  # a word was typed, of which pydantic saw the long form
    at_key = detail["type"] == "extra_forbidden" or detail["loc"][-1:] == ("[key]",) or depth < len(path)
    return Fault(node.key if at_key else node.place, _message(detail, path, fields))


def _message(detail: ErrorDetails, path: Steps, fields: Fields) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "conflict":
        return str(context["message"])
    if kind == "extra_forbidden":
        return _unknown_key(path, detail, fields)
    if kind == "missing":
        return f"{_label(path)} is missing"
    if kind == "union_tag_invalid":
        context = {"expected": context["expected_tags"].replace(", ", " or ")}
        kind, value = "literal_error", value["kind"]
    allowed = _ALLOWED[kind].format_map(context) if kind in _ALLOWED else detail["msg"]
    field = fields.get(_dotted_key(path))
    if kind in _WRONG_SHAPE and field and field.description:
        allowed = field.description
    return f"{_label(path) or 'a config'} is {_show(value)}; it must be {allowed}{_hint(kind, value)}"


def _hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f": put it in quotes, '{quote(value)}'"
    if kind == "int_type" and isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f": write {value:.0f}"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return f": {hint}" if (hint := number_hint(value)) else ""
    return ""


def _unknown_key(path: Steps, detail: ErrorDetails, fields: Fields) -> str:
    if path == ("extends",):  # that of a file has been followed
        return "extends belongs in a file, not in an override"
    key, section = str(path[-1]), _label(path[:-1])
    if tuple(_dotted_key(path).split(".")[:2]) in _UNIONS and _dotted_key(path) in fields:
        return f"{_label(path)} does not go with kind: {detail['loc'][-2]}"
    if key in fields and not section and "." in key:
        return f"{key} is one key here: in a file, write the last word inside its section"
    words = f"unknown key {quote(key)}" + (f" in {section}" if section else "")
    known = _keys_of(path[:-1], fields)
    near = get_close_matches(key[:100], known, n=1) or [n for n in fields if n.endswith(f".{key}")]
    return f"{words}; did you mean {near[0]!r}?" if near else f"{words}; known: {', '.join(known)}"


def _keys_of(section: Steps, fields: Fields) -> list[str]:
    prefix = f"{_dotted_key(section)}." if section else ""
    inside = [name[len(prefix) :] for name in fields if name.startswith(prefix)]
    return [name for name in inside if "." not in name] + ([] if section else ["extends"])


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) and len(value) > 9 else quote(value)


def _label(path: Steps) -> str:
    """Return a path as people write it.

    >>> _label(("network", "hidden", 1))
    'network.hidden[1]'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _dotted_key(path: Steps) -> str:
    """Return a path's key among `dotted_fields`; for a value that a search draws, that of its field.

    >>> _dotted_key(("search", "coarse", "space", "training.lambda", "uniform"))
    'search.coarse.space.*.uniform'
    >>> _dotted_key(("search", "coarse", "space", "training.optimiser", "values", 0, "rho"))
    'training.optimiser.rho'
    """
    if path[2:3] == ("space",) and len(path) >= DRAWN:
        path = (path[3], *path[DRAWN:])
    names = [part for part in path if isinstance(part, str)]
    if len(names) > 3 and names[2] == "space":
        names[3] = "*"
    return ".".join(names)


def _typed_path(detail: ErrorDetails, tree: Node) -> Steps:
    """Return the path of an error in the config as it was typed."""
    paths = _fields(detail)
    return next((path for path in paths if _find(tree, path)[1] == len(path)), paths[0])


def _fields(detail: ErrorDetails) -> list[Steps]:
    fields: Collection[str] = detail.get("ctx", {}).get("fields", ())
    if fields:
        return [steps_of(field) for field in fields]
    loc = detail["loc"]
    depth = DRAWN if loc[2:3] == ("space",) and len(loc) >= DRAWN else 2
    if tuple(_dotted_key(loc[:depth]).split(".")) in _UNIONS:
        loc = loc[:depth] + loc[depth + 1 :]  # without the kind, which pydantic puts there
    return [tuple(part for part in loc if part != "[key]")]


def _find(tree: Node, path: Steps) -> tuple[Node, int]:
    """Return the node at a path, or else the deepest above it, and its depth."""
    for depth, part in enumerate(path):
        inside = range(len(tree.value)) if isinstance(tree.value, list) else tree.value
        if not isinstance(inside, dict | range) or part not in inside:
            return tree, depth
        tree = tree.value[part]
    return tree, len(path)


def _is_consequence(detail: ErrorDetails, left_out: set[Steps]) -> bool:
    """Return whether an error only follows from others: it is about a field left out, or above or in one."""
    if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
        return True  # pydantic counted only the items that are right
    pairs = [(path, other) for path in _fields(detail) for other in left_out]
    return any(_is_prefix(path, other) or _is_prefix(other, path) for path, other in pairs)


def _is_prefix(path: Steps, other: Steps) -> bool:
    """Return whether `other` is at `path` or inside it.

    >>> _is_prefix(("network",), ("network", "hidden", 1))
    True
    """
    return other[: len(path)] == path


def _field_steps(detail: ErrorDetails, tree: Node) -> Steps:
    """Return the path of the field that an error is about: as far as it was typed, and not into lists.

    ("network", "hidden", 1) becomes ("network", "hidden").
    """
    path = _typed_path(detail, tree)
    path = path[: _find(tree, path)[1]]
    return tuple(takewhile(lambda part: isinstance(part, str), path))


def _remove(values: Any, left_out: set[Steps]) -> Any:
    """Remove the fields at the paths `left_out` from plain values, and return these.

    >>> _remove({"seed": 1, "network": {"hidden": [50]}}, {("network", "hidden")})
    {'seed': 1, 'network': {}}
    """
    for *above, last in left_out:
        section = values
        for part in above:
            section = section.get(part, {}) if isinstance(section, dict) else {}
        if isinstance(section, dict):
            section.pop(last, None)
    return values
