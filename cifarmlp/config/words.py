"""A config in words, for people who read a report and not its YAML."""

from collections.abc import Sequence

from cifarmlp.config.network_section import BatchNormConfig
from cifarmlp.config.schema import Config
from cifarmlp.config.training_section import EverySteps


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
        "learning rate": training.schedule.in_words(),
        "mini-batches": f"{training.batch_size} images, {training.optimiser.in_words()}",
        **steps,
        **({"evaluation": words} if (words := evaluation(config)) else {}),
    }


def network(config: Config) -> str:
    """Return words such as `3 layers (50-50), batch norm, He`."""
    hidden, init = config.network.hidden, config.network.init
    layers = f"{len(hidden) + 1} layers ({'-'.join(map(str, hidden))})" if hidden else "linear classifier"
    weights = init.kind.capitalize() if init.sigma is None else f"sigma {init.sigma:g}"
    return f"{layers}{_batch_norm(config)}, {weights}"


def _batch_norm(config: Config) -> str:
    norm = config.network.batch_norm
    if norm is None or norm == BatchNormConfig():
        return ", batch norm" if norm else ""
    return f", batch norm (eps {norm.eps:g}, momentum {norm.momentum:g})"


def images(config: Config) -> str:
    """Return the source of the images, and those for validation."""
    source = {"cifar10": "CIFAR-10", "synthetic": "synthetic images"}[config.data.source]
    if config.data.validation == 0:
        return f"{source}, no validation images"
    if config.data.validation is not None:
        return f"{source}, the last {config.data.validation} training images for validation"
    train, validation = config.data.train_batches or (), config.data.validation_batches or ()
    return f"{source}, {_files(train)} for training, {_files(validation)} for validation"


def evaluation(config: Config) -> str:
    """Return words for when the network is evaluated and which parameters are kept; none for the defaults."""
    training, every = config.training, config.training.evaluate_every
    words = [
        f"every {every.steps} steps" if isinstance(every, EverySteps) else "",
        "the test images looked at on the way" if training.evaluate_test else "",
        "kept: the parameters with the best validation accuracy" if training.keep == "best" else "",
        f"ends after {training.patience} without a better validation accuracy" if training.patience else "",
        f"moving average of the parameters, {training.average:g}" if training.average else "",
        "the model of each cycle kept, too" if training.snapshots else "",
    ]
    return "; ".join(word for word in words if word)


def _files(numbers: tuple[int, ...]) -> str:
    return f"file{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


def in_short(config: Config) -> str:
    """Return a few words: `50-50, batch norm, lambda 0.005, eta 1e-05 to 0.1`."""
    network, training, init = config.network, config.training, config.network.init
    words = [
        _widths(network.hidden),
        "batch norm" if network.batch_norm else "",
        "" if init.kind == "he" else init.kind if init.sigma is None else f"sigma {init.sigma:g}",
        f"lambda {training.lam:g}" if training.lam else "",
        training.optimiser.in_short(),
        training.schedule.in_short(),
        "synthetic" if config.data.source == "synthetic" else "",
    ]
    return ", ".join(word for word in words if word)


def _widths(hidden: Sequence[int]) -> str:
    if len(hidden) > 8:
        return f"{'-'.join(map(str, hidden[:3]))}-…-{hidden[-1]} ({len(hidden)} hidden)"
    return "-".join(map(str, hidden)) or "linear"
