"""Matrix products: x W, and C += alpha aᵀ b in one pass over C, the one BLAS call that NumPy has no name for.

For that NumPy writes a product first, and adds it in a second and third pass. With 16 networks in lockstep
these took a tenth of a training step; so this calls the BLAS that NumPy itself has loaded, by the name that
it has in NumPy's wheels, or else does as NumPy. (SciPy's `sgemm` brings a BLAS of its own, whose threads get
in the way of NumPy's.)
"""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from cifarmlp.nn.second import LEAST, in_halves
from cifarmlp.nn.types import Float

ROW_MAJOR, AS_IT_IS, TRANSPOSED = 101, 111, 112  # of CBLAS
NAMES = {np.dtype(np.float32): "scipy_cblas_sgemm64_", np.dtype(np.float64): "scipy_cblas_dgemm64_"}


def multiply(x: Float, W: Float, out: Float) -> None:
    """out = x W, with x (G, B, m), or (1, B, m) for all, W (G, m, n) and out (G, B, n).

    >>> out = np.empty((1, 1, 1))
    >>> multiply(np.array([[[1.0, 2.0]]]), np.array([[[10.0], [20.0]]]), out)
    >>> out
    array([[[50.]]])
    """

    multiplications = x.size * W.shape[2]
    if multiplications < LEAST:  # the slices alone would take a hundredth of the step of a small network
        np.matmul(x, W, out=out)
        return

    def multiply_rows(rows: slice) -> None:
        np.matmul(x[:, rows], W, out=out[:, rows])

    in_halves(multiply_rows, x.shape[1], multiplications)


def add_product(C: Float, a: Float, b: Float, alpha: float) -> None:
    """C += alpha aᵀ b, with C (m, n), a (k, m), b (k, n) of one dtype, float32 or float64, and whole rows.

    The rows of a and b may be apart, as in a slice of columns. Raises ValueError if they aren't so.

    >>> C = np.ones((2, 2))
    >>> add_product(C, np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]), -0.1)
    >>> C
    array([[ 0., -1.],
           [-1., -3.]])
    """
    k, m = a.shape
    if C.shape != (m, b.shape[1]) or len(b) != k or not C.dtype == a.dtype == b.dtype:
        raise ValueError(f"{C.shape} += {a.shape}ᵀ {b.shape} of {C.dtype}, {a.dtype}, {b.dtype}")
    if not (C.flags.c_contiguous and a.strides[1] == b.strides[1] == C.itemsize):
        raise ValueError("the product's rows must be contiguous")
    gemm = _gemm(C.dtype)
    if gemm is None:
        C += C.dtype.type(alpha) * (a.T @ b)
        return
    n, size = b.shape[1], C.itemsize

    def add_rows(rows: slice) -> None:
        start = rows.start * size
        gemm(ROW_MAJOR, TRANSPOSED, AS_IT_IS, rows.stop - rows.start, n, k, alpha,
             a.ctypes.data + start, a.strides[0] // size, b.ctypes.data, b.strides[0] // size,
             1.0, C.ctypes.data + start * n, n)  # fmt: skip

    in_halves(add_rows, m, m * n * k)


@cache
def _gemm(dtype: np.dtype[Any]) -> Callable[..., None] | None:
    try:
        numpy = ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
        gemm: Any = getattr(numpy, NAMES[dtype])  # looked for in the libraries that it links, too
    except (ImportError, AttributeError, OSError, KeyError):
        return None
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    real = ctypes.c_float if dtype == np.float32 else ctypes.c_double
    matrices = (pointer, size, pointer, size, real, pointer, size)
    gemm.argtypes = (*(ctypes.c_int,) * 3, *(size,) * 3, real, *matrices)
    gemm.restype = None
    call: Callable[..., None] = gemm
    return call
