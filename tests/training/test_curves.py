"""curves.png of a repeated training: drawn when all its seeds have ended, and never at a result's cost."""

from pathlib import Path
from typing import Any

import pytest
from helpers import tiny
from matplotlib.figure import Figure

from cifarmlp.errors import CifarmlpWarning
from cifarmlp.render.curves import draw_seeds
from cifarmlp.training import curves, seeds


@pytest.fixture
def repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> seeds.Repeats:
    """Two seeds that are not begun yet, whose own curves are not drawn."""
    monkeypatch.setattr("cifarmlp.training.run._draw", lambda *_: None)
    return seeds.claim_repeats(tiny.config("name=twice"), 2, tmp_path)


def test_it_has_mean_and_band_over_all_seeds(repeats: seeds.Repeats, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []

    def draw(*args: Any) -> Figure:
        drawn.append((args, draw_seeds(*args)))
        return drawn[0][1]

    monkeypatch.setattr(curves, "draw_seeds", draw)
    seeds.train_seeds([(repeats, tiny.dataset())], None, threads=1)
    assert (repeats.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    ((rows, eta, title, *_), figure) = drawn[0]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]]
    assert max(eta) == tiny.STEPS
    assert title == "twice, mean ± std over 2 seeds"
    assert len(figure.axes[0].collections) == 2  # a band each for training and validation


def test_a_failure_to_draw_is_a_warning(repeats: seeds.Repeats, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(curves, "draw_seeds", fail)
    with pytest.warns(CifarmlpWarning, match="curves.png: could not be drawn: no ink"):
        (outcomes,) = seeds.train_seeds([(repeats, tiny.dataset())], None, threads=1)
    assert [outcome.status for outcome in outcomes] == ["finished", "finished"]


def test_interrupted_repeats_have_no_curves_yet(repeats: seeds.Repeats) -> None:
    seeds.train_seeds([(repeats, tiny.dataset())], None, threads=1, stop=lambda: 1)
    assert not (repeats.folder / "curves.png").exists()
