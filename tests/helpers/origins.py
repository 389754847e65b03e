"""Run folders altered so that they were made of other images, or with another NumPy."""

import json
from pathlib import Path
from typing import Any


def change_images(folder: Path) -> None:
    """Let all runs below a folder have been trained on other images."""
    _change(folder, lambda told: told["data"].update(sha256="another"))


def change_numpy(folder: Path) -> None:
    """Let all runs below a folder have been trained with NumPy 1.0."""
    _change(folder, lambda told: told["libraries"].update(numpy="1.0"))


def _change(folder: Path, change: Any) -> None:
    for path in folder.rglob("environment.json"):
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))
