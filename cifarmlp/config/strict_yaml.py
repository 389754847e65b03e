"""Strict YAML: from text to a tree of plain values in which each key and value has its line and column.

A subset of YAML is read: mappings with text keys, lists, text, numbers, true, false and null. Tags, anchors,
aliases, merge keys, duplicate keys and further documents are faults. All but plain numbers, true, false and
null is text, also `no`, `010`, `1:30` and `2024-01-01`, which other readers take for something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from cifarmlp.text import escape, quote, shorten

MAX_DEPTH = 50
MAX_VALUES = 5_000

_NOT_TEXT = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# PyYAML's messages, and the same for people who have never met a token or a block mapping.
_PLAIN_WORDS = {
    r"found character '\\t'": "a tab stands where only spaces may: indent with spaces",
    "that cannot start any token": "a value cannot start with this character: put it in quotes",
    "mapping values are not allowed": "a ':' where no key can be: check quotes, indentation, the line before",
    "could not find expected ':'": "this line lacks its ':', as in 'seed: 1'",
    "expected <block end>": "this line fits nothing above it: check the indentation and the quotes",
    "expected '<document start>'": "this line fits nothing above it: check the indentation and the quotes",
    "while scanning a quoted scalar|unexpected end of stream": "a quote is opened and never closed",
    r"expected ',' or ']'": "a ',' or ']' is missing",
    r"expected ',' or '\}'": "a ',' or '}' is missing",
    "unknown escape character": "an unknown escape: double the backslash, or use 'single quotes'",
    "expected the node content": "a value is missing here: write it, or close what is open",
    "undefined tag handle": "tags (words that begin with '!') are not allowed: remove it or put it in quotes",
}


class Source(NamedTuple):
    """Origin of text: a file, or an override, which is a `whole` without lines. Faults are sorted by rank."""

    rank: int
    name: str
    whole: bool = False


class Place(NamedTuple):
    """A line and column, from 1, of a source."""

    source: Source
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        name = escape(shorten(self.source.name))
        return name if self.source.whole else f"{name}:{self.line}:{self.column}"


class Fault(NamedTuple):
    """Message about what is wrong at a place, and what to write instead."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Node:
    """A value, its place, and the place of the key that names it (its own place where no key does)."""

    value: Any  # None, bool, int, float, str, list[Node] or dict[str, Node]
    place: Place
    key: Place


class _Stop(Exception):
    """Signal that reading cannot go on."""


def parse(text: str, source: Source) -> tuple[Node | None, list[Fault]]:
    """Return the tree of one YAML document, or None where it cannot be read, and all its faults."""
    if bad := _NOT_TEXT.search(text):
        place = place_after(text[: bad.start()], source)
        return None, [
            Fault(place, f"the character {bad[0]!r} is not allowed (is this a text file?): remove it")
        ]
    reader = _Reader(text, source)
    try:
        return reader.document(), reader.faults
    except _Stop:
        return None, reader.faults
    except yaml.MarkedYAMLError as error:
        return None, [*reader.faults, Fault(reader.place(_mark(error)), _explain(error))]
    except (ValueError, OverflowError):  # PyYAML lets them out for escapes such as "\UFFFFFFFF"
        place = reader.place(reader.loader.get_mark())
        return None, [*reader.faults, Fault(place, "not valid YAML: the number in an escape is out of range")]


def place_after(text: str, source: Source) -> Place:
    """Return the place after `text`.

    >>> str(place_after("seed: 1\\nname", Source(0, "a.yaml")))
    'a.yaml:2:5'
    """
    lines = re.split("\r\n|\r|\n", text)
    return Place(source, len(lines), len(lines[-1]) + 1)


def _mark(error: yaml.MarkedYAMLError) -> Any:
    # Something unclosed is noticed only lines later: show where it begins.
    unclosed = re.search("a simple key|unexpected end of stream", f"{error.context}: {error.problem}")
    return (unclosed and error.context_mark) or error.problem_mark or error.context_mark


def _explain(error: yaml.MarkedYAMLError) -> str:
    raw = f"{error.context}: {error.problem}"
    for pattern, words in _PLAIN_WORDS.items():
        if re.search(pattern, raw):
            return words
    return f"not valid YAML: {escape(str(error.problem))}"


class _Reader:
    """Builder of a tree from PyYAML's events, so that nothing is resolved, constructed or expanded."""

    def __init__(self, text: str, source: Source) -> None:
        self.loader: Any = yaml.SafeLoader(text)
        self.source = source
        self.faults: list[Fault] = []
        self.values = 0

    def place(self, mark: Any) -> Place:
        return Place(self.source, mark.line + 1, mark.column + 1)

    def fault(self, place: Place, message: str) -> None:
        self.faults.append(Fault(place, message))

    def document(self) -> Node | None:
        self.loader.get_event()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.loader.get_event()
        root = self.node(0)
        self.loader.get_event()
        if not self.loader.check_event(yaml.StreamEndEvent):
            place = self.place(self.loader.peek_event().start_mark)
            self.fault(place, "a second document begins here: a file holds one, so remove '---'")
        return root

    def node(self, depth: int, key: Place | None = None) -> Node:
        event = self.loader.get_event()
        place = self.place(event.start_mark)
        self.check_limits(place, depth)
        self.check_plainness(event, place)
        return Node(self.value(event, depth), place, key or place)

    def value(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(depth)
        if not isinstance(event, yaml.ScalarEvent):
            return None
        if event.style is not None:
            return event.value
        return plain_scalar(event.value)

    def check_limits(self, place: Place, depth: int) -> None:
        self.values += 1
        if depth > MAX_DEPTH:
            self.fault(place, f"nested more than {MAX_DEPTH} levels deep: a config has about five")
            raise _Stop
        if self.values > MAX_VALUES:
            self.fault(place, f"more than {MAX_VALUES} keys and values: too many for a config")
            raise _Stop

    def check_plainness(self, event: Any, place: Place) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.fault(place, "aliases ('*') are not allowed: write values out, or share them with 'extends'")
        elif event.anchor is not None:
            self.fault(place, "anchors ('&') are not allowed: write values out, or share them with 'extends'")
        elif event.tag is not None:
            self.fault(place, "tags (words that begin with '!') are not allowed: remove it")

    def sequence(self, depth: int) -> list[Node]:
        items = []
        while not self.loader.check_event(yaml.SequenceEndEvent):
            items.append(self.node(depth + 1))
        self.loader.get_event()
        return items

    def mapping(self, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not self.loader.check_event(yaml.MappingEndEvent):
            event = self.loader.peek_event()
            key = self.node(depth + 1)
            self.check_presence(self.loader.peek_event(), key)
            value = self.node(depth + 1, key.place)
            if self.is_good_key(event, key, entries):
                entries[event.value] = value
        self.loader.get_event()
        return entries

    def check_presence(self, event: yaml.Event, key: Node) -> None:
        if isinstance(event, yaml.ScalarEvent) and event.value == "" and event.style is None:
            words = f"{quote(to_plain(key))} has no value: write one (null for none) or remove the line"
            self.fault(self.place(event.start_mark), words)

    def is_good_key(self, event: yaml.Event, key: Node, entries: Mapping[str, Node]) -> bool:
        if not isinstance(event, yaml.ScalarEvent) or event.value == "":
            self.fault(key.place, "a key must be a word, as in 'seed: 1'")
        elif event.value == "<<" and event.style is None:
            self.fault(key.place, "merge keys ('<<') are not allowed: use 'extends: other.yaml'")
        elif event.value in entries:
            first = entries[event.value].key.line
            self.fault(key.place, f"the key {quote(event.value)} is given twice, first on line {first}")
        else:
            return True
        return False


def to_plain(node: Node) -> Any:
    """Return the values of a tree without their places."""
    if isinstance(node.value, dict):
        return {key: to_plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(child) for child in node.value]
    return node.value


def place_value(value: Any, place: Place) -> Node:
    """Return plain values as a tree, all at `place`."""
    if isinstance(value, Mapping):
        return Node({str(key): place_value(child, place) for key, child in value.items()}, place, place)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Node([place_value(child, place) for child in value], place, place)
    return Node(value, place, place)


_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,299})")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {"null": None, "~": None, "true": True, "false": False}


def plain_scalar(text: str) -> bool | int | float | str | None:
    """Return the value of an unquoted word: null, true or false, a number, or else text.

    >>> [plain_scalar(word) for word in ("1e-5", "Null", "no", "010", "1:30")]
    [1e-05, None, 'no', '010', '1:30']
    """
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
    """Return a hint where text looks like a number, else "".

    >>> number_hint("010")
    'a leading zero may mean octal, write 10'
    """
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
