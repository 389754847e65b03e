"""Schema of a study: its sections, experiments, gradient checks, search and claims, and reported numbers."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from cifarmlp.config.types import Count, NotNegative, StrictModel, conflict
from cifarmlp.text import quote


def _can_be_shown(text: str) -> str:
    bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"), None)
    if bad is not None:
        raise conflict(f"the character {quote(bad)} can't be shown in {quote(text)}: remove it")
    return text


def _one_line(text: str) -> str:
    if "\n" in text or "\t" in text:
        raise conflict(f"{quote(text)} must be one line, without tabs")
    return text


Words = Annotated[str, Field(max_length=10_000), AfterValidator(_can_be_shown)]
Line = Annotated[Words, AfterValidator(_one_line)]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=r"[A-Za-z0-9]",
        description="text with a letter, a to z, or digit",
    ),
    AfterValidator(_can_be_shown),
    AfterValidator(_one_line),
]


def _a_fraction(number: float) -> float:
    if 1 < number <= 100:
        raise conflict(f"{number:g} must be at most 1, a fraction: for {number:g} % write {number / 100:g}")
    return number


Accuracy = Annotated[float, Field(ge=0), AfterValidator(_a_fraction), Field(le=1)]
Numbers = Annotated[tuple[NotNegative | None, ...], Field(strict=False, min_length=3, max_length=3)]
OF_PARTS = "train, validation, test; null for none"
Expected = Literal["higher", "lower", "not higher", "only the first trains"]
Quantity = Literal["train loss", "validation loss", "test loss",
                   "train accuracy", "validation accuracy", "test accuracy"]  # fmt: skip


class ReportedOutcome(StrictModel):
    """Published result of an experiment: accuracies of train, validation and test, and their std over n runs.

    loss: mean loss of the same parts. f1: macro F1 on the test images. status: `diverged` if the loss became
    NaN.
    """

    accuracy: Annotated[tuple[Accuracy | None, ...], Field(strict=False, min_length=3, max_length=3)] = Field(
        (None, None, None), description=f"a list of three fractions: {OF_PARTS}"
    )
    std: Numbers = Field((None, None, None), description=f"a list of three numbers: {OF_PARTS}")
    loss: Numbers = Field((None, None, None), description=f"a list of three numbers: {OF_PARTS}")
    f1: Accuracy | None = None
    n: Count = 1
    status: Literal["finished", "diverged"] | None = None

    @model_validator(mode="after")
    def _a_std_is_of_several(self) -> ReportedOutcome:
        if any(std is not None for std in self.std) and self.n < 2:
            raise conflict("a std is of at least 2 runs: say n, how many they were")
        return self


class Variation(StrictModel):
    """A config with some of its fields changed."""

    config: str | None = None
    set: dict[str, Any] = Field({}, description="a mapping of dotted keys to values")


class Experiment(Variation):
    """A config to train with several seeds. note: a remark for the reader of the page."""

    name: Name
    repeats: Annotated[int, Field(ge=1, le=10_000)] | None = None
    note: Words = ""
    reported: ReportedOutcome = ReportedOutcome()


class GradientCheck(Variation):
    """A network whose gradients to check, and published differences, by parameter (W1, b1, …).

    measure: of the published differences between analytic (a) and numeric (n) gradients; `relative` is
    ||a - n|| / (||a|| + ||n||), `distance` is ||a - n||. mistake: to make on purpose, to see in which
    parameters it shows.
    """

    name: Name
    mistake: Literal["constant statistics"] | None = None
    measure: Literal["relative", "distance"] = "relative"
    reported: dict[Line, NotNegative] = Field({}, description="a mapping of parameters to numbers")


class ReportedTrial(StrictModel):
    """A published trial of a search: the values of the searched fields, and its accuracies."""

    values: dict[str, float] = Field(description="a mapping of searched fields to numbers", min_length=1)
    train: Accuracy | None = None
    validation: Accuracy | None = None


class ReportedTrials(StrictModel):
    """Published result of a search: the best trials of each stage, and the values of the best of all."""

    coarse: Annotated[tuple[ReportedTrial, ...], Field(strict=False)] = ()
    fine: Annotated[tuple[ReportedTrial, ...], Field(strict=False)] = ()
    best: dict[str, float] = Field({}, description="a mapping of searched fields to numbers")


class StudySearch(Variation):
    """A search, as the section `search` of a config describes it."""

    config: str
    reported: ReportedTrials = ReportedTrials()


class Claim(StrictModel):
    """A published conclusion about two experiments, which are trained with the same seeds.

    expected: how the quantity of the first compares with that of the second, or that the first alone trains.
    """

    claim: Line
    of: Annotated[tuple[str, ...], Field(strict=False, min_length=2, max_length=2)] = Field(
        description="a list of two experiments' names"
    )
    quantity: Quantity = "test accuracy"
    expected: Expected = "higher"


class StudySection(StrictModel):
    """A heading and the work under it. curves: whether to draw the curves of each experiment."""

    title: Name
    text: Words = ""
    experiments: Annotated[tuple[Experiment, ...], Field(strict=False)] = ()
    curves: bool = True
    gradcheck: Annotated[tuple[GradientCheck, ...], Field(strict=False)] = ()
    search: StudySearch | None = None
    comparisons: Annotated[tuple[Claim, ...], Field(strict=False)] = ()


class Study(StrictModel):
    """A whole study. base: the config of experiments that name none. repeats: seeds of each experiment."""

    title: Name
    text: Words = ""
    base: str | None = None
    repeats: Annotated[int, Field(ge=1, le=10_000)] = 3
    sections: Annotated[tuple[StudySection, ...], Field(strict=False, min_length=1, max_length=100)]
