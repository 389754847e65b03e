"""Merging of config trees: a file over the one that it extends, and --set over both."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.config.strict_yaml import Fault, Node, Place, Source, parse
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.text import quote

Steps = tuple[str, ...]

FIRST_RANK_OF_SETTINGS = 1000

# The kind of a mapping that does not say its kind, for each field that has kinds.
_DEFAULT_KINDS: dict[Steps, str] = {
    (section, name): field.default.kind
    for section, model in (("network", NetworkConfig), ("training", TrainingConfig))
    for name, field in model.model_fields.items()
    if hasattr(field.default, "kind")
}
# Kinds that a key implies where a mapping does not say its kind.
_IMPLIED_KINDS: dict[Steps, dict[str, str]] = {
    ("network", "init"): {"sigma": "normal", "hidden": "by_layer", "output": "by_layer"},
    ("network", "activation"): {"leaky_relu": "leaky_relu", "elu": "elu"},
}
_BATCHES = ("train_batches", "validation_batches")
_COUNT = ("validation", "validation_from")


def merge(base: Node, over: Node, path: Steps = (), gathering: bool = False) -> Node:
    """Merge mappings key by key; another value, or a mapping of another kind, replaces what is in `base`.

    `gathering`: both are settings that a config is still to be under, so that there are no defaults yet.
    """
    base = _long_form(base, path)
    both = isinstance(base.value, dict) and isinstance(over.value, dict)
    if not both or _replaces(base, over, path, gathering):
        return over
    merged = {key: node for key, node in base.value.items() if gathering or not _ousts(over, key, path)}
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node, (*path, key), gathering) if key in merged else node
    return Node(merged, base.place, base.key)


def _long_form(node: Node, path: Steps) -> Node:
    """Return the mapping that a word stands for, so that single fields can be merged into it."""
    if path == ("network", "batch_norm") and node.value is True:
        return Node({}, node.place, node.key)
    if path == ("network", "dropout") and not isinstance(node.value, dict):
        return Node({"hidden": node}, node.place, node.key)
    if path in _DEFAULT_KINDS and isinstance(node.value, str):
        return Node({"kind": node}, node.place, node.key)
    return node


def _replaces(base: Node, over: Node, path: Steps, gathering: bool) -> bool:
    if len(path) == 4 and path[2] == "space":
        return True
    default = None if gathering else _DEFAULT_KINDS.get(path)
    new, old = _kind(over, path), _kind(base, path) or default
    return None not in (new, old) and new != old


def _kind(node: Node, path: Steps) -> object:
    if "kind" in node.value:
        return node.value["kind"].value
    implied = _IMPLIED_KINDS.get(path, {})
    return next((implied[key] for key in node.value if key in implied), None)


def _ousts(over: Node, key: str, path: Steps) -> bool:
    """Return whether `over` splits the images in the other way than `key` does."""
    if path != ("data",):
        return False
    if key in _COUNT:
        return any(batches in over.value for batches in _BATCHES)
    return key in _BATCHES and "validation" in over.value and over.value["validation"].value is not None


def assignments(values: Iterable[tuple[str, Node]]) -> Node | None:
    """Return the tree with these values at their dotted keys; None where there are none.

    Of two values of one field the later one counts; a section is set before fields in it.
    """
    outer_first = sorted(values, key=lambda item: item[0].count("."))
    trees = [_nest(key, node) for key, node in outer_first]
    return reduce(lambda base, over: merge(base, over, gathering=True), trees) if trees else None


def _nest(key: str, node: Node) -> Node:
    for name in reversed(steps_of(key)):
        node = Node({name: node}, node.place, node.key)
    return node


def steps_of(key: str) -> Steps:
    """Split a dotted key into its names; what follows `space` is one: the dotted key of a field to search.

    >>> steps_of("search.coarse.space.training.lambda")
    ('search', 'coarse', 'space', 'training.lambda')
    """
    names = key.split(".")
    return (*names[:3], ".".join(names[3:])) if names[2:3] == ["space"] and names[3:] else tuple(names)


def parse_settings(settings: Iterable[str], faults: list[Fault]) -> Node | None:
    """Return the tree of all `KEY=VALUE` together; None where there are none."""
    values: list[tuple[str, Node]] = []
    for rank, setting in enumerate(settings, FIRST_RANK_OF_SETTINGS):
        source = Source(rank, f"--set {setting if len(setting) <= 80 else setting[:80] + '…'}", whole=True)
        values += _parse_setting(setting, source, faults)
    return assignments(values)


def _parse_setting(setting: str, source: Source, faults: list[Fault]) -> list[tuple[str, Node]]:
    key, equals, text = setting.partition("=")
    place = Place(source)
    if not equals or not all(key.split(".")):
        faults.append(Fault(place, "write KEY=VALUE, as in training.lambda=0.01"))
        return []
    if not text.strip():
        faults.append(Fault(place, f"{quote(key)} has no value: write one after '=' (null for none)"))
        return []
    node, new = parse(text, source)
    faults += new
    if node is None and not new:
        faults.append(Fault(place, f"{quote(key)} has no value: a '#' begins a comment, put it in quotes"))
    return [(key, node)] if node else []
