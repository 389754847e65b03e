"""What a study has to train: which experiments, how many seeds, in which order."""

from pathlib import Path

import pytest

from cifarmlp.study.load import LoadedStudy
from cifarmlp.study.plan import NOWHERE, is_finished, plan_study, trainings_left


@pytest.mark.parametrize(
    ("only", "repeats", "seeds"),
    [
        ((), None, {"a": 1, "b": 2, "c": 2}),
        ((), 3, {"a": 3, "b": 3, "c": 3}),
        (("ONE",), None, {"a": 1, "b": 2}),
        (("two",), None, {"a": 1, "c": 2}),  # a comparison of it needs a
        (("two", "one", "tw"), None, {"a": 1, "b": 2, "c": 2}),
    ],
)
def test_experiments_and_seeds(
    only: tuple[str, ...], repeats: int | None, seeds: dict[str, int], loaded: LoadedStudy, tmp_path: Path
) -> None:
    plan = plan_study(loaded, tmp_path / "runs", only=only, repeats=repeats)
    assert {name: each.seeds for name, each in plan.experiments.items()} == seeds
    assert len(plan.trainings) == len(trainings_left(plan)) == sum(seeds.values())


def test_a_new_study_has_no_folder_and_makes_none(loaded: LoadedStudy, tmp_path: Path) -> None:
    plan = plan_study(loaded, tmp_path / "runs")
    assert plan.folder == NOWHERE
    assert not is_finished(plan)
    assert not (tmp_path / "runs").exists()


def test_the_longest_trainings_are_first(loaded: LoadedStudy, tmp_path: Path) -> None:
    tasks = trainings_left(plan_study(loaded, tmp_path))
    assert [task.config.name for task in tasks] == ["small-a", *["small-b"] * 2, *["small-c"] * 2]
