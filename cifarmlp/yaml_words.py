"""Words of YAML: what an unquoted one means, and how a value is written so that it reads back the same."""

from __future__ import annotations

import json
import re
from typing import Any

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,299})")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"null": None, "~": None, "true": True, "false": False}
_UNQUOTED = re.compile(r"(?!(?:y|yes|n|no|on|off|true|false|null)$)[a-z][a-z0-9._-]*", re.IGNORECASE)


def plain_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted word means: null, true or false, a number, or else text."""
    if text == "":
        return None
    if text in (text.lower(), text.upper(), text.capitalize()) and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _SPECIAL.fullmatch(text) else text


def number_hint(text: str) -> str:
    """Why text that looks like a number is not one, or nothing."""
    if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
        return "remove the quotes"
    if re.fullmatch(r"[-+]?0[0-9]+(\.[0-9]*)?", text):
        return "a leading zero may mean octal, write " + re.sub("0+(?=[0-9])", "", text, count=1)
    if re.fullmatch(r"[-+]?0[xob][0-9a-fA-F_]+", text):
        return "write it in decimal digits"
    if re.fullmatch(r"[-+]?[0-9]+(:[0-9.]+)+", text):
        return "base 60 is not read"
    if re.fullmatch(r"[-+]?[0-9][0-9_,' ]*(\.[0-9]*)?", text):
        return "write the digits without separators"
    return ""


def one_line(value: Any) -> str:
    """A plain value (text: of Unicode's first plane) as one line of YAML that reads back the same."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{one_line(key)}: {one_line(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(one_line, value)) + "]"
    if isinstance(value, float):
        # PyYAML takes 1e-05 for text: it wants the point.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(value))
    if isinstance(value, str) and _UNQUOTED.fullmatch(value):
        return value
    return json.dumps(value, default=str)


def shown(value: Any) -> str:
    """A value for a message: one short line without control characters."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else repr(value[:60]) + "…"
    text = escaped(one_line(value))
    return text if len(text) <= 60 else text[:60] + "…"


def shortened(name: str) -> str:
    """A path of bearable length: its end says more than its beginning."""
    return name if len(name) <= 200 else "…" + name[-200:]


def escaped(text: str) -> str:
    """Text in which nothing can move a terminal's cursor."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def numbers_apart(name: str) -> list[str | int]:
    """What to sort names by, so that figure-2 comes before figure-10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]
