"""`gradcheck`: which networks are checked, on which images, and what the reports printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cifarmlp.config import Config
from cifarmlp.data import Dataset, pixel_statistics, standardiser
from cifarmlp.nn.gradcheck import Difference, check_gradients, checkable_network
from cifarmlp.nn.layers import BatchNorm
from cifarmlp.nn.network import Network
from cifarmlp.nn.types import Float

LIMIT = 1e-7
BATCH = 20
STATISTICS_OF = 10_000  # images; enough to put pixels on a scale of one, and quick


@dataclass(frozen=True)
class NetworkCheck:
    """A network to check, and what a report printed for it: the measure, and its value by parameter.

    mistake: `constant statistics` leaves out that a batch's mean and variance depend on its inputs.
    """

    hidden: tuple[int, ...]
    batch_norm: tuple[float, float] | None
    lam: float = 0.005
    measure: str = ""
    reported: dict[str, float] | None = None
    mistake: str | None = None

    @property
    def title(self) -> str:
        """Such as `3 layers (50-30), batch norm, lambda 0.005`."""
        widths = "-".join(str(width) for width in self.hidden) or "linear"
        norm = "batch norm" if self.batch_norm else "no batch norm"
        return f"{len(self.hidden) + 1} layers ({widths}), {norm}, lambda {self.lam:g}"


def check_of(config: Config) -> NetworkCheck:
    """The network of a config, with its lambda."""
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
        lam = np.array([check.lam])
        yield check, check_gradients(network, x, dataset.train.labels[:BATCH], lam, rng)


def wrong_parameters(differences: Sequence[Difference]) -> list[str]:
    """The parameters whose gradient is off: a relative difference of LIMIT or more, or nan."""
    return [d.name for d in differences if not d.worst < LIMIT]


def _hold_statistics(network: Network) -> None:
    """Let batch norm's backward pass be dx = gamma / std dy, as if mean and variance were given numbers."""

    def backward(norm: BatchNorm, dy: Float) -> Float:
        norm.dbeta[:] = dy.sum(axis=0)
        norm.dgamma[:] = (dy * norm.centred).sum(axis=0) * norm.inverse_std
        return dy * (norm.gamma * norm.inverse_std)

    for norm in network.norms:
        vars(norm)["backward"] = partial(backward, norm)
