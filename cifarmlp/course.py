"""How far a search has come, and when it will be done."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np

from cifarmlp import populations
from cifarmlp.populations import Member
from cifarmlp.ranking import Result
from cifarmlp.search_folder import Search, Stage


@dataclass
class Course:
    """How far a stage has come: the populations still to train at its beginning, and how long some took."""

    search: Search
    stage: Stage
    todo: list[list[Member]]
    jobs: int
    seconds: list[float] = field(default_factory=list)
    trained: int = 0
    started: float = field(default_factory=time.monotonic)

    def ended(self, results: Sequence[Result]) -> None:
        """A population has ended."""
        self.trained += len(results)
        self.seconds += [result.seconds for result in results if result.seconds > 0]

    @property
    def running(self) -> int:
        """Trainings in the workers now: populations are begun in their order."""
        sizes = [len(population) for population in self.todo]
        begun = self.jobs + next(
            n for n, total in enumerate([0, *accumulate(sizes)]) if total >= self.trained
        )
        return sum(sizes[:begun]) - self.trained

    @property
    def left(self) -> float:
        """Seconds that it will still take, at least 0: the others take as long as those that have ended."""
        trainings = sum(len(population) for population in self.todo)
        known = float(np.mean(self.seconds)) * trainings / self.jobs if self.seconds else self._estimated
        return max(0.0, known - (time.monotonic() - self.started))

    @cached_property
    def _estimated(self) -> float:
        return populations.estimate(self.todo, self.jobs).seconds
