"""Configs written as YAML, dotted keys or a digest; differences between two; the JSON Schema of all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from cifarmlp.config.draws import searchable_fields
from cifarmlp.config.losses import LossConfig
from cifarmlp.config.network_section import ActivationConfig, LayerInit
from cifarmlp.config.optimisers import OptimiserConfig
from cifarmlp.config.schema import Config
from cifarmlp.errors import ConfigError
from cifarmlp.text import yaml_line


def differences(there: Config, here: Config, free: Sequence[str] = ()) -> list[str]:
    """Return a line for each field that two configs differ in, except the keys `free` and those below them.

    >>> differences(Config(seed=1), Config(seed=2))
    ['seed is 1 there, 2 here']
    """
    old, new = (dotted(config) for config in (there, here))
    keys = [key for key in {**old, **new} if not any(f"{key}.".startswith(f"{name}.") for name in free)]
    changed = [key for key in keys if old.get(key) != new.get(key)]
    return [f"{k} is {yaml_line(old.get(k))} there, {yaml_line(new.get(k))} here" for k in changed]


def refuse_other_config(
    folder: Path, there: Config, here: Config, kind: str, free: Sequence[str] = ()
) -> None:
    """Raise ConfigError if the config in a folder and the one here differ.

    kind: what the folder holds, such as a training. free: keys that may differ, with all below them.
    """
    changes = differences(there, here, free)
    if changes:
        raise ConfigError(f"{folder} is the {kind} of another config: {'; '.join(changes[:3])}")


def dotted(config: Config) -> dict[str, Any]:
    """Return each value of the config's YAML by its dotted key.

    >>> dotted(Config())["network.hidden"]
    (50, 50)
    """
    return dict(_flat(to_plain_values(config)))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def to_yaml(config: Config) -> str:
    """Return a config as YAML, with all defaults; read back, it is the same config."""
    lines = []
    for name, value in to_plain_values(config).items():
        if isinstance(value, dict) and value:
            lines += [f"{name}:", *(f"  {key}: {yaml_line(inner)}" for key, inner in value.items())]
        else:
            lines.append(f"{name}: {yaml_line(value)}")
    return "\n".join(lines) + "\n"


def digest(config: Config) -> str:
    """SHA-256 of a config without its name, in hex; another config has another one."""
    return digest_of_text(to_yaml(config))


def digest_of_text(text: str) -> str:
    """Return the digest of the config that `to_yaml` wrote as this text, in this version or an earlier one.

    A later version may have more keys, and so another digest of the same config.
    """
    return hashlib.sha256(re.sub(r"(?m)^name: .*$", "name: any", text, count=1).encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """JSON Schema of the YAML, for editors that complete and check it."""
    schema = Config.model_json_schema()
    inherit = {"type": "string", "description": "the file or name of a config to inherit"}
    schema["properties"]["extends"] = inherit
    sections = {name: model["properties"] for name, model in schema["$defs"].items()}
    _also(sections["NetworkConfig"]["batch_norm"], {"type": "boolean"})
    network, training = sections["NetworkConfig"], sections["TrainingConfig"]
    _also(network["hidden"], {"type": "integer", "minimum": 1})
    _also(network["activation"], {"enum": _names(ActivationConfig)})
    _also(network["dropout"], {"anyOf": sections["DropoutConfig"]["hidden"]["anyOf"]})
    for init in (network["init"], sections["InitConfig"]["hidden"], sections["InitConfig"]["output"]):
        _also(init, {"enum": [name for name in _names(LayerInit) if name != "normal"]})
    for field, kinds in (("optimiser", OptimiserConfig), ("loss", LossConfig)):
        _also(training[field], {"enum": [name for kind in get_args(kinds) for name in _names(kind)]})
    for stage in ("Coarse", "Fine"):
        sections[stage]["space"]["propertyNames"] = {"enum": list(searchable_fields())}
    return schema


def _names(model: type[BaseModel]) -> list[str]:
    """Return the kinds that a class of configs may be of."""
    return list(get_args(model.model_fields["kind"].annotation))


def _also(field: dict[str, Any], shorthand: dict[str, Any]) -> None:
    field.pop("discriminator", None)
    whole = field.pop("anyOf", None) or field.pop("oneOf", None) or [_pop_plain(field)]
    field["anyOf"] = [shorthand, *whole]


def _pop_plain(field: dict[str, Any]) -> dict[str, Any]:
    """Remove and return the schema of a field's value; its words and default stay."""
    return {key: field.pop(key) for key in [*field] if key not in ("default", "description", "title")}


def to_plain_values(config: Config) -> dict[str, Any]:
    """Return the YAML's values: with its short forms, and only the keys of `data` that are in use."""
    values = config.model_dump(by_alias=True)
    values["data"] = {key: value for key, value in values["data"].items() if value is not None}
    if config.data.augment:
        values["data"]["augment"] = {key: v for key, v in values["data"]["augment"].items() if v}
    network, training = values["network"], values["training"]
    network["batch_norm"] = network["batch_norm"] or False
    activation, dropout, init = network["activation"], network["dropout"], network["init"]
    numbers = {kind: number for kind, number in activation.items() if kind != "kind" and number is not None}
    network["activation"] = numbers or activation["kind"]
    network["dropout"] = dropout if dropout["input"] else dropout["hidden"]
    by_layer = {name: _short_init(init[name]) for name in ("hidden", "output") if init[name]}
    network["init"] = by_layer or _short_init(init)
    for field in ("optimiser", "loss"):
        kind = training[field]
        training[field] = kind if len(kind) > 1 else kind["kind"]
    values["search"] = config.search and config.search.model_dump(exclude_none=True)
    return values


def _short_init(init: Mapping[str, Any]) -> Any:
    return init["kind"] if init["sigma"] is None else {"sigma": init["sigma"]}
