"""A trained model: arrays of model.npz, checked as untrusted input -> network -> class probabilities."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.data import Images, Split
from cifarmlp.errors import RunFolderError
from cifarmlp.nn.losses import Loss, binary_cross_entropy, hinge
from cifarmlp.nn.types import Float
from cifarmlp.text import escape
from cifarmlp.training.build import training_from_model
from cifarmlp.training.cost import check_memory, member_bytes
from cifarmlp.training.environment import CHANGED, config_has_changed
from cifarmlp.training.loop import Training, predictions
from cifarmlp.training.outcome import MODEL, read_recorded


def read_model(path: Path, config: Config) -> dict[str, Float]:
    """Return the arrays of a model.npz or of a snapshot, without running anything in it.

    config: of the training. Raises RunFolderError if the model cannot be read, is damaged, or has another
    checksum than result.json says, and if the training began with another config.
    """
    try:
        data = files.read_bytes(path, files.MOST_ARRAYS)
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from error
    _check_unchanged(path, data)
    if config_has_changed(path.parent, config):
        raise RunFolderError(f"{escape(str(path.parent))}: {CHANGED}")
    try:
        return _arrays(data, member_bytes(config) + 2**20)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise _refusal(path, "is damaged") from error


def _check_unchanged(path: Path, data: bytes) -> None:
    recorded = read_recorded(path.parent)
    if recorded is None:
        return
    outcome, of_model = recorded
    if files.sha256(data) != {**outcome.snapshots, MODEL: of_model}.get(path.name):
        raise _refusal(path, "is not what was trained: its checksum is not the one in result.json")


def _arrays(data: bytes, most: float) -> dict[str, Float]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > most:
            raise ValueError("far larger than the network")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _refusal(path: Path, fault: str) -> RunFolderError:
    return RunFolderError(f"{escape(str(path))}: {fault}; train it anew")


def rebuild_training(path: Path, config: Config, images: Split) -> Training:
    """Return a training with its network as in a model.npz or snapshot, to evaluate it on these images.

    Raises RunFolderError as `read_model`, and if the arrays do not fit config.yaml.
    """
    try:
        return training_from_model(config, images, read_model(path, config))
    except ValueError as error:
        raise _refusal(path, f"does not fit config.yaml: {error}") from error


@np.errstate(all="ignore")  # a network that diverged overflows; its probabilities are nan
def probabilities(logits: Float, loss: Loss) -> Float:
    """Return a network's view of each class, (n, 10), from its logits (n, 10) and the loss of its training.

    Cross-entropy: probabilities, softmax of the logits. binary_cross_entropy: a sigmoid a class, which need
    not sum to 1. hinge: scores, the logits themselves, as they stand for no probabilities. The largest of a
    row is the predicted class in all of them.
    """
    from scipy.special import expit, softmax

    if loss is hinge:
        return logits
    return np.asarray(expit(logits) if loss is binary_cross_entropy else softmax(logits, axis=1))


def outputs_of(config: Config) -> str:
    """Return the word for a network's outputs: `probabilities`, or `scores` after a training by hinge.

    >>> outputs_of(Config())
    'probabilities'
    """
    return "scores" if config.training.loss.kind == "hinge" else "probabilities"


def load_network(path: Path, config: Config) -> Training:
    """Return a training with its network as in a model.npz or snapshot, and no images.

    Raises RunFolderError as `rebuild_training`, MemoryError.
    """
    check_memory(config)
    # A training needs at least a mini-batch of images; these zeros take one byte.
    zeros = np.broadcast_to(np.uint8(0), (config.training.batch_size, 3072))
    blank = Images(zeros, zeros[:, 0])
    return rebuild_training(path, config, Split(blank, blank, blank))


def predict(path: Path, config: Config, images: NDArray[np.uint8]) -> Float:
    """Class probabilities (n, 10) of images (n, 3072) or (n, 32, 32, 3), uint8; see `Seed.predict`."""
    pixels, training = pixel_rows(images), load_network(path, config)
    blank = Images(pixels, np.zeros(len(pixels), np.uint8))
    with np.errstate(all="ignore"):
        chunks = predictions(training.network, blank, training.mean, training.std)
        logits = [np.empty((0, 10), training.network.dtype), *(logits[:, 0] for logits, _ in chunks)]
    return probabilities(np.concatenate(logits), training.loss)


def pixel_rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return images (n, 32, 32, 3) as rows (n, 3072): 1024 red, 1024 green, 1024 blue; such rows as they are.

    Raises ValueError for another shape or dtype.

    >>> pixel_rows(np.zeros((5, 32, 32, 3), np.uint8)).shape
    (5, 3072)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise ValueError(f"images: {images.dtype}, not uint8; give raw pixels, 0 to 255")
    if images.ndim == 4 and images.shape[1:] == (32, 32, 3):
        return images.transpose(0, 3, 1, 2).reshape(-1, 3072)
    if images.ndim == 2 and images.shape[1] == 3072:
        return images
    raise ValueError(f"images: shape {images.shape}, not (n, 3072) or (n, 32, 32, 3)")
