"""Experiments with fully connected networks on CIFAR-10.

    import cifarmlp

    run = cifarmlp.train(cifarmlp.load_config("quickstart", {"training.steps": 500}))
    run.outcomes()[0].metric("test", "accuracy")
    cifarmlp.evaluate(run).confusion()

docs/python.md shows the rest. To read the code, begin with `nn` (the engine), `training` (from a config to a
run folder) and `cli` (the commands); docs/architecture.md draws how the packages rest on each other.
"""

from typing import TYPE_CHECKING, Any

from cifarmlp.errors import CifarmlpError, ConfigError, DataError, RunFolderError

__version__ = "0.2.0"
__all__ = [
    "CifarmlpError",
    "Config",
    "ConfigError",
    "DataError",
    "Outcome",
    "Run",
    "RunFolderError",
    "Seed",
    "compare",
    "evaluate",
    "load_config",
    "load_run",
    "resume",
    "run_search",
    "run_study",
    "train",
    "write_report",
]

if TYPE_CHECKING:
    from cifarmlp.api import *


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: `cifarmlp --help` waits for none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'cifarmlp' has no attribute {name!r}")
    from cifarmlp import api

    return getattr(api, name)


def __dir__() -> list[str]:
    """Return the names of the API too, for completion in a notebook."""
    return sorted({*globals(), *__all__})
