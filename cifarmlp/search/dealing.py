"""Few values are dealt out like cards: each comes once before any comes again.

A deck has the values of one field, or all combinations of several; a round deals the whole deck. Each trial
of a round takes the card that its own chances point to or, where that is dealt already, the next one that is
not. So a trial depends on its seed, its number and those of its round before it, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import floor, prod
from typing import Any, NamedTuple

import numpy as np

FEW = 1000  # of more whole numbers, or of more combinations, few trials have the same


class Chances(NamedTuple):
    """Source of the chances of a stage's trials: its seed, its own number, and its fields in order."""

    seed: int
    stage: int
    fields: tuple[str, ...]

    def of(self, number: int) -> list[float]:
        """Return a trial's u, uniform in [0, 1), for each field."""
        chances: list[float] = (
            np.random.default_rng([self.seed, self.stage, number]).random(len(self.fields)).tolist()
        )
        return chances


def deal(
    chances: Chances, cards: Mapping[str, Sequence[Any]], number: int, first: int, stride: int | None
) -> dict[str, Any]:
    """Return a trial's value of each field that has cards.

    first: the trial that the first round begins with. stride: if these fields are all that is drawn, every
    so many trials share a deck of combinations, as those between have other values of a grid; else None.

    >>> chances, cards = Chances(2, 3, ("seed",)), {"seed": [7, 8, 9]}
    >>> [deal(chances, cards, number, 1, 1)["seed"] for number in range(1, 7)]
    [7, 8, 9, 7, 9, 8]
    """
    together = stride is not None and prod(map(len, cards.values())) <= FEW
    values = {}
    for deck in [tuple(cards)] if together else [(field,) for field in cards]:
        sizes = tuple(len(cards[field]) for field in deck)
        card = _card(chances, deck, sizes, number - first, first, stride or 1)
        for field in reversed(deck):
            card, place = divmod(card, len(cards[field]))
            values[field] = cards[field][place]
    return values


def _card(
    chances: Chances, deck: tuple[str, ...], sizes: tuple[int, ...], place: int, first: int, stride: int
) -> int:
    """Return the card of the trial at a place, from 0."""
    turn, lane = divmod(place, stride)
    beginning = turn - turn % prod(sizes)
    return _round(chances, deck, sizes, first + lane + stride * beginning, stride)[turn - beginning]


@lru_cache(maxsize=1000)
def _round(
    chances: Chances, deck: tuple[str, ...], sizes: tuple[int, ...], first: int, stride: int
) -> tuple[int, ...]:
    """Return the cards of a round in the order of its trials: `first` and every `stride`-th after it."""
    count, dealt = prod(sizes), dict[int, None]()
    for number in range(first, first + stride * count, stride):
        chance, card = dict(zip(chances.fields, chances.of(number), strict=True)), 0
        for field, size in zip(deck, sizes, strict=True):
            card = card * size + floor(chance[field] * size)
        while card in dealt:
            card = (card + 1) % count
        dealt[card] = None
    return tuple(dealt)
