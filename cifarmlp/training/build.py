"""Build trainings from configs: network, optimiser, schedule and images.

A new kind of schedule, optimiser or loss is one line in a table here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from cifarmlp.config import Config, LossConfig, NetworkConfig
from cifarmlp.data import (
    Augmentation,
    Dataset,
    Split,
    redraw_labels,
    scaling_statistics,
    split_by_count,
    split_by_files,
)
from cifarmlp.nn import (
    SGD,
    Adam,
    Float,
    Loss,
    Network,
    Optimiser,
    Schedule,
    constant,
    cosine,
    cyclic,
    one_cycle,
)
from cifarmlp.nn.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from cifarmlp.nn.block import Block
from cifarmlp.nn.inits import Init
from cifarmlp.nn.layers import BatchNorm
from cifarmlp.nn.losses import (
    binary_cross_entropy,
    hinge,
    of_each,
    smoothed_cross_entropy,
    softmax_cross_entropy,
)
from cifarmlp.nn.network import HiddenBlocks
from cifarmlp.training.average import MovingAverage, model_views
from cifarmlp.training.batches import count_batches
from cifarmlp.training.best import Best
from cifarmlp.training.loop import Training

VALIDATION, LABEL_NOISE = 7, 8  # purposes of generators

# By kind. A schedule is built of the first member's config, its rates by name, (K,) each, and steps an epoch.
SCHEDULES: dict[str, Callable[[Any, Mapping[str, Float], int], Schedule]] = {
    "cyclic": lambda config, rates, epoch: cyclic(rates["eta_min"], rates["eta_max"], config.n_s),
    "constant": lambda config, rates, epoch: constant(
        rates["eta"], config.decay, config.decay_every * epoch
    ),
    "cosine": lambda config, rates, epoch: cosine(
        rates["eta"], config.steps(epoch), rates["eta_min"], config.warmup_epochs * epoch
    ),
    "one_cycle": lambda config, rates, epoch: one_cycle(
        rates["eta_max"], config.steps(epoch), config.rise, config.div_factor, config.final_div_factor,
        config.shape,
    ),
}  # fmt: skip
OPTIMISERS: dict[str, Callable[[Network, Any], Optimiser]] = {
    "sgd": lambda network, config: SGD(network),
    "momentum": lambda network, config: SGD(network, config.rho),
    "nesterov": lambda network, config: SGD(network, config.rho, nesterov=True),
    "adam": lambda network, config: Adam(network, config.beta1, config.beta2, config.eps),
    "adamw": lambda network, config: Adam(network, config.beta1, config.beta2, config.eps, decoupled=True),
}
LOSSES: dict[str, Callable[[Any], Loss]] = {
    "cross_entropy": lambda config: (
        smoothed_cross_entropy(config.label_smoothing) if config.label_smoothing else softmax_cross_entropy
    ),
    "hinge": lambda config: hinge,
    "binary_cross_entropy": lambda config: binary_cross_entropy,
}
ACTIVATIONS: dict[str, Callable[..., Block]] = {  # with its slope or alpha, if it has one
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
}


def build_training(
    configs: Sequence[Config],
    images: Split,
    dtype: type[np.floating] = np.float32,
    statistics: Sequence[Float] | None = None,
    apart: bool = False,
) -> Training:
    """Return the training of K configs in lockstep, one member each.

    They may differ in seed (of the weights), init, lambda and the rates of the schedule; everything else,
    and the order of the mini-batches, is the first one's. statistics: mean and standard deviation of the
    pixels, (3072,) each, in place of those that `data.scaling` takes of the training images. apart: to the
    bits that each has alone, where the seeds are one; see `Linear`.
    """
    first, optimiser = configs[0], configs[0].training.optimiser
    settings, epoch = first.training, steps_per_epoch(first, images)
    network = Network(
        sizes=[images.train.pixels.shape[1], *first.network.hidden, 10],
        generators=[np.random.default_rng([config.seed, 0]) for config in configs],
        inits=[_init(config) for config in configs],
        batch_norm=batch_norm_of(first.network),
        dtype=dtype,
        hidden=hidden_blocks(first.network, [config.seed for config in configs]),
        apart=apart,
    )
    loss = build_loss(settings.loss)
    data, augment = first.data, first.data.augment
    train = redraw_labels(images.train, data.label_noise, np.random.default_rng([first.seed, LABEL_NOISE]))
    mean, std = statistics or scaling_statistics(train.pixels, data.scaling)
    return Training(
        network=network,
        optimiser=OPTIMISERS[optimiser.kind](network, optimiser),
        loss=of_each(loss) if apart else loss,
        schedule=build_schedule(configs, epoch),
        lam=np.array([config.training.lam for config in configs]),
        train=train,
        validation=images.validation,
        mean=mean,
        std=std,
        steps=total_steps(first, images),
        batch_size=settings.batch_size,
        order_seed=first.seed,
        keep_last_batch=data.last_batch == "keep",
        augmentation=Augmentation(**augment.model_dump()) if augment else None,
        evaluate_every=settings.evaluation_interval(epoch),
        evaluate_images=settings.evaluate_images,
        test=images.test if settings.evaluate_test else None,
        average=MovingAverage(network, settings.average) if settings.average else None,
        best=_best(first, network),
        snapshot_every=settings.cycle if settings.snapshots else None,
        name=first.name,
    )


def _best(config: Config, network: Network) -> Best | None:
    keeps, patience = config.training.keep == "best", config.training.patience
    return Best(network, keeps, patience) if keeps or patience else None


def steps_per_epoch(config: Config, images: Split) -> int:
    """Return the number of mini-batches in the training set."""
    return count_batches(len(images.train), config.training.batch_size, config.data.last_batch == "keep")


def total_steps(config: Config, images: Split) -> int:
    """Return `training.steps`, or else the length of the schedule."""
    if config.training.steps is not None:
        return config.training.steps
    return config.training.schedule.steps(steps_per_epoch(config, images))


def build_schedule(configs: Sequence[Config], epoch: int) -> Schedule:
    """Return the schedule step -> eta (K,) of K configs, for `epoch` steps an epoch."""
    schedules = [config.training.schedule for config in configs]
    first = schedules[0]
    rates = {name: np.array([getattr(schedule, name) for schedule in schedules]) for name in first.rates}
    return SCHEDULES[first.kind](first, rates, epoch)


def eta_by_step(schedule: Schedule, last_step: float, points: int) -> dict[int, float]:
    """Return the first member's eta at up to `points` steps from 0 to `last_step`, for a plot.

    >>> eta_by_step(cyclic(0.0, 1.0, n_s=4), last_step=8, points=5)
    {0: 0.0, 2: 0.5, 4: 1.0, 6: 0.5, 8: 0.0}
    """
    steps = np.unique(np.linspace(0, last_step, points).astype(int))
    return {int(step): float(np.ravel(schedule(int(step)))[0]) for step in steps}


def build_loss(config: LossConfig) -> Loss:
    """Return the loss that a config names."""
    return LOSSES[config.kind](config)


def batch_norm_of(network: NetworkConfig) -> tuple[float, float] | None:
    """Return batch norm's eps and momentum, or None if there is none."""
    norm = network.batch_norm
    return (norm.eps, norm.momentum) if norm else None


def hidden_blocks(network: NetworkConfig, seeds: Sequence[int]) -> HiddenBlocks:
    """Return the blocks around batch norm; seeds: of the masks of dropout, one a member."""
    activation, number = ACTIVATIONS[network.activation.kind], network.activation.number
    return HiddenBlocks(
        activation=activation if number is None else partial(activation, number),
        norm_first=network.batch_norm is None or network.batch_norm.position == "before",
        dropout=network.dropout.rates(len(network.hidden)),
        seeds=seeds,
    )


def _init(config: Config) -> Init:
    init = config.network.init
    return (init.hidden.spread, init.output.spread) if init.hidden and init.output else init.spread


def split_images(config: Config, dataset: Dataset) -> Split:
    """Return the images of a dataset in the split of the config, with the labels that they came with.

    Raises ConfigError where the dataset has too few.
    """
    data = config.data
    if data.train_batches and data.validation_batches:
        parts = split_by_files(dataset, data.train_batches, data.validation_batches)
    else:
        rng = np.random.default_rng([config.seed, VALIDATION])
        parts = split_by_count(dataset, data.validation or 0, data.validation_from or "last", rng)
    return parts.first(data.train_images, data.test_images)


def model_arrays(training: Training, member: int = 0) -> dict[str, Float]:
    """Return the arrays of model.npz, float32: parameters and running averages, pixel statistics, and the
    eps () of batch norm, where there is batch norm.

    They are of the network to keep, see `Training.kept`.
    """
    return network_arrays(training, training.kept[0], member)


def network_arrays(training: Training, network: Network, member: int = 0) -> dict[str, Float]:
    """Return the arrays of model.npz with a network of this training."""
    members = {name: _one_nan(array[member]) for name, array in model_views(network).items()}
    return {**members, "pixel_mean": training.mean, "pixel_std": training.std, **_eps(network)}


def _one_nan(array: Float) -> Float:
    """Return a copy in float32 with one kind of nan: a nan's sign says nothing but how it was computed."""
    array = np.array(array, np.float32)
    array[np.isnan(array)] = np.nan
    return array


def _eps(network: Network) -> dict[str, Float]:
    """Return the eps of batch norm, one for all layers, as an array (); none without batch norm."""
    norms = [block for block in network.blocks if isinstance(block, BatchNorm)]
    return {"eps": np.asarray(norms[0].eps, np.float32)} if norms else {}


def training_from_model(config: Config, images: Split, model: Mapping[str, Float]) -> Training:
    """Return a training whose network has the arrays of a model.npz, to evaluate it.

    A model from before eps stood in it has the config's. Raises ValueError if an array is missing, not of
    this network, or of another shape or type, or if eps is another one than the config's.
    """
    pixels, plain = images.train.pixels.shape[1], {"average": None, "keep": "last", "patience": None}
    config = config.model_copy(update={"training": config.training.model_copy(update=plain)})
    training = build_training([config], images, statistics=[np.zeros(pixels, np.float32)] * 2)
    eps = _eps(training.network)
    expected = {name: _kind(array) for name, array in model_arrays(training).items()}
    there = {name: _kind(array) for name, array in {**eps, **model}.items()}
    for name in {**expected, **there}:
        if expected.get(name) != there.get(name):
            raise ValueError(f"{name} is {there.get(name, 'missing')}, not {expected.get(name, 'there')}")
    if eps and model.get("eps", eps["eps"]) != eps["eps"]:
        raise ValueError(f"eps is {model['eps']:g}, not {eps['eps']:g}")
    for name, view in model_views(training.network).items():
        view[0] = model[name]
    training.mean, training.std = model["pixel_mean"], model["pixel_std"]
    return training


def _kind(array: Float) -> str:
    return f"{array.dtype} {array.shape}"
