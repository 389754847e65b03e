"""Time and memory of trainings, estimated from a few steps and an evaluation of each kind of network.

seconds = START + steps * a step + images evaluated * an image          of all members together

and WORKERS once, where they are trained in processes side by side.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

from cifarmlp.config import Config
from cifarmlp.config.types import TEST_IMAGES
from cifarmlp.data import Split, fill_room, private_room
from cifarmlp.training.build import build_training
from cifarmlp.training.cost import (
    check_memory,
    evaluations_of,
    images_an_evaluation,
    member_bytes,
    passes_of,
    process_bytes,
    random_images,
    steps_of,
)
from cifarmlp.training.lockstep import networks_of, without_extras
from cifarmlp.training.loop import CHUNK, Training
from cifarmlp.training.rooms import PAYS
from cifarmlp.training.threads import BlasThreads

START = 0.5  # seconds of a training before its first step: pixel statistics, weights, the environment
FOLDER = 1.0  # seconds for the files of a run folder, of which most is curves.png
WORKERS = 2.0  # seconds until processes side by side are at work: Python, NumPy and the images in each
LEAST, IMAGES = 0.3, 4 * CHUNK  # seconds of steps, and images, that are measured


@dataclass(frozen=True)
class Estimate:
    """Cost of several trainings: seconds in all, bytes in one process."""

    seconds: float
    bytes: float


@dataclass(frozen=True)
class Pace:
    """Seconds of a step and of an image evaluated, of all members of a population."""

    step: float
    image: float


def estimate(populations: Sequence[Sequence[Config]], jobs: int, in_folders: bool = False) -> Estimate:
    """Estimate the time and memory of populations, `jobs` at a time in as many processes.

    populations: the configs of each. in_folders: they are trainings that leave run folders, in lockstep, with
    evaluations on the way. Each kind of network is measured, for half a second, on random images.
    """
    if not populations:
        return Estimate(0.0, 0.0)
    threads = None if in_folders and jobs == 1 else 1
    measured = cache(lambda kind: measure_pace(populations[kinds.index(kind)], threads, in_folders))
    kinds = [_kind(configs) for configs in populations]
    totals = [
        _seconds(configs, measured(kind), in_folders)
        for configs, kind in zip(populations, kinds, strict=True)
    ]
    count = networks_of if in_folders else int
    largest = max(process_bytes(p[0]) + count(len(p)) * member_bytes(p[0]) for p in populations)
    return Estimate((jobs > 1) * WORKERS + max(sum(totals) / jobs, max(totals)), largest)


def _kind(configs: Sequence[Config]) -> tuple[object, ...]:
    """Return what the time of a step depends on."""
    first, training = configs[0], configs[0].training
    network = first.network.model_copy(update={"init": None})
    return (
        network, first.data.augment, training.batch_size, training.optimiser, training.loss,
        training.average, passes_of(first) >= PAYS, len(configs),
    )  # fmt: skip


def _seconds(configs: Sequence[Config], pace: Pace, in_folders: bool) -> float:
    config, start = configs[0], START
    images, validation = config.data.training_images, config.data.validation_images
    evaluated, test = images + validation, config.data.test_images or TEST_IMAGES
    if in_folders:
        each = images_an_evaluation(config) + validation + test * config.training.evaluate_test
        evaluated += (evaluations_of(config) - 1) * each + test
        start = len(configs) * (START + FOLDER)
    return start + steps_of(config) * pace.step + evaluated * pace.image


def measure_pace(configs: Sequence[Config], threads: int | None, in_folders: bool) -> Pace:
    """Measure a step and an evaluation of a population, after one of each, on random images.

    threads: of BLAS; None for as many as a training alone would use. in_folders: to the bits of each alone.
    Raises MemoryError as `check_memory`.
    """
    check_memory(configs[0], len(configs))
    images = random_images(max(IMAGES, configs[0].training.batch_size))
    split = Split(images, images, images)
    plain = [without_extras(config) for config in configs]
    training = replace(build_training(plain, split, apart=in_folders), steps=10**9)
    if passes_of(configs[0]) >= PAYS:
        training.room = private_room(images.pixels)
        fill_room(training.room, training.mean, training.std)
    with threadpool_limits(user_api="blas"):  # as it is now, to be restored
        BlasThreads(threads, training.network.sizes, training.batch_size, CHUNK)
        training.evaluate(images)
        step, start = _seconds_per_step(training), time.perf_counter()
        training.evaluate(images)
        return Pace(step, (time.perf_counter() - start) / len(images))


def _seconds_per_step(training: Training) -> float:
    times: list[float] = []

    def is_long_enough() -> bool:
        times.append(time.perf_counter())
        return len(times) > 4 and times[-1] - times[1] > LEAST

    training.run_until(is_long_enough)
    times.append(time.perf_counter())  # so that there are two, even if all diverge at once
    return float(np.median(np.diff(times)))
