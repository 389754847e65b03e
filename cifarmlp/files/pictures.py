"""Pictures drawn with our own settings, whatever Matplotlib is set to here, and never at a result's cost."""

import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cifarmlp.errors import CifarmlpError, CifarmlpWarning
from cifarmlp.files.writing import write
from cifarmlp.text import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def import_matplotlib() -> None:
    """Import Matplotlib, whose import would fail for a $MPLBACKEND that is not there.

    A notebook hands its own backend on to every command, which may run in another environment. Raises
    CifarmlpError if Matplotlib cannot be imported, as with a matplotlibrc that is no text, or half installed.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    except (ImportError, OSError, ValueError) as error:
        raise CifarmlpError(f"Matplotlib cannot be imported: {escape(str(error))}") from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend  # for a program that imports us before it draws


@contextmanager
def own_settings() -> Iterator[None]:
    """Draw with Matplotlib's defaults: neither a matplotlibrc nor the caller's rcParams change a figure.

    Also a decorator. Numbers so large that an axis overflows are drawn as they may be, without a warning.
    """
    import matplotlib
    import numpy as np

    with matplotlib.rc_context(), np.errstate(all="ignore"):
        matplotlib.rcdefaults()
        yield


@contextmanager
def forgive(path: Path, again: str) -> Iterator[None]:
    """Turn a failure to draw or write what only decorates results into a warning.

    path: of the picture or page. again: the command that makes it.
    """
    try:
        yield
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].removeprefix(f"{path}: ")
        lost = f"{escape(str(path))}: could not be drawn: {escape(reason)}"
        warnings.warn(f"{lost}; the results are complete; again: {again}", CifarmlpWarning, stacklevel=3)


def write_png(path: Path, figure: "Figure", metadata: Mapping[str, str] | None = None) -> None:
    """Write a figure as PNG, 150 dots an inch. Raises RunFolderError."""
    with own_settings():
        write(path, lambda file: figure.savefig(file, format="png", dpi=150, metadata=dict(metadata or {})))
