"""Check the gradients of networks on images, next to the numbers that a report printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Dataset, pixel_statistics, standardiser
from cifarmlp.nn import Float, Network, check_gradients, softmax_cross_entropy
from cifarmlp.nn.gradcheck import Difference, checkable_network
from cifarmlp.nn.layers import BatchNorm

LIMIT = 1e-7
BATCH = 20
STATISTICS_OF = 10_000  # images; enough to put pixels on a scale of one, and quick


@dataclass(frozen=True)
class NetworkCheck:
    """A network to check, and a report's numbers for it: the measure, and its value by parameter.

    mistake: `constant statistics` takes a batch's mean and variance for constants in the backward pass.
    """

    hidden: tuple[int, ...]
    batch_norm: tuple[float, float] | None
    lam: float = 0.005
    measure: str = ""
    reported: dict[str, float] | None = None
    mistake: str | None = None

    @property
    def title(self) -> str:
        """Words such as `3 layers (50-30), batch norm, lambda 0.005`."""
        widths = "-".join(str(width) for width in self.hidden) or "linear"
        norm = "batch norm" if self.batch_norm else "no batch norm"
        return f"{len(self.hidden) + 1} layers ({widths}), {norm}, lambda {self.lam:g}"


def check_of(config: Config) -> NetworkCheck:
    """Return the check of a config's network, with its lambda."""
    norm = config.network.batch_norm
    return NetworkCheck(
        config.network.hidden, (norm.eps, norm.momentum) if norm else None, config.training.lam
    )


def run_checks(
    checks: Sequence[NetworkCheck], dataset: Dataset, seed: int = 1
) -> Iterator[tuple[NetworkCheck, list[Difference]]]:
    """Check each network on the first images of the dataset, standardised."""
    mean, std = pixel_statistics(dataset.train.pixels[:STATISTICS_OF])
    x = np.empty((BATCH, dataset.train.pixels.shape[1]))
    standardiser(mean, std, np.float64)(dataset.train.pixels, np.arange(BATCH), x)
    for check in checks:
        rng = np.random.default_rng([seed, 2])
        network = checkable_network([x.shape[1], *check.hidden, 10], check.batch_norm, rng)
        if check.mistake:
            _hold_statistics(network)
        labels, lam = dataset.train.labels[:BATCH], np.array([check.lam])
        yield check, check_gradients(network, softmax_cross_entropy, x, labels, lam, rng)


def wrong_parameters(differences: Sequence[Difference]) -> list[str]:
    """Return the parameters whose gradient is wrong: a relative difference of LIMIT or more, or nan."""
    return [d.name for d in differences if not d.worst < LIMIT]


def _hold_statistics(network: Network) -> None:
    """Make batch norm's backward pass dx = gamma / std dy, as if mean and variance were constants."""

    def backward(norm: BatchNorm, dy: Float) -> Float:
        norm.dbeta[:] = dy.sum(axis=0)
        norm.dgamma[:] = (dy * norm.centred).sum(axis=0) * norm.inverse_std
        return dy * (norm.gamma * norm.inverse_std)

    for block in network.blocks:
        if isinstance(block, BatchNorm):
            vars(block)["backward"] = partial(backward, block)
