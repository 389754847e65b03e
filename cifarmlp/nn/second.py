"""A second thread, which takes half of a large product.

BLAS has threads of its own, but some kernels give other bits with them, and they wait for each other by
spinning, at a high price where other programs want the processor. This one gives the bits of a single
thread; a half that it has not begun when it is needed, the first thread does itself.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

ROWS = 48  # a multiple of the 4, 6, 8, 12, 16 or 24 rows that BLAS computes at once: none of them is divided
LEAST = 50_000_000  # multiplications, a millisecond or two: for less, waking it up is not worth it

_second: ThreadPoolExecutor | None = None


def use_second_thread(use: bool) -> None:
    """Use a second thread for the products of this process, or none, which is the default."""
    global _second
    _second = (_second or ThreadPoolExecutor(1, "cifarmlp")) if use else None


def in_halves(work: Callable[[slice], object], rows: int, multiplications: int) -> None:
    """Call `work` with slices that make up all rows: at once, or half of them in the second thread.

    multiplications: of all rows, to tell whether it is worth it.

    >>> in_halves(print, rows=100, multiplications=100)
    slice(0, 100, None)
    """
    if _second is None or multiplications < LEAST or not 0 < (middle := ROWS * round(rows / 2 / ROWS)) < rows:
        work(slice(0, rows))
        return
    # In a copy of the context, which has NumPy's errstate.
    half = _second.submit(copy_context().run, work, slice(middle, rows))
    work(slice(0, middle))
    if half.cancel():
        work(slice(middle, rows))
    else:
        half.result()
