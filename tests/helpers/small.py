"""The command line in a process of its own, on the tiny images; held at some place where $HOLD says so.

A worker of it imports this too, and so trains on those images as well. See tiny.py and held.py.
"""

import os

from helpers import tiny

from cifarmlp.cli import main
from cifarmlp.search import plan
from cifarmlp.study import plan, run
from cifarmlp.training import run, seeds

for module in (seeds, plan, plan, run):
    module.load = tiny.dataset  # type: ignore[attr-defined]
run._draw = lambda *_: None  # type: ignore[assignment]
if "HOLD" in os.environ:
    from helpers import held  # noqa: F401

if __name__ == "__main__":
    main.main()
