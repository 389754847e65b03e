"""What successive halving loses: coarse searches in full, and what they would have found with halving.

    python benchmarks/halving.py [--config report-2/search] [--seeds N] [--keep SHARE...]

Each seed is a coarse search of its own: other draws, weights and orders of the images. All trainings go on
to the end, and the accuracies at the end of the first of two cycles are noted. Who would have stayed in each
population follows from these, and how they would have ended is known: a training's numbers are, up to
rounding, the same in a smaller population. "Lost": the best trial's validation accuracy in full, less that
with halving.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from cifarmlp import parallel
from cifarmlp.config import Config, find_config, load_config, override_with
from cifarmlp.data import load
from cifarmlp.search.plan import populations_to_train, prepare_search
from cifarmlp.search.populations import Member
from cifarmlp.stats import accuracy_error
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import CHUNK, Metrics
from cifarmlp.training.machine import describe_machine
from cifarmlp.training.threads import BlasThreads
from cifarmlp.training.together import share_that_stays

Population = tuple[Metrics, Metrics]  # on the validation images, at the first cycle's end and at the last's


def train(members: Sequence[Member]) -> Population:
    """Train a population in full, in one thread of BLAS, as a search does."""
    configs = [member.config for member in members]
    cycle = configs[0].training.cycle
    training = build_training(configs, split_images(configs[0], load(configs[0].data.source)))
    training.evaluate_every, training.evaluate_images = cycle, CHUNK
    BlasThreads(1, training.network.sizes, training.batch_size, CHUNK)
    with np.errstate(all="ignore"):
        ends = [record.validation for record in training.records() if record.step in (cycle, 2 * cycle)]
    return ends[0], ends[1]


def search(config: Config) -> list[Population]:
    """Make one coarse search on all cores."""
    populations = populations_to_train(prepare_search(config, ["coarse"]), "coarse")
    return [ends for _, ends in parallel.map_unordered(train, populations, parallel.cores())]


def best(populations: Sequence[Population], keep: float) -> float:
    """Return the validation accuracy of the best trial at the end, of those that would have stayed."""
    return float(max(np.nanmax(end.accuracy[share_that_stays(cut, keep)]) for cut, end in populations))


def share_of_steps(populations: Sequence[Population], keep: float) -> float:
    """Return the share of the steps that would have been made."""
    stay = sum(len(share_that_stays(cut, keep)) for cut, _ in populations)
    return (1 + stay / sum(len(cut.accuracy) for cut, _ in populations)) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="report-2/search", help="with two cycles and a coarse stage")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--keep", type=float, nargs="+", default=[0.5, 0.2])
    options = parser.parse_args()
    config = load_config(find_config(options.config))
    searches = {}
    for seed in range(1, options.seeds + 1):
        searches[seed] = search(override_with(config, {"seed": seed}))
        of_keeps = ", ".join(f"{keep}: {best(searches[seed], keep):.4f}" for keep in (1.0, *options.keep))
        print(f"seed {seed}: best, keep {of_keeps}", file=sys.stderr, flush=True)
    report(searches, options.keep, accuracy_error(config.data.validation))


def report(searches: dict[int, list[Population]], keeps: Sequence[float], error: float) -> None:
    """Print what each seed's search lost, and how many lost no more than a standard error."""
    rows = [
        [seed, best(each, 1.0), *(best(each, 1.0) - best(each, keep) for keep in keeps)]
        for seed, each in searches.items()
    ]
    print(tabulate(rows, ["seed", "best in full", *(f"lost, keep {keep}" for keep in keeps)], floatfmt=".4f"))
    for keep in keeps:
        steps = np.mean([share_of_steps(each, keep) for each in searches.values()])
        within = sum(best(each, 1.0) - best(each, keep) <= error for each in searches.values())
        print(f"keep {keep}: {steps:.0%} of the steps; {within} of {len(rows)} lost at most {error:.4f}")
    print(describe_machine())


if __name__ == "__main__":
    main()
