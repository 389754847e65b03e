"""Which trials are the best, and which are not significantly worse: worked by hand."""

import math
from dataclasses import replace

import pytest

from cifarmlp.search.ranking import Result, Trial, count_indistinguishable, noise, rank, trial_of

NAN = math.nan


def trial(number: int, accuracy: float, loss: float = 1.0, **others: object) -> Trial:
    whole = Trial(number, 1, "finished", accuracy + 0.1, accuracy, loss, 2.0)
    return replace(whole, **others)  # type: ignore[arg-type]


def numbers(trials: list[Trial]) -> list[int]:
    return [trial.trial for trial in trials]


# The order


def test_the_best_comes_first() -> None:
    assert numbers(rank([trial(1, 0.4), trial(2, 0.6), trial(3, 0.5)])) == [2, 3, 1]


def test_of_equal_accuracies_the_lower_loss_comes_first_and_then_the_lower_number() -> None:
    tied = [trial(4, 0.5, 1.2), trial(1, 0.4, 0.1), trial(3, 0.5, 1.1), trial(2, 0.5, 1.2)]
    assert numbers(rank(tied)) == [3, 2, 4, 1]


def test_training_accuracy_and_time_do_not_count() -> None:
    trials = [trial(1, 0.4, train_accuracy=1.0, seconds=0.1), trial(2, 0.5, train_accuracy=0.0)]
    assert numbers(rank(trials)) == [2, 1]


def test_only_those_that_finished_are_ranked() -> None:
    wild = trial(1, NAN, NAN, status="diverged")
    lost = trial(2, 0.9, status="failed")
    assert numbers(rank([wild, trial(3, 0.1), lost])) == [3]
    assert rank([wild, lost]) == []
    assert rank([]) == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_without_an_accuracy_is_never_among_the_best(place: int) -> None:
    # all training images may have a finite loss and a validation image not
    trials = [trial(1, 0.4), trial(2, 0.6)]
    trials.insert(place, trial(3, NAN, NAN))
    assert numbers(rank(trials))[:2] == [2, 1]


# A trial from its seeds

SEEDS = [
    Result(7, 4, "finished", 0.50, 0.40, 1.5, 10.0),
    Result(7, 3, "finished", 0.60, 0.46, 1.2, 20.0),
    Result(7, 5, "finished", 0.70, 0.43, 1.8, 60.0),
]


def test_one_seed_is_the_trial() -> None:
    found = trial_of(SEEDS[:1])
    assert (found.trial, found.seed, found.status, found.seeds) == (7, 4, "finished", 1)
    assert (found.train_accuracy, found.validation_accuracy, found.validation_loss) == (0.5, 0.4, 1.5)
    assert found.seconds == 10
    assert math.isnan(found.validation_std)


def test_several_seeds_are_their_means_and_the_time_of_all() -> None:
    found = trial_of(SEEDS)
    assert (found.trial, found.seed, found.status, found.seeds) == (7, 3, "finished", 3)
    assert found.train_accuracy == pytest.approx(0.6)
    assert found.validation_accuracy == pytest.approx(0.43)
    assert found.validation_loss == pytest.approx(1.5)
    assert found.seconds == pytest.approx(90)
    assert found.validation_std == pytest.approx(0.03)  # sqrt((0.03² + 0.03² + 0) / 2)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["finished", "diverged", "finished"], "diverged"),
        (["finished", "finished", "failed"], "failed"),
        (["diverged", "failed", "finished"], "failed"),
        (["diverged", "diverged", "diverged"], "diverged"),
    ],
)
def test_a_trial_has_finished_only_if_all_its_seeds_have(statuses: list[str], expected: str) -> None:
    results = [replace(result, status=status) for result, status in zip(SEEDS, statuses, strict=True)]
    assert trial_of(results).status == expected


def test_a_seed_that_diverged_leaves_the_trial_without_an_accuracy() -> None:
    found = trial_of([SEEDS[0], Result(7, 3, "diverged", NAN, NAN, NAN, 1.0)])
    assert math.isnan(found.validation_accuracy)
    assert found.seconds == 11


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_reason_is_that_of_the_seed_that_failed(seed: int) -> None:
    results = [
        replace(result, status="failed", reason="out of memory") if result.seed == seed else result
        for result in SEEDS
    ]
    assert trial_of(results).reason == "out of memory"


# What is noise


def test_the_noise_of_single_seeds_is_that_of_the_number_of_validation_images() -> None:
    trials = [trial(1, 0.4), trial(2, 0.5)]
    assert noise(trials, 1600) == pytest.approx(0.008)
    assert noise(trials, 10_000) == pytest.approx(0.0032)


def test_the_noise_of_several_seeds_is_the_pooled_standard_error_of_their_mean() -> None:
    of_four = [trial(1, 0.4, seeds=4, validation_std=0.02), trial(2, 0.5, seeds=4, validation_std=0.06)]
    # variances of the means 0.0001 and 0.0009, on average 0.0005
    assert noise(of_four, 900) == pytest.approx(math.sqrt(0.0005))
    assert noise([*of_four, trial(3, 0.6)], 900) == pytest.approx(math.sqrt(0.0005))


def test_those_within_two_standard_errors_of_a_difference_are_indistinguishable() -> None:
    # the difference of two with 0.01 each has sqrt(2) · 0.01, twice which is 0.0283
    trials = [trial(n, accuracy) for n, accuracy in enumerate((0.60, 0.59, 0.572, 0.571, 0.3), 1)]
    assert count_indistinguishable(trials, 0.01) == 3
    assert count_indistinguishable(trials, 0.002) == 1
    assert count_indistinguishable(trials, 1.0) == 5


def test_equals_are_indistinguishable_however_little_they_vary() -> None:
    assert count_indistinguishable([trial(1, 0.6), trial(2, 0.6), trial(3, 0.5)], 0.0) == 2
