"""Two configs over the same seeds: which trainings make a pair, and what they differ in."""

import json
import math
from pathlib import Path

import pytest

from cifarmlp.runs.comparison import compare_pairs, paired_differences
from cifarmlp.training.outcome import PARTS, Outcome


def outcome(seed: int, status: str = "finished", **accuracies: float) -> Outcome:
    """One with these accuracies, by part."""
    metrics = {part: {"cost": 2.0, "loss": 1.0, "accuracy": value} for part, value in accuracies.items()}
    return Outcome(status, 100, 1.0, 1.0, metrics, seed)


def finished(*accuracies: float, first_seed: int = 1) -> list[Outcome]:
    return [outcome(seed, test=value) for seed, value in enumerate(accuracies, first_seed)]


def test_seeds_are_paired_whatever_their_order() -> None:
    first, second = finished(0.50, 0.60, 0.40), finished(0.53, 0.61, 0.45)
    difference = paired_differences(first[::-1], [second[1], second[0], second[2]])["test"]
    # 0.03, 0.01, 0.05: mean 0.03, s = 0.02; t of 2 degrees of freedom is 4.303
    half = 4.303 * 0.02 / math.sqrt(3)
    expected = {"mean": 0.03, "low": 0.03 - half, "high": 0.03 + half, "n": 3}
    assert difference == pytest.approx(expected, abs=1e-4)


def test_it_is_the_second_minus_the_first() -> None:
    assert paired_differences(finished(0.2, 0.2), finished(0.3, 0.3))["test"]["mean"] == pytest.approx(0.1)
    assert paired_differences(finished(0.3, 0.3), finished(0.2, 0.2))["test"]["mean"] == pytest.approx(-0.1)


def test_a_seed_that_one_of_them_lacks_is_left_out() -> None:
    difference = paired_differences(finished(0.1, 0.2, 0.3), finished(0.3, 0.5, 0.9, first_seed=2))["test"]
    assert difference["n"] == 2
    assert difference["mean"] == pytest.approx((0.1 + 0.2) / 2)


def test_what_diverged_or_was_interrupted_is_left_out() -> None:
    first = [*finished(0.1, 0.2), outcome(3, "diverged", test=math.nan), outcome(4, test=0.4)]
    second = [*finished(0.2, 0.4), outcome(3, test=0.9), outcome(4, "interrupted", train=0.5)]
    difference = paired_differences(first, second)["test"]
    assert difference["n"] == 2
    assert difference["mean"] == pytest.approx(0.15)


def test_every_part_has_its_own() -> None:
    first = [outcome(seed, train=0.5, validation=0.4, test=0.3) for seed in (1, 2)]
    second = [outcome(seed, train=0.9, validation=0.6, test=0.4) for seed in (1, 2)]
    difference = paired_differences(first, second)
    assert set(difference) == set(PARTS)
    assert [difference[part]["mean"] for part in PARTS] == pytest.approx([0.4, 0.2, 0.1])


def test_nothing_in_common_is_no_difference() -> None:
    difference = paired_differences(finished(0.1), finished(0.2, first_seed=5))["test"]
    assert difference["n"] == 0
    assert math.isnan(difference["mean"])


def test_a_comparison_lies_beside_the_second_ones_files(tmp_path: Path) -> None:
    difference = compare_pairs(tmp_path / "a-001", finished(0.1, 0.2), tmp_path, finished(0.2, 0.4))
    file = json.loads((tmp_path / "difference.json").read_text())
    assert file["run"] == str(tmp_path)
    assert file["minus"] == str(tmp_path / "a-001")
    assert file["accuracy"]["test"] == pytest.approx(difference["accuracy"]["test"])
    assert file["accuracy"]["train"] == {"mean": None, "low": None, "high": None, "n": 0}
