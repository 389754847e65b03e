"""The form of a block: forward and backward for K members at once.

    inputs -> Linear -> BatchNorm -> activation -> Dropout -> Linear -> ... -> Linear -> logits

Activations are (B, K·d), member after member: B images in the mini-batch, K members, d units a member. A
block keeps from its last forward pass what its backward pass needs. No member's loss depends on another's
parameters, so the gradient of the sum of all losses is each member's own. Back-propagation is linear: if the
gradient of the loss is multiplied by eta, so is every other one.
"""

import numpy as np
from numpy.typing import NDArray

from cifarmlp.nn.types import Float


class Block:
    """A block without parameters; blocks with parameters override the methods below, too.

    `backward` may overwrite its argument, and so may `forward` where the block before it does not need its
    output again: after Linear and BatchNorm, but not after an activation, and never the images.
    Arrays go by their kind (`gamma`; `Network` makes it gamma2), in the layout that the block computes in.
    """

    def forward(self, x: Float, training: bool = True) -> Float:
        """Return the output for x (B, K·d), in training or as in evaluation."""
        raise NotImplementedError

    def backward(self, dy: Float) -> Float | None:
        """Set the gradients of the parameters, and return that of x; None in the first block.

        dy: gradient of the loss with respect to the output of the last forward pass in training.
        """
        raise NotImplementedError

    def vectors(self) -> dict[str, tuple[Float, Float]]:
        """Parameters without L2, each with its gradient: both stay the same arrays throughout a training."""
        return {}

    def parameters(self) -> dict[str, Float]:
        """The arrays that the optimiser changes."""
        return {kind: parameter for kind, (parameter, _) in self.vectors().items()}

    def gradients(self) -> dict[str, Float]:
        """The gradients of the last backward pass, by the names of `parameters`."""
        return {kind: gradient for kind, (_, gradient) in self.vectors().items()}

    def running_averages(self) -> dict[str, Float]:
        """The arrays besides the parameters that an evaluation needs."""
        return {}

    def stored(self) -> dict[str, Float]:
        """The arrays that a training changes, as the block keeps them; a checkpoint holds these."""
        return self.parameters()

    def resume(self, step: int) -> None:
        """Go on at a step, after the arrays of `stored` were put back."""

    def kink_sides(self) -> NDArray[np.bool_]:
        """For each output of the last forward pass, the side of its kink; empty where there are no kinks."""
        return np.empty(0, bool)
