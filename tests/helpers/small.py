"""The command line in a process of its own, on the tiny images; held at some place if $HOLD is set.

Its workers import this too, and so train on those images as well. See tiny.py and held.py.
"""

import os

import cifarmlp.data
from helpers import tiny

cifarmlp.data.load = tiny.dataset  # before any module imports it by name

from cifarmlp.cli.main import main  # noqa: E402
from cifarmlp.training import run, seeds  # noqa: E402

run._draw = lambda *_: None  # type: ignore[assignment]
seeds.write_curves = lambda *_: None  # type: ignore[assignment]
if "HOLD" in os.environ:
    from helpers import held  # noqa: F401

if __name__ == "__main__":
    main()
