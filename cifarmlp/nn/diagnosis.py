"""Why a network doesn't learn: dead units, vanished spread, the first number that isn't finite."""

from dataclasses import asdict, dataclass

import numpy as np

from cifarmlp.nn.losses import softmax_cross_entropy
from cifarmlp.nn.network import Network
from cifarmlp.nn.types import Float, Labels


@dataclass(frozen=True)
class LayerHealth:
    """Of one layer over some images: dead is the share of units that are 0 for every image (the logits
    have none), spread the outputs' standard deviation over the images, averaged over the units."""

    layer: int
    dead: float
    spread: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def layer_health(network: Network, x: Float, member: int = 0) -> list[LayerHealth]:
    """Health of each layer of one member on standardised images x (B, in), as in evaluation."""
    health = []
    for n, flat in enumerate(network.activations(x)):
        outputs = flat.reshape(len(x), network.members, -1)[:, member].astype(np.float64)
        dead = np.mean(np.all(outputs == 0, axis=0)) if n < len(network.relus) else 0.0
        health.append(LayerHealth(n + 1, float(dead), float(outputs.std(axis=0).mean())))
    return health


def gradient_and_decay(network: Network, x: Float, labels: Labels, lam: float) -> list[tuple[float, float]]:
    """Of each layer of a single network, what pulls at its weights: root mean square of the loss's gradient
    dL/dW over a mini-batch x (B, in), labels (B,), and of weight decay's, 2 lam W.
    """
    one = np.ones(1, network.dtype)
    _, dlogits = softmax_cross_entropy(network.forward(x), labels, one)
    network.backward(dlogits)
    weights, gradients = network.parameters(), network.gradients()
    names = [f"W{n + 1}" for n in range(len(network.linears))]
    return [(_rms(gradients[name]), 2 * lam * _rms(weights[name])) for name in names]


def _rms(values: Float) -> float:
    # scaled first: the squares of tiny gradients are no float32 numbers
    largest = float(np.abs(values).max())
    return largest * float(np.sqrt(np.mean(np.square(values / largest)))) if largest > 0 else 0.0


def first_not_finite(network: Network, x: Float, member: int = 0) -> str:
    """Where nan or infinity shows first on the way forward: a parameter, a layer's outputs, or the loss."""
    with np.errstate(all="ignore"):
        for n, flat in enumerate(network.activations(x, training=True), start=1):
            for kind in ("W", "b", "gamma", "beta"):
                parameter = network.parameters().get(f"{kind}{n}")
                if parameter is not None and not np.isfinite(parameter[member]).all():
                    return f"{kind}{n}, a parameter of layer {n}"
            if not np.isfinite(flat.reshape(len(x), network.members, -1)[:, member]).all():
                return f"the outputs of layer {n}"
    return "the loss, by logits too far apart"
