"""Differences between the configs of runs: of runs that are compared, and of all that have one name."""

from collections.abc import Mapping, Sequence
from typing import Any

from cifarmlp.config import BatchNormConfig, Config, dotted, load_config, shipped_configs

ASIDE = ("name", "search")  # sections of a config that change nothing in a training
ABSENT = ""


def differing_values(configs: Sequence[Config]) -> dict[str, list[Any]]:
    """Return the dotted keys whose values differ between configs, with the value of each config.

    Keys of name and search are left out. A section that is a plain value in one of the configs counts as one
    key, as batch_norm if one has none. ABSENT stands for a key that a config lacks.
    """
    flat = [dotted(config) for config in configs]
    keys = dict.fromkeys(key for values in flat for key in values if key.split(".")[0] not in ASIDE)
    outer = [key for key in keys if not any(key.startswith(f"{other}.") for other in keys)]
    columns = {key: [_value(values, key) for values in flat] for key in outer}
    return {key: column for key, column in columns.items() if any(value != column[0] for value in column)}


def _value(values: Mapping[str, Any], key: str) -> Any:
    if key in values:
        return values[key]
    inside = {name[len(key) + 1 :]: value for name, value in values.items() if name.startswith(f"{key}.")}
    if key == "network.batch_norm" and inside == BatchNormConfig().model_dump():
        return True
    return inside or ABSENT


def values_apart(configs: Sequence[Config | None]) -> list[dict[str, Any]]:
    """Return, for each config, its values of the dotted keys in which those of its name differ.

    Where a shipped config has the name, the values that are not the shipped one's. Keys as by
    `differing_values`; those that a config lacks are left out.
    """
    names = [config.name if config else None for config in configs]
    shipped = {name.replace("/", "-"): path for name, path in shipped_configs().items()}
    apart: list[dict[str, Any]] = [{} for _ in configs]
    for name in {*names} - {None}:
        first = [load_config(shipped[name])] if name in shipped else []
        rows = [n for n, other in enumerate(names) if other == name]
        alike = [config for config in configs if config and config.name == name]
        for key, column in differing_values([*first, *alike]).items():
            for n, value in zip(rows, column[len(first) :], strict=True):
                if value != ABSENT and not (first and value == column[0]):
                    apart[n][key] = value
    return apart
