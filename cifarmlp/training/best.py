"""The best evaluation of a training so far, by validation accuracy: for `keep: best` and `patience`."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn import Network
from cifarmlp.training.average import copy_model, model_views


class Best:
    """The first evaluation with the highest validation accuracy, of one network.

    accuracy, step: of it, -1 before there is any. waited: evaluations since then. network: a copy with its
    parameters; None if they are not kept. All are arrays, to be stored and restored.
    """

    def __init__(self, network: Network, keeps: bool, patience: int | None) -> None:
        """patience: evaluations to wait for a better one; None waits for ever."""
        if network.members > 1:
            raise ValueError(f"{network.members} members: the best evaluation is that of one network")
        self.network = copy.deepcopy(network) if keeps else None
        self.patience = patience
        self.accuracy, self.step, self.waited = np.array(-1.0), np.array(-1), np.array(0)

    def note(self, accuracy: float, step: int, evaluated: Network) -> None:
        """Take note of an evaluation. An accuracy of nan, of a network that diverged, is never the best."""
        if not accuracy > self.accuracy:
            self.waited += 1
            return
        self.accuracy[...], self.step[...], self.waited[...] = accuracy, step, 0
        if self.network is not None:
            copy_model(evaluated, self.network)

    def would_end_with(self, accuracy: float) -> bool:
        """Return whether patience runs out with an evaluation of this accuracy."""
        waited = 0 if accuracy > self.accuracy else int(self.waited) + 1
        return self.patience is not None and waited >= self.patience

    @property
    def is_waiting(self) -> bool:
        """Return whether the training is to go on: patience has not run out."""
        return self.patience is None or int(self.waited) < self.patience

    def stored(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `note` changes, by the names of checkpoints."""
        counts = {"best_accuracy": self.accuracy, "best_step": self.step, "best_waited": self.waited}
        views = {} if self.network is None else model_views(self.network)
        return {**counts, **{f"best_{name}": array for name, array in views.items()}}
