"""Configs become populations: the networks, schedules and images of a training."""

from collections.abc import Mapping, Sequence

import numpy as np

from cifarmlp.config import Config, ConstantConfig
from cifarmlp.data import Dataset, Split, pixel_statistics, split
from cifarmlp.nn.network import Network
from cifarmlp.nn.optimisers import SGD
from cifarmlp.nn.schedules import Schedule, constant, cyclic
from cifarmlp.nn.types import Float
from cifarmlp.training.loop import Training


def build_training(
    configs: Sequence[Config],
    images: Split,
    dtype: type[np.floating] = np.float32,
    statistics: Sequence[Float] | None = None,
) -> Training:
    """The training of K configs in lockstep, one member each.

    They may differ in seed (of the weights), init, lambda and the rates; everything else, and the order of
    the mini-batches, is the first one's. statistics: mean and standard deviation of the pixels, (3072,)
    each, where they are not to be those of the training images.
    """
    first, norm = configs[0], configs[0].network.batch_norm
    sizes = [images.train.pixels.shape[1], *first.network.hidden, 10]
    generators = [np.random.default_rng([config.seed, 0]) for config in configs]
    network = Network(
        sizes, generators, [_init(c) for c in configs], (norm.eps, norm.momentum) if norm else None, dtype
    )
    mean, std = statistics or pixel_statistics(images.train.pixels)
    return Training(
        network=network,
        optimiser=SGD(network, first.training.optimiser.rho or 0.0),
        schedule=build_schedule(configs, steps_per_epoch(first, images)),
        lam=np.array([config.training.lam for config in configs]),
        train=images.train,
        validation=images.validation,
        mean=mean,
        std=std,
        steps=total_steps(first, images),
        batch_size=first.training.batch_size,
        order_seed=first.seed,
        evaluate_every=first.training.evaluate_every,
        evaluate_images=first.training.evaluate_images,
    )


def steps_per_epoch(config: Config, images: Split) -> int:
    """Whole mini-batches in the training set."""
    return len(images.train) // config.training.batch_size


def total_steps(config: Config, images: Split) -> int:
    """`training.steps` where given, else the length of the schedule."""
    schedule = config.training.schedule
    if config.training.steps is not None:
        return config.training.steps
    if isinstance(schedule, ConstantConfig):
        return schedule.epochs * steps_per_epoch(config, images)
    return 2 * schedule.n_s * schedule.cycles


def build_schedule(configs: Sequence[Config], epoch: int) -> Schedule:
    """step -> eta (K,), for `epoch` steps an epoch."""
    schedules = [config.training.schedule for config in configs]
    first = schedules[0]

    def rates(name: str) -> Float:
        return np.array([getattr(schedule, name) for schedule in schedules])

    if isinstance(first, ConstantConfig):
        return constant(rates("eta"), first.decay, epoch)
    return cyclic(rates("eta_min"), rates("eta_max"), first.n_s)


def _init(config: Config) -> str | float:
    init = config.network.init
    return init.kind if init.sigma is None else init.sigma


def split_images(config: Config, dataset: Dataset) -> Split:
    """The split that the config asks for."""
    data = config.data
    return split(dataset, data.validation, data.train_batches, data.validation_batches)


def model_arrays(training: Training, member: int = 0) -> dict[str, Float]:
    """The arrays of model.npz, float32: parameters and running averages by name, and the pixel statistics."""
    network = training.network
    arrays = {**network.parameters(), **network.running_averages()}
    members = {name: np.ascontiguousarray(array[member], np.float32) for name, array in arrays.items()}
    return {**members, "pixel_mean": training.mean, "pixel_std": training.std}


def training_from_model(config: Config, images: Split, model: Mapping[str, Float]) -> Training:
    """The training whose network has the arrays of a model.npz, to evaluate it.

    Raises ValueError where they are not those of such a network, by name, shape and type.
    """
    pixels = images.train.pixels.shape[1]
    training = build_training([config], images, statistics=[np.zeros(pixels, np.float32)] * 2)
    wanted = {name: _kind(array) for name, array in model_arrays(training).items()}
    there = {name: _kind(array) for name, array in model.items()}
    for name in {**wanted, **there}:
        if wanted.get(name) != there.get(name):
            raise ValueError(f"{name} is {there.get(name, 'missing')}, not {wanted.get(name, 'there')}")
    for name, view in {**training.network.parameters(), **training.network.running_averages()}.items():
        view[0] = model[name]
    training.mean, training.std = model["pixel_mean"], model["pixel_std"]
    return training


def _kind(array: Float) -> str:
    return f"{array.dtype} {array.shape}"
