"""Settings that will not do what they seem to promise: told before the training, which goes on."""

import warnings
from collections.abc import Iterator

from cifarmlp.config import Config
from cifarmlp.errors import CifarmlpWarning
from cifarmlp.stats import doubt_of_few
from cifarmlp.training.cost import steps_of


def warn_of_settings(config: Config) -> None:
    """Warn, a line each, of settings that are allowed and hardly what was meant."""
    for caution in _cautions(config):
        warnings.warn(f"{config.name}: {caution}", CifarmlpWarning, stacklevel=3)


def _cautions(config: Config) -> Iterator[str]:
    training, images = config.training, config.data.validation_images
    cycle, steps = training.cycle, steps_of(config)
    if training.snapshots and cycle and steps < cycle:
        ends = f"the training ends at step {steps}, before the first cycle does at {cycle}"
        yield f"training.snapshots: none will be kept, as {ends}"
    goes_by_best = training.keep == "best" or training.patience is not None
    if goes_by_best and (doubt := doubt_of_few("chosen", images)):
        yield f"the best step is {doubt}"
