"""Section `search` of a config: the stages of a search, and the fields that each draws."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import InitErrorDetails

from cifarmlp.config.draws import Around, Draw, SearchableField, check_draws, check_widths, raise_all
from cifarmlp.config.types import Count, StrictModel, conflict

MOST_TRIALS = 10**9


class HalvingConfig(StrictModel):
    """At the ends of the cycles `at`, all but the best of a population leave it.

    keep: the share that stays; it is rounded down, and at least one training stays.
    """

    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    at: Annotated[tuple[Count, ...], Field(strict=False, min_length=1, max_length=100)]

    def share_of_steps(self, cycle: int, steps: int) -> float:
        """Return the share of all trainings' steps that are made: 1 up to the first end, then `keep`, ..."""
        ends = (0, *(number * cycle for number in self.at), steps)
        made = (self.keep**rung * (end - start) for rung, (start, end) in enumerate(pairwise(ends)))
        return sum(made) / steps

    @model_validator(mode="after")
    def _ends_rise(self) -> HalvingConfig:
        if list(self.at) != sorted({*self.at}):
            words = (
                f"search.coarse.halving.at is {[*self.at]}; its numbers of cycles must rise, such as [1, 2]"
            )
            raise conflict(words, "search.coarse.halving.at")
        return self


class Coarse(StrictModel):
    """First stage, wide. Over grids alone, `trials` is by default the number of combinations."""

    trials: Count = 50
    halving: HalvingConfig | None = None
    space: Annotated[dict[SearchableField, Draw], Field(min_length=1), AfterValidator(check_draws)]

    @model_validator(mode="after")
    def _takes_no_combination_twice(self) -> Coarse:
        grids = [draw.grid for draw in self.space.values() if draw.grid]
        if len(grids) < len(self.space):
            return self
        combinations = prod(map(len, grids))
        if "trials" not in self.model_fields_set:
            object.__setattr__(self, "trials", min(combinations, MOST_TRIALS))  # the model is frozen
        if self.trials > combinations:
            words = f"search.coarse.trials is {self.trials}; the grids have {combinations} combinations"
            raise conflict(
                f"{words}: no more trials than that", "search.coarse.trials", "search.coarse.space"
            )
        return self


class Fine(StrictModel):
    """Second stage, near the best `centres` trials of the first.

    `trials` is their number around each centre, or in all where every field is drawn between_best.
    """

    trials: Count = 50
    centres: Count = 3
    space: Annotated[dict[SearchableField, Around], Field(min_length=1), AfterValidator(check_widths)]

    @model_validator(mode="after")
    def _between_two(self) -> Fine:
        if self.centres == 1 and any(around.between_best for around in self.space.values()):
            words = "search.fine.centres is 1; with between_best it must be at least 2"
            raise conflict(words, "search.fine.centres")
        return self


class SearchConfig(StrictModel):
    """Section `search`: a search for good values of fields, in one or two stages."""

    coarse: Coarse
    fine: Fine | None = None

    @model_validator(mode="after")
    def _fine_refines_coarse(self) -> SearchConfig:
        fine = self.fine.space if self.fine else {}
        raise_all([fault for name in fine for fault in self._faults(name)])
        return self

    def _faults(self, name: str) -> list[InitErrorDetails]:
        known = self.coarse.space
        if name not in known:
            words = f"{name} is not in search.coarse.space, which has {', '.join(known)}"
        elif not known[name].is_numeric:
            words = f"{name} has values that are no numbers, and keeps those of the centre: leave it out here"
        else:
            return []
        fault = conflict(words, f"search.fine.space.{name}", "search.coarse.space")
        return [InitErrorDetails(type=fault, loc=("fine", "space", name, "[key]"), input=name)]
