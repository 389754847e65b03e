"""Filters of a list of runs, `KEY=VALUE`: by status, kind, name or a key of the config."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from cifarmlp.config import Config, dotted
from cifarmlp.config.fields import dotted_fields
from cifarmlp.config.strict_yaml import Source, parse, to_plain
from cifarmlp.errors import ConfigError
from cifarmlp.runs.listing import KINDS, STATUS, Entry
from cifarmlp.text import escape, quote

Filter = Callable[[Entry], bool]

WORDS = {"status": STATUS, "kind": KINDS}


def parse_filter(text: str) -> Filter:
    """Return the predicate of entries that `KEY=VALUE` stands for.

    KEY: status, kind, name (of folder or config, with a shell's wildcards), or a config's dotted key. A
    section equals `true` if it is there (`network.batch_norm=true`), and its kind (`network.init=he`).
    Raises ConfigError for anything else.

    >>> from pathlib import Path
    >>> is_repeated = parse_filter("kind=repeated")
    >>> is_repeated(Entry(Path("runs/a-001"), "repeated", "finished", when=0.0))
    True
    """
    key, equals, word = text.partition("=")
    if not equals or not key:
        raise _refusal(text, "write KEY=VALUE, as in network.batch_norm=true")
    if key == "name":
        return lambda entry: any(fnmatchcase(name, word) for name in _names(entry))
    if key in WORDS:
        if word not in WORDS[key]:
            raise _refusal(text, f"{key} is one of {', '.join(WORDS[key])}")
        return lambda entry: getattr(entry, key) == word
    if key not in dotted_fields(Config):
        near = get_close_matches(key[:100], [*WORDS, "name", *dotted_fields(Config)], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ": status, kind, name or a config's dotted key"
        raise _refusal(text, f"unknown key {quote(key)}{hint}")
    value = _value(text, word)
    return lambda entry: entry.config is not None and _holds(dotted(entry.config), key, value)


def _refusal(text: str, fault: str) -> ConfigError:
    return ConfigError(f"--filter {escape(text[:80])}: {fault}")


def _names(entry: Entry) -> list[str]:
    return [entry.folder.name, *([entry.config.name] if entry.config else [])]


def _value(text: str, word: str) -> Any:
    node, faults = parse(word, Source(0, "--filter", whole=True))
    if faults:
        raise _refusal(text, faults[0].message)
    return None if node is None else to_plain(node)


def _holds(values: Mapping[str, Any], key: str, value: Any) -> bool:
    inside = {name[len(key) + 1 :]: inner for name, inner in values.items() if name.startswith(f"{key}.")}
    if not inside:
        return _same(values.get(key), value)
    if isinstance(value, dict):
        return all(_holds(inside, name, inner) for name, inner in value.items())
    return value is True or (value is not None and inside.get("kind") == value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple):
        return isinstance(other, list) and list(one) == other
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)  # 1 is not true
