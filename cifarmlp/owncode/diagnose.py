"""Answers compared with the case's, and the mistakes that make them."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cifarmlp.owncode.answers import Answers
from cifarmlp.owncode.mistakes import BY_ID, MISTAKES
from cifarmlp.owncode.reference import Array, Case, Quantities, Steps, answers_of
from cifarmlp.owncode.variants import Mistake, Variant

DOUBLE, SINGLE = 1e-7, 3e-5  # relative differences that rounding stays below
MOST_MISTAKES = 3
BEAM = 12  # partial explanations kept per round
MOST_PAIRS = 1000  # tried for one quantity: about a second


@dataclass(frozen=True)
class Quantity:
    """A quantity that was handed in, and its relative difference from the right one."""

    name: str
    relative: float
    right: bool


@dataclass(frozen=True)
class Diagnosis:
    """Findings on answers. first_wrong: the first wrong quantity in order of computation.

    mistakes: those that together reproduce all the numbers, or as many as can be. alternatives: others that
    reproduce them as well. unexplained: the first quantity that no known mistake explains, or None.
    missing: quantities that would narrow it down, between the last right and the first wrong one.
    """

    quantities: tuple[Quantity, ...]
    first_wrong: str | None
    mistakes: tuple[Mistake, ...] = ()
    alternatives: tuple[Mistake, ...] = ()
    unexplained: str | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Return whether all that was handed in is right."""
        return self.first_wrong is None and not self.mistakes


@dataclass(frozen=True)
class Explanation:
    """Mistakes, the equations with them, and the quantities that these leave wrong, in order."""

    ids: tuple[str, ...]
    steps: Steps
    wrong: tuple[str, ...]
    largest: float  # relative difference of the others

    @property
    def names(self) -> frozenset[str]:
        """The mistakes' ids."""
        return frozenset(self.ids)


def diagnose_answers(case: Case, answers: Answers) -> Diagnosis:
    """Compare answers with the case's, and find the mistakes that make them.

    A layer with batch norm may have a bias or none, as the normalisation removes it; what fits better counts.
    """
    right = [Steps(), Steps(biases_before_norm=False)] if case.is_normalised else [Steps()]
    return max(
        (MistakeSearch(case, answers, steps) for steps in right), key=MistakeSearch.progress
    ).diagnose()


class MistakeSearch:
    """The search for the mistakes behind answers."""

    def __init__(self, case: Case, answers: Answers, right: Steps) -> None:
        self.case, self.answers, self.right = case, answers, right
        self.limit = SINGLE if answers.is_single else DOUBLE
        self.order, _ = answers_of(case)
        self.places = {name: place for place, name in enumerate(self.order)}
        self.parameters = {f"new{name}": array for name, array in case.arrays.items()}

    def progress(self) -> int:
        """Return the place of the first wrong quantity in the order of computation."""
        return self._place(self.explain((), self.right))

    def diagnose(self) -> Diagnosis:
        """Return the findings."""
        quantities = sorted([*self.compare(), *self.not_comparable()], key=lambda q: self.places[q.name])
        start = self.explain((), self.right)
        best, alternatives = self.best(start) if start.wrong else (start, ())
        unsummed = ("bias_gradient_not_summed",) if self.answers.unsummed else ()
        unexplained = best.wrong[0] if best.wrong else None
        return Diagnosis(
            tuple(quantities),
            next((quantity.name for quantity in quantities if not quantity.right), None),
            _mistakes(unsummed + best.ids),
            _mistakes(alternatives),
            unexplained,
            self.missing_before(unexplained) if unexplained else (),
            self.notes_on(unexplained),
        )

    def compare(self) -> Iterator[Quantity]:
        """Yield the quantities handed in next to the right ones."""
        with np.errstate(all="ignore"):
            right, scales = answers_of(self.case, self.right)
            for name, mine in self.answers.arrays.items():
                relative = self.relative(name, mine, right, scales)
                yield Quantity(name, relative, bool(relative < self.limit))

    def not_comparable(self) -> Iterator[Quantity]:
        """Yield the quantities handed in whose shape or type is wrong."""
        for name in (*self.answers.unusable, *self.answers.unsummed):
            yield Quantity(name, math.nan, False)

    def is_nearly_right(self) -> bool:
        """Return whether all that was handed in is right but for a rounding to two or three digits."""
        return all(quantity.relative < 3e-3 for quantity in self.compare())

    def notes_on(self, unexplained: str | None) -> tuple[str, ...]:
        """Return words on what was handed in, and on the first quantity without an explanation."""
        notes = [*self.answers.notes, *self.answers.unusable.values()]
        notes += [f"{name}: has a row for each image; sum over the images" for name in self.answers.unsummed]
        if unexplained and self.is_nearly_right():
            notes.append("all differences are below 0.003: were the numbers rounded, or in half precision?")
        if unexplained:
            mine, right = self.answers.arrays[unexplained], self.order[unexplained]
            if not np.isfinite(mine).all():
                notes.append(f"{unexplained}: has numbers that are not finite: look for log(0) or 0/0")
            elif right.ndim == 2 and np.allclose(np.sort(mine, None), np.sort(right, None), rtol=self.limit):
                notes.append(
                    f"{unexplained}: has the right numbers in another order: reshaped, not transposed?"
                )
        return tuple(notes)

    def relative(self, name: str, mine: Array, right: Quantities, scales: Quantities) -> float:
        """Return ||a - r|| / (||a|| + ||r||); of an updated parameter, of the update over eta."""
        reference, scale = right[name], norm(scales[name]) if name in scales else 0.0
        if name in self.parameters and self.case.eta:
            old = self.parameters[name]
            scale = 0.01 * norm(old) / self.case.eta
            mine, reference = (old - mine) / self.case.eta, (old - reference) / self.case.eta
        size = max(norm(mine) + norm(reference), scale)
        return norm(mine - reference) / size if size else 0.0

    def explain(self, ids: tuple[str, ...], steps: Steps, stop: int = -1) -> Explanation:
        """Return what these equations leave wrong; a square matrix may be handed in transposed.

        stop: once a quantity is wrong that is not behind this one in the order, the others are not looked at.
        """
        wrong: list[str] = []
        largest, transposed = 0.0, False
        with np.errstate(all="ignore"):
            right, scales = answers_of(self.case, steps)
            for name, mine in self.answers.arrays.items():
                relative = self.relative(name, mine, right, scales)
                if not relative < self.limit and name in self.answers.square:
                    turned = self.relative(name, mine.T, right, scales)
                    if turned < self.limit:
                        relative, transposed = turned, True
                if relative < self.limit:
                    largest = max(largest, relative)
                    continue
                wrong.append(name)
                if self.places[name] <= stop:
                    break
        if transposed:
            ids = tuple(dict.fromkeys((*ids, "transposed")))
        return Explanation(ids, steps, tuple(wrong), largest)

    def best(self, start: Explanation) -> tuple[Explanation, tuple[str, ...]]:
        """Return the explanation with the fewest mistakes that leaves nothing wrong, or as little as can be.

        A mistake is added only if it makes right the first quantity that is wrong without it.
        """
        beam, closest = [start], start
        for _ in range(MOST_MISTAKES):
            grown = [each for state in beam for each in self.grow(state)]
            if not grown and len(closest.ids) < MOST_MISTAKES - 1:
                grown = list(self.grow_by_two(closest))
            whole = [each for each in grown if not each.wrong]
            if whole:
                return _choose(whole)
            beam = sorted(grown, key=self._progress)[:BEAM]
            closest = min([closest, *beam], key=self._progress)
        return closest, ()

    def grow(self, state: Explanation) -> Iterator[Explanation]:
        """Yield the explanations with one more mistake that get further than `state`."""
        for name, variant in VARIANTS:
            if name not in state.ids:
                yield from self.further(state, (name,), variant(state.steps))

    def grow_by_two(self, state: Explanation) -> Iterator[Explanation]:
        """Yield the explanations with two more mistakes, for those that meet in the first wrong quantity.

        One of them changes that quantity, and neither one before it.
        """
        first, place = state.wrong[0], self._place(state)
        changes = {n: self.change_of(state, variant, first, place) for n, (_, variant) in enumerate(VARIANTS)}
        pairs = [
            (n, m)
            for n, m in itertools.permutations([n for n, kind in changes.items() if kind is not None], 2)
            if changes[n] or changes[m]
        ]
        for n, m in pairs if len(pairs) <= MOST_PAIRS else ():  # too little was handed in to tell
            (a, one), (b, two) = VARIANTS[n], VARIANTS[m]
            if a != b and not {a, b} & {*state.ids}:
                yield from self.further(state, (a, b), two(one(state.steps)))

    def change_of(self, state: Explanation, variant: Variant, first: str, place: int) -> bool | None:
        """Return whether a variant changes the first wrong quantity; None if it changes one before it."""
        with np.errstate(all="ignore"):
            now, _ = answers_of(self.case, state.steps)
            then, _ = answers_of(self.case, variant(state.steps))
        before = [name for name in list(self.order)[:place] if name in self.answers.arrays]
        if any(not np.allclose(now[name], then[name], rtol=self.limit, atol=self.limit) for name in before):
            return None
        return not np.allclose(now[first], then[first], rtol=self.limit, atol=0)

    def further(self, state: Explanation, names: tuple[str, ...], steps: Steps) -> Iterator[Explanation]:
        """Yield the explanation by more mistakes if it gets further than `state`."""
        found = self.explain((*state.ids, *names), steps, stop=self._place(state))
        if self._place(found) > self._place(state):
            yield found

    def _place(self, explanation: Explanation) -> int:
        return self.places[explanation.wrong[0]] if explanation.wrong else len(self.places)

    def _progress(self, explanation: Explanation) -> tuple[int, int, int, float]:
        return -self._place(explanation), len(explanation.wrong), len(explanation.ids), explanation.largest

    def missing_before(self, wrong: str) -> tuple[str, ...]:
        """Return the quantities computed between the last one handed in and the wrong one."""
        order = list(self.order)
        before = order[: order.index(wrong)]
        given = [n for n, name in enumerate(before) if name in self.answers.arrays]
        known = {*self.answers.unusable, *self.answers.unsummed}
        return tuple(name for name in before[given[-1] + 1 if given else 0 :] if name not in known)


def _choose(whole: Sequence[Explanation]) -> tuple[Explanation, tuple[str, ...]]:
    """Return the explanation that fits best, and the ids of others that fit as well."""
    best = min(whole, key=lambda each: (len(each.names), each.largest))
    near = [
        each for each in whole if len(each.names) == len(best.names) and each.largest < 1e3 * best.largest
    ]
    others = {name for each in near for name in each.names - best.names}
    return best, tuple(sorted(others))


def norm(values: Array) -> float:
    """Return the Euclidean norm."""
    flat = values.ravel()
    return math.sqrt(np.dot(flat, flat))


def _mistakes(ids: Sequence[str]) -> tuple[Mistake, ...]:
    return tuple(BY_ID[name] for name in dict.fromkeys(ids))


VARIANTS = [(mistake.id, variant) for mistake in MISTAKES for variant in mistake.variants]
