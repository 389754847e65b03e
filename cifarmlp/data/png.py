"""PNG pictures of 32 x 32 pixels, which nobody vouches for, as rows of pixels."""

import io
import struct

import numpy as np
from numpy.typing import NDArray

SIDE = 32
MOST_BYTES = 2**20  # a picture of 32 x 32 takes three thousand, and what an editor adds


def decode(raw: bytes) -> NDArray[np.uint8]:
    """Return the pixels (3072,) of a PNG file's bytes: 1024 red, 1024 green, 1024 blue.

    Raises ValueError for what is no picture, and for one of another size before it takes memory.
    """
    from PIL import Image

    if raw[:8] != b"\x89PNG\r\n\x1a\n" or raw[12:16] != b"IHDR" or len(raw) < 24:
        raise ValueError("not a PNG picture")
    width, height = struct.unpack(">II", raw[16:24])
    if (width, height) != (SIDE, SIDE):
        raise ValueError(f"{width} x {height} pixels, not {SIDE} x {SIDE}")
    if len(raw) > MOST_BYTES:
        raise ValueError(f"a PNG picture of more than {MOST_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(raw), formats=["PNG"]) as image:
            return np.asarray(image.convert("RGB")).transpose(2, 0, 1).reshape(-1)
    except Exception as error:  # Pillow has errors of many kinds for a damaged file
        raise ValueError(f"not a whole PNG picture ({type(error).__name__})") from error
