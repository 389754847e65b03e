"""A config in words, for people who read a report and not its YAML."""

from collections.abc import Sequence

from cifarmlp.config.schema import Config
from cifarmlp.config.sections import BatchNormConfig, ConstantConfig


def describe(config: Config) -> dict[str, str]:
    """What was trained on what, and how."""
    training, rho = config.training, config.training.optimiser.rho
    optimiser = "plain SGD" if rho is None else f"SGD with momentum, rho {rho:g}"
    steps = (
        {} if training.steps is None else {"steps": f"{training.steps}, whatever the learning rate's length"}
    )
    return {
        "network": network(config),
        "images": images(config),
        "lambda (L2)": f"{training.lam:g}",
        "learning rate": learning_rate(config),
        "mini-batches": f"{training.batch_size} images, {optimiser}",
        **steps,
    }


def network(config: Config) -> str:
    """Such as `3 layers (50-50), batch norm, He`."""
    hidden, init = config.network.hidden, config.network.init
    layers = f"{len(hidden) + 1} layers ({'-'.join(map(str, hidden))})" if hidden else "linear classifier"
    drawn = init.kind.capitalize() if init.sigma is None else f"sigma {init.sigma:g}"
    return f"{layers}{_batch_norm(config)}, {drawn}"


def _batch_norm(config: Config) -> str:
    norm = config.network.batch_norm
    if norm is None or norm == BatchNormConfig():
        return ", batch norm" if norm else ""
    return f", batch norm (eps {norm.eps:g}, momentum {norm.momentum:g})"


def images(config: Config) -> str:
    """Which, and how many are for validation."""
    source = {"cifar10": "CIFAR-10", "synthetic": "synthetic images"}[config.data.source]
    if config.data.validation is not None:
        return f"{source}, the last {config.data.validation} training images for validation"
    train, validation = config.data.train_batches or (), config.data.validation_batches or ()
    return f"{source}, {_files(train)} for training, {_files(validation)} for validation"


def _files(numbers: tuple[int, ...]) -> str:
    return f"file{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


def learning_rate(config: Config) -> str:
    """The schedule."""
    schedule = config.training.schedule
    if isinstance(schedule, ConstantConfig):
        decay = f", times {schedule.decay:g} after each epoch" if schedule.decay != 1 else ""
        return f"constant, eta {schedule.eta:g}{decay}, {schedule.epochs} epochs"
    span = f"eta {schedule.eta_min:g} to {schedule.eta_max:g}, n_s {schedule.n_s}"
    return f"cyclic, {span}, {schedule.cycles} cycle{'s' * (schedule.cycles > 1)}"


def in_short(config: Config) -> str:
    """A config in a few words: `50-50, batch norm, lambda 0.005, eta 1e-05 to 0.1`."""
    network, training, schedule = config.network, config.training, config.training.schedule
    init, rho = network.init, training.optimiser.rho
    words = [
        _widths(network.hidden),
        "batch norm" if network.batch_norm else "",
        "" if init.kind == "he" else init.kind if init.sigma is None else f"sigma {init.sigma:g}",
        f"lambda {training.lam:g}" if training.lam else "",
        f"momentum {rho:g}" if rho is not None else "",
        f"eta {schedule.eta:g}"
        if schedule.kind == "constant"
        else f"eta {schedule.eta_min:g} to {schedule.eta_max:g}",
        "synthetic" if config.data.source == "synthetic" else "",
    ]
    return ", ".join(word for word in words if word)


def _widths(hidden: Sequence[int]) -> str:
    if len(hidden) > 8:
        return f"{'-'.join(map(str, hidden[:3]))}-…-{hidden[-1]} ({len(hidden)} hidden)"
    return "-".join(map(str, hidden)) or "linear"
