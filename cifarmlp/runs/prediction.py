"""Predictions of a saved model: of pictures of one's own or of a part of the data, and as a sheet."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.data import Dataset, Picture, Pixels, class_names
from cifarmlp.errors import ConfigError
from cifarmlp.nn.types import Float
from cifarmlp.render.evaluation import draw_images
from cifarmlp.runs.evaluation import evaluate_seed
from cifarmlp.runs.folder import Seed
from cifarmlp.runs.model import outputs_of, pixel_rows
from cifarmlp.text import counted, escape

MOST_ON_SHEET = 50
RIGHT, WRONG, UNKNOWN = "#1f5fa8", "#b3400e", "black"  # distinct for the colour-blind
LONGEST_NAME = 18  # letters of a file's name on a sheet


@dataclass(frozen=True)
class Predictions:
    """A model's view of n images. of: what they are, in words.

    pixels: (n, 3072) uint8. outputs: (n, 10), see `model.probabilities`. names: of the ten classes. labels:
    (n,), or None where they are not known.
    """

    seed: Seed
    of: str
    names: tuple[str, ...]
    pixels: Pixels
    outputs: Float
    labels: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for a network that diverged, which predicts nothing."""
        if not np.isfinite(self.outputs).all():
            raise ConfigError(f"{escape(str(self.seed.folder))}: diverged: its outputs are not finite")

    def top(self, row: int, most: int = 1) -> list[tuple[str, float]]:
        """Return the classes of an image with the largest outputs, and those outputs, the largest first."""
        classes = np.argsort(-self.outputs[row], kind="stable")[:most]
        return [(self.names[k], float(self.outputs[row, k])) for k in classes]


def predict_pictures(seed: Seed, pictures: Sequence[Picture]) -> Predictions:
    """Predict the classes of pictures. Raises ConfigError if the network diverged, else as `Seed.predict`."""
    pixels = pixel_rows(np.stack([picture.pixels for picture in pictures]))
    names = class_names(seed.config.data.source)
    return Predictions(seed, counted(len(pictures), "picture"), names, pixels, seed.predict(pixels))


def predict_part(seed: Seed, dataset: Dataset, part: str) -> Predictions:
    """Predict the classes of a part of the data. Raises as `predict_pictures`."""
    found = evaluate_seed(seed, dataset, part)
    images, of = found.images, counted(len(found.images), f"{part} image")
    return Predictions(seed, of, dataset.names, images.pixels, found.probabilities, images.labels)


def write_sheet(path: Path, predictions: Predictions, titles: Sequence[str], stamp: str) -> None:
    """Write the first 50 images as a PNG, above each its title, its prediction and the output of that class.

    titles: names of files; none where the labels are known: right predictions are then blue and wrong ones
    red. stamp: marks the PNG as ours. Raises RunFolderError.
    """
    n = min(len(predictions.outputs), MOST_ON_SHEET)
    captions = [_caption(predictions, row, titles) for row in range(n)]
    config, outputs = predictions.seed.config, outputs_of(predictions.seed.config)
    first = f"the first {n} of " if n < len(predictions.outputs) else ""
    title = f"{config.name}, seed {config.seed}: {first}{predictions.of}, with {outputs}"
    words, colours = zip(*captions, strict=True)
    figure = draw_images(predictions.pixels[:n], words, title, colours)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # boxes, for letters that the font lacks
        files.write_png(path, figure, {"Title": stamp})


def _caption(predictions: Predictions, row: int, titles: Sequence[str]) -> tuple[str, str]:
    """Return the words above an image, and their colour."""
    ((guess, output),) = predictions.top(row)
    if predictions.labels is None:
        name = escape(titles[row])
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        return f"{name}\n{guess} {output:.3f}", UNKNOWN
    label = predictions.names[predictions.labels[row]]
    if label == guess:
        return f"{label}\n{output:.3f}", RIGHT
    return f"{label} → {guess}\n{output:.3f}", WRONG
