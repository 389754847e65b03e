"""Words of YAML: what an unquoted one means, and how a value is written so that it reads back the same."""

from __future__ import annotations

import json
import re
from typing import Any

_UNQUOTED = re.compile(r"(?!(?:y|yes|n|no|on|off|true|false|null)$)[a-z][a-z0-9._-]*", re.IGNORECASE)


def yaml_line(value: Any) -> str:
    """A plain value (text: of Unicode's first plane) as one line of YAML that reads back the same."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_line(key)}: {yaml_line(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_line, value)) + "]"
    if isinstance(value, float):
        # PyYAML takes 1e-05 for text: it wants the point.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(value))
    if isinstance(value, str) and _UNQUOTED.fullmatch(value):
        return value
    return json.dumps(value, default=str)


def quote(value: Any) -> str:
    """A value for a message: one short line without control characters."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else repr(value[:60]) + "…"
    text = escape(yaml_line(value))
    return text if len(text) <= 60 else text[:60] + "…"


def shorten(name: str) -> str:
    """A path of bearable length: its end says more than its beginning."""
    return name if len(name) <= 200 else "…" + name[-200:]


def escape(text: str) -> str:
    """Text in which nothing can move a terminal's cursor."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def natural_key(name: str) -> list[str | int]:
    """What to sort names by, so that figure-2 comes before figure-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def duration(seconds: float) -> str:
    """Such as `42.1 s` or `3 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def rough_duration(seconds: float) -> str:
    """Return an estimated duration as text, no more exact than an estimate is.

    >>> rough_duration(42.1), rough_duration(185), rough_duration(7300)
    ('42 s', '3 min', '2 h 2 min')
    """
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def short_number(value: int | float) -> str:
    """Return a number as text, a float with five significant digits.

    >>> short_number(0.0045081234), short_number(50)
    ('0.0045081', '50')
    """
    return f"{value:.5g}" if isinstance(value, float) else str(value)
