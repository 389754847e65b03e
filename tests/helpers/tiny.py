"""A training of a second or less that leaves whole run folders, and what two of them have to agree in."""

import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from cifarmlp.config import Config, find_config, load_config
from cifarmlp.data import Dataset, Images
from cifarmlp.training import seeds as seeds_

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
    """Brighter and darker images of ten levels, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n).astype(np.uint8)
    noise = rng.integers(0, 40, (n, 3072))
    return Images((15 * labels[:, None] + noise).astype(np.uint8), labels)


def dataset(*_: object, **__: object) -> Dataset:
    """400 training and 100 test images; can stand in for `data.load`."""
    names = tuple("abcdefghij")
    return Dataset(images(400, 1), images(100, 2), names, "synthetic", "of 400", False, "", "none")


def config(*settings: str) -> Config:
    """80 steps of a small network, 15 an epoch, but for what is set otherwise."""
    return load_config(find_config("quickstart"), [*SETTINGS, *settings])


class Figure:
    """Stands for the curves, which take longer to draw than a tiny training takes; about as large."""

    def savefig(self, file: io.BytesIO, **_: object) -> None:
        file.write(b"a picture" * 8000)


def results(folder: Path) -> dict[str, Any]:
    """What two trainings must have in common, to the bit."""
    result = json.loads((folder / "result.json").read_text())
    alike = {name: value for name, value in result.items() if name not in TIMES}
    return {"result": alike, **{name: (folder / name).read_bytes() for name in ("model.npz", "metrics.csv")}}


def trained(out: Path, name: str, *settings: str, seeds: int = 1) -> Path:
    """The folder of a training, or of one repeated, but for the picture of its curves."""
    begun = seeds_.claim_repeats(config(f"name={name}", *settings), seeds, out)
    with mock.patch("cifarmlp.training.run._draw"):
        seeds_.train_seeds(begun, dataset(), None, threads=1)
    return begun.folder
