"""Numbers of a program in plain loops, right or with known mistakes, and what is said of them."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.student import student

from cifarmlp.config import Config, override_with
from cifarmlp.owncode.answers import read_answers
from cifarmlp.owncode.case import SCALARS, draw_case, read_case, small, write_case
from cifarmlp.owncode.diagnose import Diagnosis, diagnose_answers
from cifarmlp.owncode.mistakes import MISTAKES
from cifarmlp.owncode.reference import Case, answers_of

IDS = [mistake.id for mistake in MISTAKES]
MOMENTUM = {"training.optimiser": {"kind": "momentum", "rho": 0.8}}
ELSEWHERE = {"momentum_dampened", "transposed"}  # need another network than the others


def case_of(seed: int = 1, hidden: Sequence[int] = (10, 8, 6), images: int = 20, **changes: Any) -> Case:
    common = {"network.hidden": [*hidden], "network.batch_norm": True, "training.lambda": 0.01}
    config = override_with(Config(name="case"), common | changes)
    return draw_case(config, 30, hidden, images, np.random.default_rng(seed))


def as_given(case: Case) -> dict[str, Any]:
    """The arrays of a case as its user loads them."""
    scalars = {name: getattr(case, field) for name, field in SCALARS.items()}
    return {**case.arrays, **{name: value for name, value in scalars.items() if value is not None}}


@pytest.fixture
def ask(tmp_path: Path) -> Any:
    """Save arrays and diagnose them."""

    def diagnose(case: Case, arrays: dict[str, Any]) -> Diagnosis:
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return diagnose_answers(case, read_answers(path, case, answers_of(case)[0]))

    return diagnose


def ids(found: Diagnosis) -> list[str]:
    return [mistake.id for mistake in found.mistakes]


@pytest.mark.parametrize("mistake", [name for name in IDS if name not in ELSEWHERE])
def test_a_mistake_is_named_alone(mistake: str, ask: Any) -> None:
    case = case_of()
    found = ask(case, student(as_given(case), (mistake,)))
    assert ids(found) == [mistake]
    assert (found.alternatives, found.unexplained, found.right) == ((), None, False)


@pytest.mark.parametrize("variant", ["swapped_forward", "swapped_update"])
def test_a_mistake_made_in_another_way_has_the_same_name(variant: str, ask: Any) -> None:
    case = case_of()
    assert ids(ask(case, student(as_given(case), (variant,)))) == ["gamma_beta_swapped"]


def test_a_dampened_velocity_is_named(ask: Any) -> None:
    case = case_of(**MOMENTUM)
    found = ask(case, student(as_given(case), ("momentum_dampened",)))
    assert (ids(found), found.first_wrong) == (["momentum_dampened"], "newW1")


@pytest.mark.parametrize("name", ["dW2", "newW2"])
def test_a_square_matrix_handed_in_transposed_is_named(name: str, ask: Any) -> None:
    case = case_of(hidden=(8, 8))
    mine = student(as_given(case))
    found = ask(case, {**mine, name: mine[name].T})
    assert (ids(found), found.first_wrong, found.unexplained) == (["transposed"], name, None)


PAIRS = [*itertools.combinations([name for name in IDS if name not in ELSEWHERE], 2)]


def test_two_mistakes_at_once_are_both_named(ask: Any) -> None:
    case = case_of()
    for pair in (("eps_missing", "bn_mean_term_missing"), ("l2_halved", "update_sign"),
                 ("bn_variance_term_missing", "gamma_missing_in_backward")):  # fmt: skip
        found = ask(case, student(as_given(case), pair))
        assert (set(ids(found)), found.unexplained) == (set(pair), None)


@pytest.mark.slow
def test_nearly_all_pairs_of_mistakes_are_both_named(ask: Any) -> None:
    case = case_of()
    named = sum(set(ids(ask(case, student(as_given(case), pair)))) == set(pair) for pair in PAIRS)
    assert named >= 0.95 * len(PAIRS)


RIGHT = {
    "rows": lambda name, array: array,
    "columns": lambda name, array: array.T if array.ndim == 2 else array.reshape(-1, 1),
    "float32": lambda name, array: np.asarray(array, np.float32),
}


def is_right(case: Case, form: str, ask: Any, biases: bool = True) -> bool:
    mine = student(as_given(case), biases=biases)
    return bool(ask(case, {name: RIGHT[form](name, array) for name, array in mine.items()}).right)


@pytest.mark.parametrize("form", RIGHT)
@pytest.mark.parametrize("seed", range(3))
def test_a_right_program_is_right(form: str, seed: int, ask: Any) -> None:
    hidden = ((10, 8, 6), (5,), ())[seed]
    assert is_right(case_of(seed, hidden, **{"network.batch_norm": seed != 2}), form, ask, biases=seed == 0)


@pytest.mark.slow
@pytest.mark.parametrize("form", RIGHT)
def test_a_hundred_right_programs_are_right(form: str, ask: Any) -> None:
    rng = np.random.default_rng(7)
    for seed in range(100):
        hidden = [int(width) for width in rng.integers(2, 12, rng.integers(1, 5))]
        norm, images = bool(rng.integers(2)), int(rng.integers(5, 25))
        case = case_of(seed, hidden, images, **{"network.batch_norm": norm})
        assert is_right(case, form, ask, biases=bool(rng.integers(2))), (seed, hidden, images, norm)


SPELLINGS = {
    "d": ["grad_{}", "g{}", "J{}", "{}_grad", "dL_d{}"],
    "new": ["new_{}", "{}_new", "updated_{}"],
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_other_spellings_are_understood(kind: str, ask: Any) -> None:
    case = case_of()
    mine = student(as_given(case))
    parameters = [f"{name}{n}" for n in (1, 2) for name in ("W", "b", "gamma", "beta")]
    for spelling in SPELLINGS[kind]:
        found = ask(case, {spelling.format(name): mine[f"{kind}{name}"] for name in parameters})
        assert len(found.quantities) == len(parameters), spelling
        assert found.right, spelling


def test_a_part_of_the_quantities_will_do(ask: Any) -> None:
    case = case_of()
    mine = student(as_given(case), ("l2_missing",))
    found = ask(case, {"dW4": mine["dW4"], "db4": mine["db4"]})
    assert (ids(found), found.first_wrong) == (["l2_missing"], "dW4")
    assert [quantity.right for quantity in found.quantities] == [False, True]
    assert ask(case, {"loss": mine["loss"]}).right


def test_what_no_known_mistake_makes_is_told_with_what_to_save_next(ask: Any) -> None:
    case = case_of()
    mine = student(as_given(case))
    found = ask(case, {"P": mine["P"], "dW3": mine["dW3"] * 1.3, "dW4": mine["dW4"]})
    assert (found.first_wrong, found.unexplained, ids(found)) == ("dW3", "dW3", [])
    assert found.missing == ("db4", "dgamma3", "dbeta3")


def test_numbers_that_are_not_finite_or_in_another_order_are_told(ask: Any) -> None:
    case = case_of()
    mine = student(as_given(case))
    assert "not finite" in ask(case, {**mine, "P": mine["P"] * np.nan}).notes[0]
    turned = {**mine, "dW3": mine["dW3"].T.reshape(mine["dW3"].shape)}
    assert "another order" in ask(case, turned).notes[0]


def test_a_bias_gradient_with_a_row_an_image_is_named(ask: Any) -> None:
    case = case_of()
    found = ask(case, {**student(as_given(case)), "db4": np.ones((20, 10))})
    assert (ids(found), found.first_wrong) == (["bias_gradient_not_summed"], "db4")


def test_a_wrong_shape_is_wrong_and_told(ask: Any) -> None:
    case = case_of()
    found = ask(case, {**student(as_given(case)), "dW4": np.ones((3, 2))})
    assert (found.right, found.first_wrong) == (False, "dW4")
    assert "not (6, 10) or, in columns, (10, 6)" in found.notes[0]


def test_answers_to_another_case_are_not_explained(ask: Any) -> None:
    found = ask(case_of(1), student(as_given(case_of(2))))
    assert (found.first_wrong, found.unexplained, ids(found)) == ("s1", "s1", [])


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("ending", ["npz", "mat"])
@pytest.mark.parametrize("changes", [{}, MOMENTUM, {"network.batch_norm": False}])
def test_a_case_reads_back_the_same(changes: Any, ending: str, layout: str, tmp_path: Path) -> None:
    case = case_of(**changes)
    write_case(tmp_path / f"case.{ending}", case, layout)
    read = read_case(tmp_path / f"case.{ending}")
    assert set(read.arrays) == set(case.arrays)
    assert all(np.array_equal(read[name], array) for name, array in case.arrays.items())
    assert all(getattr(read, field) == getattr(case, field) for field in SCALARS.values())


def test_a_case_is_off_every_kink_and_zero() -> None:
    case = case_of()
    quantities, _ = answers_of(case)
    assert small(override_with(Config(name="c"), {"network.hidden": [50] * 4})) == (100, [10, 8, 6, 10])
    assert all(np.abs(case[name]).min() > 0.05 for name in case.arrays if name[0] == "b")
    for n in (1, 2, 3):
        y = case[f"gamma{n}"] * quantities[f"shat{n}"] + case[f"beta{n}"]
        assert np.abs(y).min() > 1e-4
    assert len(set(np.bincount(case["labels"].astype(int), minlength=10))) > 1
