"""Snapshots: the models of a cyclic schedule's ends of cycles, beside model.npz and in its form."""

import re
from pathlib import Path


def snapshot_name(step: int) -> str:
    """Return the name of the file with the model of a cycle's end, in the form of model.npz.

    >>> snapshot_name(900)
    'snapshot-900.npz'
    """
    return f"snapshot-{step}.npz"


def snapshot_step(name: str) -> int | None:
    """Return the step in the name of a snapshot; None for another file's name."""
    match = re.fullmatch(r"snapshot-(\d{1,10})\.npz", name)
    return int(match[1]) if match else None


def snapshots(folder: Path) -> list[Path]:
    """Return the snapshots in a run folder, by step."""
    steps = {path: step for path in folder.iterdir() if (step := snapshot_step(path.name)) is not None}
    return sorted(steps, key=lambda path: steps[path])
