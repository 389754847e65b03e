"""Trainings to report on, and what stands on a page."""

import sys
from pathlib import Path
from unittest import mock

from cifarmlp.render import document
from cifarmlp.render.document import Page, Picture, Table, Text
from helpers import tiny

LOST = "training.schedule={kind: constant, eta: 1.0e+9, epochs: 4}"  # diverges


def trained(out: Path, name: str, *settings: str, seeds: int = 1) -> Path:
    """The folder of a tiny training, by the command `train NAME`."""
    with mock.patch.object(sys, "argv", ["cifarmlp", "train", name]):
        return tiny.trained(out, name, *settings, seeds=seeds)


def table(page: Page, name: str) -> Table:
    """The one table whose name ends so."""
    (found,) = [b for b in document.blocks(page) if isinstance(b, Table) and b.name.endswith(name)]
    return found


def words(page: Page, kind: str = "plain") -> str:
    """The paragraphs of a kind, a line each."""
    return "\n".join(b.words for b in document.blocks(page) if isinstance(b, Text) and b.kind == kind)


def pictures(page: Page) -> list[Picture]:
    """The figures of a page, not drawn yet."""
    return [block for block in document.blocks(page) if isinstance(block, Picture)]
