"""Configs: YAML files that say what an experiment is. Read them strictly, change them, write them back.

Every fault is told at once in a ConfigError, a line each: `file:line:column: what is wrong, what is right`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from cifarmlp.config_faults import check, refusal
from cifarmlp.config_files import find_config, read_tree, shipped_configs
from cifarmlp.config_merge import assignments, merge, parse_settings
from cifarmlp.config_schema import Config
from cifarmlp.config_search import Around, Coarse, Draw, Fine, SearchConfig, numeric_fields
from cifarmlp.config_sections import (
    BatchNorm,
    Constant,
    Cyclic,
    DataConfig,
    Init,
    NetworkConfig,
    Optimiser,
    TrainingConfig,
)
from cifarmlp.strict_yaml import Fault, Node, Place, Source, placed
from cifarmlp.yaml_words import one_line, shown

__all__ = [
    "Around",
    "BatchNorm",
    "Coarse",
    "Config",
    "Constant",
    "Cyclic",
    "DataConfig",
    "Draw",
    "Fine",
    "Init",
    "NetworkConfig",
    "Optimiser",
    "SearchConfig",
    "TrainingConfig",
    "differences",
    "digest",
    "dotted",
    "find_config",
    "json_schema",
    "load_config",
    "override_with",
    "shipped_configs",
    "to_yaml",
]


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


def override_with(config: Config, values: Mapping[str, Any]) -> Config:
    """The config with the fields of these dotted keys changed."""
    base = placed(_plain(config), Place(Source(0, config.name, whole=True)))
    over = assignments((key, placed(value, _override_place(key, value))) for key, value in values.items())
    return _checked(merge(base, over) if over else base, [])


def _override_place(key: str, value: Any) -> Place:
    return Place(Source(1, f"{key}={shown(value)}", whole=True))


def differences(there: Config, here: Config, free: Sequence[str] = ()) -> list[str]:
    """What two configs differ in, but for the keys `free` and what is under them."""
    old, new = (dotted(config) for config in (there, here))
    keys = [key for key in {**old, **new} if not any(f"{key}.".startswith(f"{name}.") for name in free)]
    changed = [key for key in keys if old.get(key) != new.get(key)]
    return [f"{k} is {one_line(old.get(k))} there, {one_line(new.get(k))} here" for k in changed]


def dotted(config: Config) -> dict[str, Any]:
    """What the config's YAML says, every value by its dotted key."""
    return dict(_flat(_plain(config)))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def to_yaml(config: Config) -> str:
    """The config with every default written out; read back, it is the same config."""
    lines = []
    for name, value in _plain(config).items():
        if isinstance(value, dict) and value:
            lines += [f"{name}:", *(f"  {key}: {one_line(inner)}" for key, inner in value.items())]
        else:
            lines.append(f"{name}: {one_line(value)}")
    return "\n".join(lines) + "\n"


def digest(config: Config) -> str:
    """SHA-256 of what a config says but for its name, by which a changed one is known."""
    return hashlib.sha256(to_yaml(config.model_copy(update={"name": "any"})).encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """A JSON Schema of what the YAML may say, for editors that complete and check while one types."""
    schema = Config.model_json_schema()
    inherit = {"type": "string", "description": "the file or name of a config to inherit"}
    schema["properties"]["extends"] = inherit
    sections = {name: model["properties"] for name, model in schema["$defs"].items()}
    _also(sections["NetworkConfig"]["batch_norm"], {"type": "boolean"})
    _also(sections["NetworkConfig"]["init"], {"enum": ["he", "xavier"]})
    _also(sections["TrainingConfig"]["optimiser"], {"enum": ["sgd", "momentum"]})
    for stage in ("Coarse", "Fine"):
        sections[stage]["space"]["propertyNames"] = {"enum": list(numeric_fields())}
    return schema


def _also(field: dict[str, Any], shorthand: dict[str, Any]) -> None:
    whole = field.pop("anyOf", None) or [{"$ref": field.pop("$ref")}]
    field["anyOf"] = [shorthand, *whole]


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


def _plain(config: Config) -> dict[str, Any]:
    """What the YAML says: words for mappings where it has them, and only the split that is in use."""
    values = config.model_dump(by_alias=True)
    values["data"] = {key: value for key, value in values["data"].items() if value is not None}
    network, training = values["network"], values["training"]
    network["batch_norm"] = network["batch_norm"] or False
    init, optimiser = network["init"], training["optimiser"]
    network["init"] = init["kind"] if init["sigma"] is None else {"sigma": init["sigma"]}
    training["optimiser"] = "sgd" if optimiser["kind"] == "sgd" else optimiser
    values["search"] = config.search and config.search.model_dump(exclude_none=True)
    return values
