"""YAML files that say what an experiment is: read strictly, changed, written back."""

from cifarmlp.config.files import find_config, shipped_configs
from cifarmlp.config.load import load_config, override_with
from cifarmlp.config.schema import Config
from cifarmlp.config.search_section import Around, Coarse, Draw, Fine, SearchConfig
from cifarmlp.config.sections import (
    BatchNormConfig,
    ConstantConfig,
    CyclicConfig,
    DataConfig,
    InitConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainingConfig,
)
from cifarmlp.config.write import differences, digest, dotted, json_schema, refuse_other_config, to_yaml

__all__ = [
    "Around",
    "BatchNormConfig",
    "Coarse",
    "Config",
    "ConstantConfig",
    "CyclicConfig",
    "DataConfig",
    "Draw",
    "Fine",
    "InitConfig",
    "NetworkConfig",
    "OptimiserConfig",
    "SearchConfig",
    "TrainingConfig",
    "differences",
    "digest",
    "dotted",
    "find_config",
    "json_schema",
    "load_config",
    "override_with",
    "refuse_other_config",
    "shipped_configs",
    "to_yaml",
]
