"""Dropout: in training, units are left out at random."""

from collections.abc import Sequence

import numpy as np

from cifarmlp.nn.block import Block
from cifarmlp.nn.types import Float

PURPOSE = 6  # of the draws; others of the same seed are weights (0) and the order of the mini-batches (1)


class Dropout(Block):
    """y = m x / (1 - rate), with m = 0 of probability `rate`, else 1; in evaluation y = x.

    Srivastava et al. 2014, 'Dropout', section 4, in the inverted form: scaled in training, so that an
    evaluation needs no change. The masks of a step follow from seed, step and layer alone,

        m = default_rng([seed, 6, step, layer]).random((B, d), float32) >= rate

    so they are the same whatever K and wherever a training was resumed, and in both precisions. One seed a
    member. On the images (layer 0), which all members share, there is one mask: that of a single seed.
    """

    def __init__(self, rate: float, seeds: Sequence[int], layer: int) -> None:
        self.rate, self.seeds, self.layer, self.step = rate, tuple(seeds), layer, 0

    def resume(self, step: int) -> None:
        """Draw the masks of this step next."""
        self.step = step

    def forward(self, x: Float, training: bool = True) -> Float:
        """x (B, K·d), left as it is, -> y (B, K·d); in training the step is then the next one."""
        if not training:
            return x
        self.mask: Float = self._draw(len(x), x.shape[1] // len(self.seeds)).astype(x.dtype)
        self.mask *= x.dtype.type(1 / (1 - self.rate))
        self.step += 1
        return x * self.mask

    def backward(self, dy: Float) -> Float:
        """dy, overwritten, -> dx, of the same shape."""
        dy *= self.mask
        return dy

    def _draw(self, rows: int, width: int) -> np.ndarray:
        masks = {}
        for seed in self.seeds:  # members of one seed, as a search has them, share their masks
            if seed not in masks:
                rng = np.random.default_rng([seed, PURPOSE, self.step, self.layer])
                masks[seed] = rng.random((rows, width), np.float32) >= self.rate
        return np.concatenate([masks[seed] for seed in self.seeds], axis=1)
