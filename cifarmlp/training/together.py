"""A population of trainings in lockstep, to compare their configs."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Dataset
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.cost import check_memory
from cifarmlp.training.loop import CHUNK
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.rows import outcome_of, row_of
from cifarmlp.training.threads import BlasThreads


@np.errstate(all="ignore")
def train_together(
    configs: Sequence[Config], dataset: Dataset, stop: Callable[[], bool] = lambda: False
) -> list[Outcome]:
    """Train a population in one BLAS thread. Return an outcome a config, or none if `stop` ended it.

    For comparing configs: evaluated at step 0 and at the end only, and not on the test images; no snapshots
    are kept. An outcome's seconds are its share of the population's. Raises ValueError if the configs go by
    the best evaluation, as there is only one.
    """
    check_memory(configs[0], len(configs))
    training = build_training(configs, split_images(configs[0], dataset))
    training.evaluate_every, training.evaluate_images = max(1, training.steps), CHUNK
    training.test = training.snapshot_every = None
    training.stop = stop
    BlasThreads(1, training.network.sizes, training.batch_size, CHUNK)
    start = time.perf_counter()
    records = list(training.records())
    if not training.over:
        return []
    seconds = (time.perf_counter() - start) / len(configs)
    rows = [row_of(records[-1], member) for member in range(len(configs))]
    return [outcome_of(config, training, rows[k], seconds, k) for k, config in enumerate(configs)]
