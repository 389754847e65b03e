"""Reading CIFAR-10's batches in MATLAB's format: version 5, untrusted, in bounded memory.

A file is 128 bytes and then elements, each with its type and number of bytes; those of type 15 are elements
compressed by zlib: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarmlp.data.pickles import PIXELS, ROWS

HEADER, TAG = 128, 8  # bytes
COMPRESSED = 15
SHAPES = {"data": (ROWS, PIXELS), "labels": (ROWS, 1)}


def loads(raw: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pixels (10000, 3072) and labels (10000,) of a batch. Raises ValueError if it is none."""
    from scipy.io import loadmat, whosmat

    try:
        plain = inflate(raw, 2 * ROWS * PIXELS)
        there = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(plain))}
        for name, shape in SHAPES.items():
            if there.get(name) != (shape, "uint8"):
                raise ValueError(f"{name} is {there.get(name, 'missing')}, not uint8 {shape}")
        arrays: dict[str, Any] = loadmat(io.BytesIO(plain), variable_names=list(SHAPES))
    except ValueError:
        raise
    except Exception as error:  # damage shows in SciPy as errors of many kinds
        raise ValueError(f"not a whole MATLAB file ({type(error).__name__})") from error
    labels = arrays["labels"][:, 0]
    if labels.max() > 9:
        raise ValueError("has labels other than 0 to 9")
    return np.ascontiguousarray(arrays["data"]), labels


def inflate(raw: bytes, most: int) -> bytes:
    """Return a MATLAB file with its compressed elements plain. Raises ValueError beyond `most` bytes.

    SciPy would inflate whatever a small file says, up to 4 GB.
    """
    if raw[126:128] not in (b"IM", b"MI"):
        raise ValueError("not a MATLAB file of version 5")
    order = "<" if raw[126:128] == b"IM" else ">"
    parts, size, at = [raw[:HEADER]], HEADER, HEADER
    while at < len(raw):
        if len(raw) < at + TAG:
            raise ValueError("truncated")
        kind, count = struct.unpack(f"{order}II", raw[at : at + TAG])
        content = raw[at + TAG : at + TAG + count]
        if len(content) < count:
            raise ValueError("truncated")
        if kind == COMPRESSED:
            content = zlib.decompressobj().decompress(content, most)
        else:
            content = raw[at : at + TAG] + content
        at, size = at + TAG + count, size + len(content)
        if size > most:
            raise ValueError(f"unpacks to more than {most:,} bytes")
        parts.append(content)
    return b"".join(parts)
