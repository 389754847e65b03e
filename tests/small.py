"""The command line in a process of its own, on the tiny images; held at some place where $HOLD says so.

A worker of it imports this too, and so trains on those images as well. See tiny.py and held.py.
"""

import os

import tiny

from cifarmlp import cli, experiment, repeats, search, study_plan, study_run

for module in (repeats, search, study_plan, study_run):
    module.load = tiny.dataset  # type: ignore[attr-defined]
experiment._draw = lambda *_: None  # type: ignore[assignment]
if "HOLD" in os.environ:
    import held  # noqa: F401

if __name__ == "__main__":
    cli.main()
