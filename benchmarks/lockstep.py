"""What lockstep saves: µs a step of a training alone, and a training's share of a step of several together.

    python benchmarks/lockstep.py [CONFIG...] [--rounds N] [--steps N] [--members K...]

They take turns in one process with one BLAS thread, on the config's images, standardised once, as far as a
third of the free memory is enough. The trainings differ in the standard deviation of the initial weights, as
those of report 2's figures 5 to 16. Together they have the bits of each alone (`tests/training`).
"""

import argparse
import time

import numpy as np
from tabulate import tabulate

from cifarmlp.config import Config, find_config, load_config, override_with
from cifarmlp.data import fill_room, load
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import CHUNK, Training
from cifarmlp.training.machine import describe_machine
from cifarmlp.training.rooms import OWN, room_of
from cifarmlp.training.threads import BlasThreads

CONFIGS = [f"report-2/figure-{n}" for n in range(1, 5)]


def trainings(config: Config, members: list[int]) -> list[Training]:
    """Return a training of each number of members; they share the standardised images."""
    dataset = load(config.data.source)
    images = split_images(config, dataset)
    sigmas = np.linspace(0.01, 0.03, max(members))
    configs = [override_with(config, {"network": {"init": {"sigma": float(sigma)}}}) for sigma in sigmas]
    every = [build_training(configs[:k], images, apart=True) for k in members]
    room = room_of(OWN, dataset, images.train)
    if room:
        fill_room(room, every[0].mean, every[0].std)
    for training in every:
        training.room, training.steps = room, 10**9
    BlasThreads(1, every[0].network.sizes, every[0].batch_size, CHUNK)
    return every


@np.errstate(all="ignore")
def microseconds(training: Training, steps: int) -> float:
    """Return the time of a step divided by the members."""
    end, start = training.step + steps, time.perf_counter()
    training.run_until(lambda: training.step >= end)
    return (time.perf_counter() - start) / steps / training.network.members * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="*", default=CONFIGS, metavar="CONFIG")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 2, 4, 8])
    options = parser.parse_args()
    rows = []
    for name in options.configs:
        every = trainings(load_config(find_config(name)), options.members)
        rounds = [[microseconds(each, options.steps) for each in every] for _ in range(options.rounds)]
        rows.append([name, *(f"{median:.0f}" for median in np.median(rounds, axis=0))])
    headers = ["µs a step of one training", *(f"K = {k}" for k in options.members)]
    print(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))
    print(f"\nmedians of {options.rounds} rounds of {options.steps} steps; {describe_machine()}")


if __name__ == "__main__":
    main()
