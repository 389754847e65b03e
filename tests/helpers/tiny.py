"""Trainings of a second or less that leave complete run folders, and their results."""

import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from cifarmlp.config import Config, find_config, load_config
from cifarmlp.data import Dataset, Images

SETTINGS = [
    "network.hidden=[8, 6]",
    "data.validation=100",
    "training.batch_size=20",
    "training.lambda=0.5",  # so large that the scale of the first weights is folded on the way
    "training.schedule={kind: cyclic, eta_min: 1.0e-5, eta_max: 0.1, n_s: 20, cycles: 2}",
]
STEPS, EPOCH = 80, 15
TIMES = ("seconds", "steps_per_second")


def images(n: int, seed: int) -> Images:
    """Noise, and ten levels of brightness as classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n).astype(np.uint8)
    noise = rng.integers(0, 40, (n, 3072))
    return Images((15 * labels[:, None] + noise).astype(np.uint8), labels)


def dataset(*_: object, **__: object) -> Dataset:
    """Return 400 training and 100 test images; a stand-in for `data.load`."""
    names = tuple("abcdefghij")
    return Dataset(images(400, 1), images(100, 2), names, "synthetic", "of 400", False, "", "none")


def config(*settings: str) -> Config:
    """Return a config of a small network, by default 80 steps, 15 an epoch."""
    return load_config(find_config("quickstart"), [*SETTINGS, *settings])


def train_into(folder: Path, config: Config, dataset: Dataset, *args: Any, **options: Any) -> Any:
    """Train one config alone, in its run folder; return its outcome."""
    from cifarmlp.training import run  # after `small` has changed what it imports

    (outcome,) = run.train_into({folder: config}, dataset, *args, **options)
    return outcome


class Figure:
    """A stand-in for curves, which take longer to draw than to train for; its file is about as large."""

    def savefig(self, file: io.BytesIO, **_: object) -> None:
        file.write(b"a picture" * 8000)


def results(folder: Path) -> dict[str, Any]:
    """Return what must be the same of two runs that are the same, to the bit: all results but times."""
    result = json.loads((folder / "result.json").read_text())
    alike = {name: value for name, value in result.items() if name not in TIMES}
    return {"result": alike, **{name: (folder / name).read_bytes() for name in ("model.npz", "metrics.csv")}}


def trained(out: Path, name: str, *settings: str, seeds: int = 1) -> Path:
    """Train one seed or several, and return the folder; curves are not drawn."""
    from cifarmlp.training.seeds import (  # after `small` has changed what they import
        claim_repeats,
        train_seeds,
    )

    repeats = claim_repeats(config(f"name={name}", *settings), seeds, out)
    with mock.patch("cifarmlp.training.run._draw"), mock.patch("cifarmlp.training.seeds.write_curves"):
        train_seeds([(repeats, dataset())], None, threads=1)
    return repeats.folder
