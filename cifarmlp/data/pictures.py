"""Pictures of one's own as a network sees them: any file that Pillow reads, as 32 x 32 pixels in RGB."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cifarmlp import files
from cifarmlp.data.dataset import Pixels
from cifarmlp.errors import DataError
from cifarmlp.text import escape

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SIDE = 32
MOST_BYTES = 2**28
EXTERNAL = ("EPS",)  # formats for which Pillow starts another program
ORIENTATION, TURNED = 0x0112, range(2, 9)  # of EXIF
MODES = {"1": "black and white", "L": "greyscale", "LA": "greyscale", "P": "a palette", "PA": "a palette"}


@dataclass(frozen=True)
class Picture:
    """A picture. pixels: (32, 32, 3) uint8. size: its width and height. changes: made to it, in words."""

    path: Path
    pixels: Pixels
    size: tuple[int, int]
    changes: tuple[str, ...]


def read_picture(path: Path) -> Picture:
    """Read a picture, and make it 32 x 32 pixels in RGB.

    It is turned as its EXIF says, resized as a whole (stretched, if it is no square), and laid on white where
    it is transparent. Of an animation the first frame is taken. Raises DataError for what is no picture, a
    damaged one, or one beyond Pillow's limit of 89 million pixels, which is not decoded.
    """
    name = escape(str(path))
    try:
        content = files.read_bytes(path, MOST_BYTES)
    except OSError as error:
        hint = "; give the pictures in it" if path.is_dir() else ""
        raise DataError(f"{name}: cannot be read: {error.strerror}{hint}") from error
    try:
        return Picture(path, *_decode(content))
    except Exception as error:  # Pillow has errors of many kinds for a damaged file
        raise DataError(f"{name}: {_fault(error)}") from error


def _decode(content: bytes) -> tuple[Pixels, tuple[int, int], tuple[str, ...]]:
    """Return pixels, size and changes of a picture; raise the errors that Pillow has for it."""
    from PIL import Image, ImageOps

    Image.init()
    formats = [name for name in Image.ID if name not in EXTERNAL]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(content), formats=formats) as image:
            is_turned = image.getexif().get(ORIENTATION) in TURNED
            frames = getattr(image, "n_frames", 1)
            upright = ImageOps.exif_transpose(image)
            small = _eight_bits(upright).convert("RGBA").resize((SIDE, SIDE))
    on_white = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small).convert("RGB")
    is_transparent = bool(np.asarray(small)[..., 3].min() < 255)
    changes = _changes(upright.size, upright.mode, frames, is_turned, is_transparent)
    return np.asarray(on_white), upright.size, changes


def _fault(error: Exception) -> str:
    """Return what an error of Pillow's says of a picture, in one line."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not a picture that Pillow reads"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError | MemoryError):
        return "too large; give a picture of at most 89 million pixels"
    return f"a damaged picture: {escape((str(error).splitlines() or [type(error).__name__])[0])}"


def _eight_bits(image: "PillowImage") -> "PillowImage":
    """Return a picture whose greys are integers of 16 bits in 8 bits, which Pillow's own conversion clips."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.clip(np.asarray(image), 0, 2**16 - 1) // 257).astype(np.uint8))


def _changes(
    size: tuple[int, int], mode: str, frames: int, is_turned: bool, is_transparent: bool
) -> tuple[str, ...]:
    width, height = size
    stretched = "" if width == height else ", its sides not in proportion"
    each = {
        f"the first of {frames} frames": frames > 1,
        "turned as its EXIF says": is_turned,
        f"{width} x {height} pixels, resized to {SIDE} x {SIDE}{stretched}": size != (SIDE, SIDE),
        f"from {'greyscale' if mode[0] in 'IF' else MODES.get(mode, mode)} to RGB": mode != "RGB",
        "transparent parts on white": is_transparent,
    }
    return tuple(words for words, is_so in each.items() if is_so)
