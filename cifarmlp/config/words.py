"""A config in words, for people who read a report and not its YAML."""

from collections.abc import Iterable, Sequence

from cifarmlp.config.network_section import BatchNormConfig, NetworkConfig
from cifarmlp.config.schema import Config
from cifarmlp.config.training_section import EverySteps

SCALINGS = {
    "per_channel": "mean and standard deviation of each channel",
    "mean_image": "each pixel's mean subtracted",
    "unit": "divided by 255",
    "none": "none: pixels from 0 to 255",
}
FROM = {
    "last": "the last {} training images for validation",
    "random": "{} training images at random for validation",
    "stratified": "{} training images, by class, for validation",
}


def describe(config: Config) -> dict[str, str]:
    """Return the network, the images and the training in words, by the row of a report's table."""
    training = config.training
    steps = (
        {} if training.steps is None else {"steps": f"{training.steps}, whatever the learning rate's length"}
    )
    data = config.data
    changes = {
        "scaling": "" if data.scaling == "per_pixel" else SCALINGS[data.scaling],
        "augmentation": data.augment.in_words() if data.augment else "",
        "label noise": f"{data.label_noise:g} of the training labels redrawn" if data.label_noise else "",
    }
    last = ", the last of an epoch smaller" if data.last_batch == "keep" else ""
    return {
        "network": network(config),
        "images": images(config),
        **{row: words for row, words in changes.items() if words},
        "lambda (L2)": f"{training.lam:g}",
        **({"loss": words} if (words := training.loss.in_words()) else {}),
        "learning rate": training.schedule.in_words(),
        "mini-batches": f"{training.batch_size} images{last}, {training.optimiser.in_words()}",
        **steps,
        **({"evaluation": words} if (words := evaluation(config)) else {}),
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
    """Return the source of the images, and how many are for validation, training and test."""
    data = config.data
    source = {"cifar10": "CIFAR-10", "synthetic": "synthetic images"}[data.source]
    some = [(data.train_images, "training"), (data.test_images, "test")]
    firsts = [f"the first {count} for {part}" for count, part in some if count]
    return ", ".join([source, *_parts(config), *firsts])


def _parts(config: Config) -> list[str]:
    data = config.data
    if data.validation == 0:
        return ["none for validation"]
    if data.validation:
        return [FROM[data.validation_from or "last"].format(data.validation)]
    train, validation = data.train_batches or (), data.validation_batches or ()
    return [f"{_files(train)} for training", f"{_files(validation)} for validation"]


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


def loss(config: Config) -> str:
    """Return the loss with its unit, such as `cross-entropy, nats`; hinge has none."""
    words = config.training.loss.in_words() or "cross-entropy"
    return words if config.training.loss.kind == "hinge" else f"{words}, nats"


def loss_label(configs: Iterable[Config]) -> str:
    """Return the label of the losses of these trainings, for an axis: `loss (nats)`."""
    kinds = {loss(config): config.training.loss.kind for config in configs}
    if len(kinds) > 1:
        return "loss (of different kinds)"
    return "loss (hinge)" if "hinge" in kinds.values() else "loss (nats)"


def _files(numbers: tuple[int, ...]) -> str:
    return f"file{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


def in_short(config: Config) -> str:
    """Return a few words: `50-50, batch norm, lambda 0.005, eta 1e-05 to 0.1`."""
    network, training, data = config.network, config.training, config.data
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
        f"average {training.average:g}" if training.average else "",
        "best kept" if training.keep == "best" else "",
        "" if data.scaling == "per_pixel" else f"scaling {data.scaling}",
        data.augment.in_words() if data.augment else "",
        f"label noise {data.label_noise:g}" if data.label_noise else "",
        f"{data.train_images} images" if data.train_images else "",
        "synthetic" if data.source == "synthetic" else "",
    ]
    return ", ".join(word for word in words if word)


def _norm_in_short(config: Config) -> str:
    norm = config.network.batch_norm
    return "" if norm is None else f"batch norm{' after' if norm.position == 'after' else ''}"


def _widths(hidden: Sequence[int]) -> str:
    if len(hidden) > 8:
        return f"{'-'.join(map(str, hidden[:3]))}-…-{hidden[-1]} ({len(hidden)} hidden)"
    return "-".join(map(str, hidden)) or "linear"
