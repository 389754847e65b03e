"""Values, names, numbers and durations as text, for messages, tables and YAML."""

import json
import re
from typing import Any

_UNQUOTED = re.compile(r"(?!(?:y|yes|n|no|on|off|true|false|null)$)[a-z][a-z0-9._-]*", re.IGNORECASE)


def yaml_line(value: Any) -> str:
    """Return a plain value as one line of YAML that reads back the same (text: of Unicode's first plane).

    >>> yaml_line({"init": "he", "lambda": 1e-05, "hidden": [50, 50], "note": "no"})
    '{init: he, lambda: 1.0e-05, hidden: [50, 50], note: "no"}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_line(key)}: {yaml_line(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml_line, value)) + "]"
    if isinstance(value, float):
        # PyYAML reads 1e-05 as text, and 1.0e-05 as a number.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(value))
    if isinstance(value, str) and _UNQUOTED.fullmatch(value):
        return value
    return json.dumps(value, default=str)


def quote(value: Any) -> str:
    """Return a value for a message: one short line without control characters.

    >>> quote("a\\tb"), quote([1, 2])
    ("'a\\\\tb'", '[1, 2]')
    """
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else repr(value[:60]) + "…"
    text = escape(yaml_line(value))
    return text if len(text) <= 60 else text[:60] + "…"


def shorten(name: str) -> str:
    """Return a path's last 200 characters."""
    return name if len(name) <= 200 else "…" + name[-200:]


def escape(text: str) -> str:
    """Return text whose control characters, which could move a terminal's cursor, are written out.

    >>> escape("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def counted(count: int, noun: str) -> str:
    """Return a number of things.

    >>> counted(1, "image"), counted(10_000, "image")
    ('1 image', '10000 images')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def natural_key(name: str) -> list[str | int]:
    """Return a key that sorts numbers in names by their value.

    >>> sorted(["figure-10", "figure-2"], key=natural_key)
    ['figure-2', 'figure-10']
    """
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]


def duration(seconds: float) -> str:
    """Return a measured duration as text.

    >>> duration(42.1), duration(185), duration(7300)
    ('42.1 s', '3 min 5 s', '2 h 1 min')
    """
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


def short_value(value: Any) -> str:
    """Return a value of a config for a table: a float with five significant digits, all else as YAML.

    >>> short_value(0.0045081234), short_value(50), short_value([20, 20]), short_value(True)
    ('0.0045081', '50', '[20, 20]', 'true')
    """
    return f"{value:.5g}" if isinstance(value, float) else yaml_line(value)
