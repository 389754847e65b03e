"""The loss of the mini-batches, averaged over short windows of steps: a light curve behind the epochs'."""

import math
from pathlib import Path

import numpy as np

from cifarmlp import files
from cifarmlp.nn import Float
from cifarmlp.training.metrics import parse_numbers

MOST_WINDOWS = 500
BATCH_LOSS = "batch_loss.csv"


class BatchLoss:
    """Sums of the mini-batch losses in windows of equal length, at most `MOST_WINDOWS` in a training.

    The losses are those of the forward passes of the training, before each update, so that they cost nothing
    more. sums: (windows, K) float64; nan for a window with steps that were not seen.
    """

    def __init__(self, steps: int, members: int) -> None:
        self.steps = steps
        self.window = max(1, math.ceil(steps / MOST_WINDOWS))
        self.sums = np.zeros((math.ceil(steps / self.window), members))

    def add(self, step: int, loss: Float) -> None:
        """Add the loss (K,) of the mini-batch that step + 1 is made with."""
        self.sums[step // self.window] += loss

    def rows(self, step: int, member: int = 0) -> list[dict[str, float]]:
        """Return a row for each window that has ended by `step`: the step of its end, and the mean loss."""
        ends = np.minimum(np.arange(1, len(self.sums) + 1) * self.window, self.steps)
        means = self.sums[:, member] / np.diff(ends, prepend=0)
        pairs = zip(ends.tolist(), means.tolist(), strict=True)
        return [{"step": end, "loss": mean} for end, mean in pairs if end <= step and math.isfinite(mean)]


def read_batch_loss(folder: Path) -> list[dict[str, float]]:
    """Return the rows of batch_loss.csv that are not damaged; none if there is no such file."""
    return files.read_rows(folder / BATCH_LOSS, parse_numbers)[0]
