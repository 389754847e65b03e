"""Check the gradients of networks on images, next to the numbers that a report printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cifarmlp.config import Config, LossConfig, NetworkConfig
from cifarmlp.config.losses import CrossEntropyConfig
from cifarmlp.config.words import norm_in_words
from cifarmlp.data import Dataset, pixel_statistics, standardiser
from cifarmlp.nn import Float, Network, check_gradients
from cifarmlp.nn.gradcheck import LIMIT, Difference, checkable_network
from cifarmlp.nn.layers import BatchNorm
from cifarmlp.training.build import batch_norm_of, build_loss, hidden_blocks

__all__ = ["LIMIT", "NetworkCheck", "check_of", "run_checks", "wrong_parameters"]
BATCH = 20
CROSS_ENTROPY = CrossEntropyConfig()
STATISTICS_OF = 10_000  # images; enough to put pixels on a scale of one, and quick


@dataclass(frozen=True)
class NetworkCheck:
    """A network to check, and a report's numbers for it: the measure, and its value by parameter.

    mistake: `constant statistics` takes a batch's mean and variance for constants in the backward pass.
    """

    network: NetworkConfig
    lam: float = 0.005
    loss: LossConfig = CROSS_ENTROPY
    measure: str = ""
    reported: dict[str, float] | None = None
    mistake: str | None = None

    @property
    def title(self) -> str:
        """Words such as `3 layers (50-30), batch norm, lambda 0.005`."""
        network, widths = self.network, "-".join(map(str, self.network.hidden))
        layers = f"{len(network.hidden) + 1} layers ({widths})" if widths else "linear classifier"
        norm = norm_in_words(network).removeprefix(", ") or "no batch norm"
        others = (network.activation.in_short(), network.dropout.in_short(), self.loss.in_words())
        return ", ".join([layers, norm, *(words for words in others if words), f"lambda {self.lam:g}"])

    @property
    def note(self) -> str:
        """A remark on initial weights that the check does not use, or nothing."""
        init = self.network.init
        if init.kind == "he":
            return ""
        return f"checked at He's initial weights, not at network.init ({init.in_words()})"


def check_of(config: Config) -> NetworkCheck:
    """Return the check of a config's network, with its lambda and loss."""
    return NetworkCheck(config.network, config.training.lam, config.training.loss)


def run_checks(
    checks: Sequence[NetworkCheck], dataset: Dataset, seed: int = 1
) -> Iterator[tuple[NetworkCheck, list[Difference]]]:
    """Check each network on the first images of the dataset, standardised."""
    mean, std = pixel_statistics(dataset.train.pixels[:STATISTICS_OF])
    x = np.empty((BATCH, dataset.train.pixels.shape[1]))
    standardiser(mean, std, np.float64)(dataset.train.pixels, np.arange(BATCH), x)
    for check in checks:
        rng = np.random.default_rng([seed, 2])
        blocks = hidden_blocks(check.network, seeds=[seed])
        sizes = [x.shape[1], *check.network.hidden, 10]
        network = checkable_network(sizes, batch_norm_of(check.network), rng, hidden=blocks)
        if check.mistake:
            _hold_statistics(network)
        labels, lam = dataset.train.labels[:BATCH], np.array([check.lam])
        yield check, check_gradients(network, build_loss(check.loss), x, labels, lam, rng)


def wrong_parameters(differences: Sequence[Difference]) -> list[str]:
    """Return the parameters whose gradient is wrong: a relative difference of LIMIT or more, or nan."""
    return [d.name for d in differences if not d.is_right]


def _hold_statistics(network: Network) -> None:
    """Make batch norm's backward pass dx = gamma / std dy, as if mean and variance were constants."""

    def backward(norm: BatchNorm, dy: Float) -> Float:
        norm.dbeta[:] = dy.sum(axis=0)
        norm.dgamma[:] = (dy * norm.centred).sum(axis=0) * norm.inverse_std
        return dy * (norm.gamma * norm.inverse_std)

    for block in network.blocks:
        if isinstance(block, BatchNorm):
            vars(block)["backward"] = partial(backward, block)
