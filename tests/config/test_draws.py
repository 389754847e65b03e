"""Fields that a search draws: any of a config's, with values as the field takes them."""

from __future__ import annotations

import pytest
from helpers.config_text import faults, in_an_empty_folder, load  # noqa: F401

from cifarmlp.config import to_yaml


def search(key: str, draw: str, fine: str = "") -> str:
    """A config that searches one field, its draw at column 7 + len(key) of line 5."""
    return f"search:\n  coarse:\n    trials: 2\n    space:\n      {key}: {draw}\n{fine}"


@pytest.mark.parametrize(
    ("key", "draw"),
    [
        ("network.hidden", "{grid: [[20, 20], [50, 50], []]}"),
        ("network.batch_norm", "{values: [true, false, {eps: 1.0e-05}]}"),
        ("network.init", "{grid: [he, {sigma: 0.001}]}"),
        ("training.optimiser", "{values: [sgd, {kind: momentum, rho: 0.9}]}"),
        ("training.optimiser.kind", "{values: [sgd, momentum]}"),
        ("training.schedule", "{values: [{kind: constant, eta: 0.1}, {eta_max: 0.2}]}"),
        ("training.steps", "{values: [null, 100]}"),
        ("data.train_batches", "{grid: [[1], [1, 2]]}"),
    ],
)
def test_a_field_of_any_kind_is_searched_and_its_values_are_kept_as_typed(key: str, draw: str) -> None:
    config = load(search(key, draw), "data.validation_batches=[5]", "data.train_batches=[1]")
    assert f"{{{key}: {draw}}}" in to_yaml(config)
    assert load(to_yaml(config)) == config


HIDDEN, INIT, NORM = "network.hidden", "network.init", "network.batch_norm"
OPTIMISER, SCHEDULE = "training.optimiser", "training.schedule"


@pytest.mark.parametrize(
    ("key", "draw", "fault"),
    [
        (HIDDEN, "{grid: [[20, x]]}", "36: KEY.grid[0][1] is 'x'; it must be a whole number"),
        (HIDDEN, "{values: [[0]]}", "34: KEY.values[0][0] is 0; it must be at least 1"),
        (HIDDEN, "{values: [wide]}", "33: KEY.values[0] is 'wide'; it must be a list of widths, such as"),
        (HIDDEN, "{log_uniform: [1.5, 9]}", "38: KEY.log_uniform[0] is 1.5; it must be a list of widths, su"),
        (INIT, "{log_uniform: [1.5, 9]}", "35: network.init is not a numeric field; give values: [...]"),
        (NORM, "{values: [1]}", "37: KEY.values[0] is 1; it must be true, false or a mapping such as {eps:"),
        (NORM, "{values: [{epz: 1}]}", "38: unknown key 'epz' in KEY.values[0]; did you mean 'eps'?"),
        (INIT, "{values: [hee]}", "31: KEY.values[0] is 'hee'; it must be "),
        (INIT, "{values: [{sigma: -1}]}", "39: KEY.values[0].sigma is -1; it must be at least 0"),
        (INIT, "{values: [{kind: normal}]}", "31: network.init lacks its sigma: write {sigma: 0.001}"),
        (OPTIMISER, "{values: [{kind: momentum, rho: 2}]}", "59: KEY.values[0].rho is 2; it must be less th"),
        (SCHEDULE, "{values: [{kind: constant, n_s: 9}]}", "53: KEY.values[0].n_s does not go with kind: c"),
        (SCHEDULE, "{values: [{kind: x}]}", "43: KEY.values[0].kind is 'x'; it must be 'cyclic' or "),
        ("training.lambda", "{grid: [3, 3.0]}", "31: the grid [3, 3.0] has 3 twice: once is enough"),
        (INIT, "{grid: [he, {kind: he}]}", "28: the grid [he, {kind: he}] has 'he' twice: once is enough"),
    ],
)
def test_a_value_is_checked_as_its_field_is(key: str, draw: str, fault: str) -> None:
    (line,) = faults(search(key, draw))
    assert line.startswith("5:" + fault.replace("KEY", f"search.coarse.space.{key}"))


@pytest.mark.parametrize("key", ["data.source", "data.validation", "data.validation_batches"])
def test_trials_have_one_judge(key: str) -> None:
    words = f"5:7: {key} cannot be searched: trials judged by different validation images have no ranking"
    (line,) = faults(search(key, "{values: [1]}"))
    assert line.startswith(words)


def test_a_search_without_validation_images_is_refused_at_their_number() -> None:
    (line,) = faults(f"data: {{validation: 0}}\n{search('seed', '{values: [1]}')}")
    assert line.startswith("1:20: data.validation is 0")


@pytest.mark.parametrize("around", ["uniform_within: 1", "between_best: true"])
@pytest.mark.parametrize(
    ("key", "draw"), [(HIDDEN, "{values: [[20], [30]]}"), ("training.steps", "{values: [null, 30]}")]
)
def test_a_fine_search_keeps_a_centre_s_values_that_are_no_numbers(key: str, draw: str, around: str) -> None:
    (line,) = faults(search(key, draw, f"  fine:\n    space:\n      {key}: {{{around}}}\n"))
    assert line.startswith(f"8:7: {key} has values that are no numbers, and keeps those of the centre: leave")


def test_numbers_have_the_type_of_their_field() -> None:
    config = load(search("training.lambda", "{values: [0, 1]}"))
    assert "{values: [0.0, 1.0]}" in to_yaml(config)
