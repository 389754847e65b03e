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
from cifarmlp.nn.types import Float
from cifarmlp.text import escape
from cifarmlp.training.build import training_from_model
from cifarmlp.training.cost import check_memory, member_bytes
from cifarmlp.training.loop import Training, predictions
from cifarmlp.training.outcome import MODEL, read_recorded


def read_model(folder: Path, config: Config) -> dict[str, Float]:
    """Return the arrays of model.npz, without running anything in it.

    Raises RunFolderError if it cannot be read, is damaged, or has another checksum than result.json says.
    """
    try:
        data = files.read_bytes(folder / MODEL, files.MOST_ARRAYS)
    except OSError as error:
        raise _refusal(folder, f"cannot be read: {error.strerror}") from error
    _check_unchanged(folder, data)
    try:
        return _arrays(data, member_bytes(config) + 2**20)
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise _refusal(folder, "is damaged") from error


def _check_unchanged(folder: Path, data: bytes) -> None:
    recorded = read_recorded(folder)
    if recorded and files.sha256(data) != recorded[1]:
        raise _refusal(folder, "is not what was trained: its checksum is not the one in result.json")


def _arrays(data: bytes, most: float) -> dict[str, Float]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > most:
            raise ValueError("far larger than the network")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _refusal(folder: Path, fault: str) -> RunFolderError:
    return RunFolderError(f"{escape(str(folder / MODEL))}: {fault}; train it anew")


def rebuild_training(folder: Path, config: Config, images: Split) -> Training:
    """Return a training with its network as in model.npz, to evaluate it on these images.

    Raises RunFolderError as `read_model`, and if the arrays do not fit config.yaml.
    """
    try:
        return training_from_model(config, images, read_model(folder, config))
    except ValueError as error:
        raise _refusal(folder, f"does not fit config.yaml: {error}") from error


@np.errstate(all="ignore")  # a network that diverged overflows; its probabilities are nan
def probabilities(training: Training, images: Images) -> Float:
    """Class probabilities (n, 10), softmax of the logits with the running averages."""
    from scipy.special import softmax

    chunks = predictions(training.network, images, training.mean, training.std)
    logits = [np.empty((0, 10), training.network.dtype), *(logits[:, 0] for logits, _ in chunks)]
    return np.asarray(softmax(np.concatenate(logits), axis=1))


def predict(folder: Path, config: Config, images: NDArray[np.uint8]) -> Float:
    """Class probabilities (n, 10) of images (n, 3072) or (n, 32, 32, 3), uint8; see `Seed.predict`."""
    pixels = pixel_rows(images)
    check_memory(config)
    # A training needs at least a mini-batch of images; these zeros take one byte.
    zeros = np.broadcast_to(np.uint8(0), (config.training.batch_size, 3072))
    blank = Images(zeros, zeros[:, 0])
    training = rebuild_training(folder, config, Split(blank, blank, blank))
    return probabilities(training, Images(pixels, np.zeros(len(pixels), np.uint8)))


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
