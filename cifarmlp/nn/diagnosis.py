"""Signs of why a network doesn't learn: dead units, vanished spread, saturation, weights that stay put."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from cifarmlp.nn.losses import Loss
from cifarmlp.nn.network import Network
from cifarmlp.nn.types import Float, Labels


@dataclass(frozen=True)
class LayerHealth:
    """State of one layer over some images.

    dead: share of the units that are 0 for every image (the logits have none). spread: standard deviation
    of the outputs over the images, averaged over the units.
    """

    layer: int
    dead: float
    spread: float

    def as_dict(self) -> dict[str, float]:
        """Return the fields by name."""
        return asdict(self)


def layer_health(network: Network, x: Float, member: int = 0) -> list[LayerHealth]:
    """Return the health of each layer of one member on standardised images x (B, in), as in evaluation."""
    health = []
    for n, flat in enumerate(network.activations(x), start=1):
        outputs = _of_member(flat, network, member).astype(np.float64)
        dead = np.mean(np.all(outputs == 0, axis=0)) if n < len(network.layers) else 0.0
        health.append(LayerHealth(n, float(dead), float(outputs.std(axis=0).mean())))
    return health


def saturation(network: Network, x: Float, member: int = 0) -> list[float]:
    """Return the share of each hidden layer's outputs on images x (B, in) that lie at an end of their range.

    That is within a hundredth of the range of the unit's outputs from its lowest or its highest one. Of ReLUs
    about half do, of tanh and sigmoid few, unless they are saturated. Units whose output never varies do not
    count; a layer of such units only has 0.
    """
    return [_at_ends(_of_member(flat, network, member)) for flat in [*network.activations(x)][:-1]]


def _at_ends(outputs: Float) -> float:
    low, high = outputs.min(axis=0), outputs.max(axis=0)
    varies = high > low
    near = (high - low) / 100
    at_ends = ((outputs - low <= near) | (high - outputs <= near))[:, varies]
    return float(at_ends.mean()) if varies.any() else 0.0


def relative_change(before: Mapping[str, Float], after: Mapping[str, Float], member: int = 0) -> list[float]:
    """Return rms(W' - W) / rms(W) of each layer, for weights W `before` and W' `after`, as of
    `Network.weights`; nan for weights that were all 0."""
    pairs = [(before[name][member], after[name][member]) for name in before]
    sizes = [(_rms(late - early), _rms(early)) for early, late in pairs]
    return [change / size if size > 0 else math.nan for change, size in sizes]


def gradient_and_decay(
    network: Network, loss: Loss, x: Float, labels: Labels, lam: float
) -> list[tuple[float, float]]:
    """Return the two forces on the weights of each layer of a single network, as root mean squares.

    The first is the gradient dL/dW of the loss over a mini-batch x (B, in), labels (B,); the second is that
    of weight decay, 2 lam W.
    """
    _, dlogits = loss(network.forward(x), labels, np.ones(1, network.dtype))
    network.backward(dlogits)
    gradients = network.gradients()
    return [(_rms(gradients[name]), 2 * lam * _rms(W)) for name, W in network.weights().items()]


def _rms(values: Float) -> float:
    # scaled first: the squares of tiny gradients are no float32 numbers
    largest = float(np.abs(values).max())
    return largest * float(np.sqrt(np.mean(np.square(values / largest)))) if largest > 0 else 0.0


def first_not_finite(network: Network, x: Float, member: int = 0) -> str:
    """Name the first nan or infinity on the way forward: a parameter, a layer's outputs, or the loss."""
    with np.errstate(all="ignore"):
        for n, flat in enumerate(network.activations(x, training=True), start=1):
            for name, parameter in network.parameters(layer=n).items():
                if not np.isfinite(parameter[member]).all():
                    return f"{name}, a parameter of layer {n}"
            if not np.isfinite(_of_member(flat, network, member)).all():
                return f"the outputs of layer {n}"
    return "the loss, by logits too far apart"


def _of_member(flat: Float, network: Network, member: int) -> Float:
    """The columns of one member: (B, K·d) -> (B, d)."""
    return flat.reshape(len(flat), network.members, -1)[:, member]
