"""Figures within a page: small, well formed, in the page's colours."""

import re
from functools import cache
from xml.etree import ElementTree

from helpers.pages import HOSTILE, figure

from cifarmlp.render import svg


@cache
def inlined(prefix: str) -> str:
    return svg.inline(figure(), prefix, HOSTILE)


def test_a_figure_is_small_well_formed_xml_with_its_words_as_text() -> None:
    text = inlined("f1")
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == HOSTILE
    assert root.get("role") == "img"
    assert "train <b>" in {"".join(each.itertext()) for each in root.iter()}
    assert len(text) < 30_000
    assert "<style" not in text
    assert "metadata" not in text


def test_two_figures_share_no_id() -> None:
    first, second = (set(re.findall(r' id="([^"]+)"', inlined(p))) for p in ("f1", "f2"))
    assert first
    assert not first & second


def test_a_figure_takes_the_pages_colours_and_others_are_changed_for_the_night() -> None:
    text = inlined("f1")
    assert "#000000" not in text
    assert "currentColor" in text
    assert {"1f5fa8", "d9730d"} <= set(svg.colours_in(text))
    assert not re.search(r"(?<!,)#[0-9a-f]{6}", text)


def test_a_colour_of_the_night_can_be_seen_on_a_dark_ground() -> None:
    def luminance(ink: str) -> float:
        parts = [int(ink[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ink in ("000001", "1f5fa8", "d9730d", "7b3fa0", "ffffff", "ff0000"):
        assert (luminance(svg.dark_colour(ink)) + 0.05) / (luminance("14181d") + 0.05) > 4.5
    assert svg.dark_colour("d9d9d9") == "d9d9d9"
