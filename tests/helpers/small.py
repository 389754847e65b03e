"""The command line in a process of its own, on the tiny images; held at some place where $HOLD says so.

A worker of it imports this too, and so trains on those images as well. See tiny.py and held.py.
"""

import os

from cifarmlp.cli.main import main
from cifarmlp.search import run as search_run
from cifarmlp.study import plan as study_plan
from cifarmlp.training import run, seeds
from helpers import tiny

for module in (seeds, search_run, study_plan):
    module.load = tiny.dataset  # type: ignore[attr-defined]
run._draw = lambda *_: None  # type: ignore[assignment]
if "HOLD" in os.environ:
    from helpers import held  # noqa: F401

if __name__ == "__main__":
    main()
