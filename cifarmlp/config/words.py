"""A config in words, for people who read a report and not its YAML."""

from collections.abc import Sequence

from cifarmlp.config.network_section import BatchNormConfig, NetworkConfig
from cifarmlp.config.schema import Config


def describe(config: Config) -> dict[str, str]:
    """Return the network, the images and the training in words, by the row of a report's table."""
    training = config.training
    steps = (
        {} if training.steps is None else {"steps": f"{training.steps}, whatever the learning rate's length"}
    )
    return {
        "network": network(config),
        "images": images(config),
        "lambda (L2)": f"{training.lam:g}",
        **({"loss": words} if (words := training.loss.in_words()) else {}),
        "learning rate": training.schedule.in_words(),
        "mini-batches": f"{training.batch_size} images, {training.optimiser.in_words()}",
        **steps,
    }


def network(config: Config) -> str:
    """Return words such as `3 layers (50-50), batch norm, He`."""
    network, hidden = config.network, config.network.hidden
    layers = f"{len(hidden) + 1} layers ({'-'.join(map(str, hidden))})" if hidden else "linear classifier"
    others = (network.activation.in_short(), network.dropout.in_short(), network.init.in_words())
    return ", ".join([layers + norm_in_words(network), *(words for words in others if words)])


def norm_in_words(network: NetworkConfig) -> str:
    """Return words such as `, batch norm (eps 1e-05, momentum 0.9)`, or none if there is no batch norm."""
    norm, default = network.batch_norm, BatchNormConfig()
    if norm is None or norm == default:
        return ", batch norm" if norm else ""
    words = [
        "after the activation" if norm.position == "after" else "",
        "" if (norm.eps, norm.momentum) == (default.eps, default.momentum)
        else f"eps {norm.eps:g}, momentum {norm.momentum:g}",
    ]  # fmt: skip
    return f", batch norm ({', '.join(word for word in words if word)})"


def images(config: Config) -> str:
    """Return the source of the images, and those for validation."""
    source = {"cifar10": "CIFAR-10", "synthetic": "synthetic images"}[config.data.source]
    if config.data.validation is not None:
        return f"{source}, the last {config.data.validation} training images for validation"
    train, validation = config.data.train_batches or (), config.data.validation_batches or ()
    return f"{source}, {_files(train)} for training, {_files(validation)} for validation"


def _files(numbers: tuple[int, ...]) -> str:
    return f"file{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


def in_short(config: Config) -> str:
    """Return a few words: `50-50, batch norm, lambda 0.005, eta 1e-05 to 0.1`."""
    network, training = config.network, config.training
    words = [
        _widths(network.hidden),
        network.activation.in_short(),
        _norm_in_short(config),
        network.dropout.in_short(),
        "" if network.init.kind == "he" else network.init.in_words().lower(),
        f"lambda {training.lam:g}" if training.lam else "",
        training.loss.in_short(),
        training.optimiser.in_short(),
        training.schedule.in_short(),
        "synthetic" if config.data.source == "synthetic" else "",
    ]
    return ", ".join(word for word in words if word)


def _norm_in_short(config: Config) -> str:
    norm = config.network.batch_norm
    return "" if norm is None else f"batch norm{' after' if norm.position == 'after' else ''}"


def _widths(hidden: Sequence[int]) -> str:
    if len(hidden) > 8:
        return f"{'-'.join(map(str, hidden[:3]))}-…-{hidden[-1]} ({len(hidden)} hidden)"
    return "-".join(map(str, hidden)) or "linear"
