"""A population of a search, trained in a worker.

It stands by itself so that a worker does not import Matplotlib, which takes as long as 300 steps.
"""

from collections.abc import Sequence
from pathlib import Path

from cifarmlp.config import HalvingConfig
from cifarmlp.data import load
from cifarmlp.parallel.signals import watch_signals
from cifarmlp.search.populations import Member
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.provenance import refuse_other_images
from cifarmlp.training.together import train_together


def train_population(
    population: Sequence[Member], data_dir: Path | None, images: str, halving: HalvingConfig | None
) -> list[Outcome]:
    """Train a population; return an outcome for each member, or none if it was interrupted.

    halving: of the stage. Raises DataError if the images here have another checksum than `images`.
    """
    configs = [member.config for member in population]
    dataset = load(configs[0].data.source, data_dir, download=True)
    refuse_other_images(dataset, images)
    stop = watch_signals()
    return train_together(configs, dataset, lambda: bool(stop()), halving)
