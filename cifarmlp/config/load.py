"""Reading and changing configs.

One ConfigError has all faults, a line each: `file:line:column: what is wrong, what is right`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from cifarmlp.config.faults import check, refusal
from cifarmlp.config.files import read_tree
from cifarmlp.config.merge import assignments, merge, parse_settings
from cifarmlp.config.schema import Config
from cifarmlp.config.strict_yaml import Fault, Node, Place, Source, parse, place_value
from cifarmlp.config.write import to_plain_values
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape, quote


def load_config(
    path: Path, overrides: Sequence[str] = (), changes: Iterable[tuple[str, Node]] = ()
) -> Config:
    """Return the config in a file, changed by `KEY=VALUE` overrides with dotted keys.

    `changes` are those of another file, such as a study, by dotted keys; they come before the overrides.
    Raises ConfigError.
    """
    faults: list[Fault] = []
    tree = read_tree(Path(path), faults)
    layers = [assignments(changes), parse_settings(overrides, faults)]
    if tree is None:
        raise refusal(faults)
    if "sections" in tree.value:
        raise ConfigError(
            f"{escape(str(path))}: a study, no config; cifarmlp study {escape(shlex.quote(str(path)))}"
        )
    tree = reduce(merge, [layer for layer in layers if layer], tree)
    return _check(_with_name(tree, Path(path)), faults)


def parse_config(text: str, name: str) -> Config:
    """Return the config in a text, such as an earlier version's with fewer keys. Raises ConfigError.

    name: of the text, for the faults.

    >>> parse_config("seed: 2", "a checkpoint").training == Config().training
    True
    """
    tree, faults = parse(text, Source(0, name))
    if tree is None or faults:
        raise refusal(faults)
    return _check(tree, faults)


def override_with(config: Config, values: Mapping[str, Any] | Sequence[str]) -> Config:
    """Return the config with fields changed by dotted keys, or by `KEY=VALUE`s. Raises ConfigError.

    >>> override_with(Config(), {"training.lambda": 0.1, "seed": 2}).seed
    2
    """
    base = place_value(to_plain_values(config), Place(Source(0, config.name, whole=True)))
    faults: list[Fault] = []
    if isinstance(values, Mapping):  # numbers and arrays of NumPy become numbers and lists
        values = {key: v.tolist() if hasattr(v, "tolist") else v for key, v in values.items()}
        places = {key: Place(Source(1, f"{key}={quote(value)}", whole=True)) for key, value in values.items()}
        over = assignments((key, place_value(value, places[key])) for key, value in values.items())
    else:
        over = parse_settings(values, faults)
    return _check(merge(base, over) if over else base, faults)


def _check(tree: Node, faults: list[Fault]) -> Config:
    config, others = check(tree, Config)
    places = {fault.place for fault in faults}
    faults = faults + [fault for fault in others if fault.place not in places]
    if config is None or faults:
        raise refusal(faults)
    return config


def _with_name(tree: Node, path: Path) -> Node:
    if "name" in tree.value:
        return tree
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip(".-")[:100]
    name = Node(safe or "unnamed", tree.place, tree.key)
    return Node({"name": name, **tree.value}, tree.place, tree.key)
