"""Experiments as YAML files: read strictly, changed, written back.

    text -> strict_yaml: a tree with places -> merge: extends, --set -> faults: checked by pydantic -> Config
    Config -> to_yaml, dotted, digest

Rank 2: may import the ground (errors, text, stats, files); the packages from training upwards use it. Begin
reading with schema.py.
"""

from cifarmlp.config.data_section import DataConfig
from cifarmlp.config.draws import Around, Draw, is_number, read_value
from cifarmlp.config.files import find_config, shipped_configs
from cifarmlp.config.load import load_config, override_with, parse_config
from cifarmlp.config.losses import CrossEntropyConfig, LossConfig
from cifarmlp.config.network_section import BatchNormConfig, InitConfig, NetworkConfig
from cifarmlp.config.optimisers import (
    AdamConfig,
    MomentumConfig,
    OptimiserConfig,
    SGDConfig,
)
from cifarmlp.config.schedules import (
    ConstantConfig,
    CosineConfig,
    CyclicConfig,
    OneCycleConfig,
    ScheduleConfig,
)
from cifarmlp.config.schema import Config
from cifarmlp.config.search_section import Coarse, Fine, HalvingConfig, SearchConfig
from cifarmlp.config.training_section import TrainingConfig
from cifarmlp.config.write import (
    differences,
    digest,
    digest_of_text,
    dotted,
    json_schema,
    refuse_other_config,
    to_yaml,
)

__all__ = [
    "AdamConfig",
    "Around",
    "BatchNormConfig",
    "Coarse",
    "Config",
    "ConstantConfig",
    "CosineConfig",
    "CrossEntropyConfig",
    "CyclicConfig",
    "DataConfig",
    "Draw",
    "Fine",
    "HalvingConfig",
    "InitConfig",
    "LossConfig",
    "MomentumConfig",
    "NetworkConfig",
    "OneCycleConfig",
    "OptimiserConfig",
    "SGDConfig",
    "ScheduleConfig",
    "SearchConfig",
    "TrainingConfig",
    "differences",
    "digest",
    "digest_of_text",
    "dotted",
    "find_config",
    "is_number",
    "json_schema",
    "load_config",
    "override_with",
    "parse_config",
    "read_value",
    "refuse_other_config",
    "shipped_configs",
    "to_yaml",
]
