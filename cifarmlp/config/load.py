"""Configs: YAML files that say what an experiment is. Read them strictly, change them, write them back.

Every fault is told at once in a ConfigError, a line each: `file:line:column: what is wrong, what is right`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from cifarmlp.config.faults import check, refusal
from cifarmlp.config.files import read_tree
from cifarmlp.config.merge import assignments, merge, parse_settings
from cifarmlp.config.schema import Config
from cifarmlp.config.strict_yaml import Fault, Node, Place, Source, place_value
from cifarmlp.config.write import to_plain_values
from cifarmlp.text import quote


def load_config(
    path: Path, overrides: Sequence[str] = (), changes: Iterable[tuple[str, Node]] = ()
) -> Config:
    """The config in a file, with `KEY=VALUE` overrides (dotted keys) laid over it.

    changes: what another file, such as a study, sets by dotted keys; the overrides go over them.
    """
    faults: list[Fault] = []
    tree = read_tree(Path(path), faults)
    layers = [assignments(changes), parse_settings(overrides, faults)]
    if tree is None:
        raise refusal(faults)
    tree = reduce(merge, [layer for layer in layers if layer], tree)
    return _checked(_named(tree, Path(path)), faults)


def override_with(config: Config, values: Mapping[str, Any] | Sequence[str]) -> Config:
    """The config with the fields of these dotted keys changed, given as a mapping or as `KEY=VALUE`s."""
    base = place_value(to_plain_values(config), Place(Source(0, config.name, whole=True)))
    faults: list[Fault] = []
    if isinstance(values, Mapping):
        nodes = ((key, place_value(value, _override_place(key, value))) for key, value in values.items())
        over = assignments(nodes)
    else:
        over = parse_settings(values, faults)
    return _checked(merge(base, over) if over else base, faults)


def _override_place(key: str, value: Any) -> Place:
    return Place(Source(1, f"{key}={quote(value)}", whole=True))


def _checked(tree: Node, faults: list[Fault]) -> Config:
    config, found = check(tree, Config)
    told = {fault.place for fault in faults}
    faults = faults + [fault for fault in found if fault.place not in told]
    if config is None or faults:
        raise refusal(faults)
    return config


def _named(tree: Node, path: Path) -> Node:
    if "name" in tree.value:
        return tree
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip(".-")[:100]
    name = Node(safe or "unnamed", tree.place, tree.key)
    return Node({"name": name, **tree.value}, tree.place, tree.key)
