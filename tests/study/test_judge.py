"""Numbers and conclusions of a study next to outcomes made by hand: the rows, and their verdicts."""

import math
from typing import Any

import numpy as np
import pytest
from helpers.studies import ETA, LAMBDA, good_outcomes, outcome, run_of, search_of, state_of
from scipy import stats

from cifarmlp.config import find_config, load_config
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.render.document import Verdict
from cifarmlp.study import judge
from cifarmlp.study.folder import StudyRecord
from cifarmlp.study.judge import Judgement
from cifarmlp.training.outcome import Outcome

INSIDE = Verdict("inside the spread", "good")


def numbers(reported: dict[str, Any], *outcomes: Outcome) -> list[Judgement]:
    state = state_of({"experiments": [{"name": "one", "reported": reported}]})
    state.experiments["one"] = run_of(*outcomes)
    return list(judge.judge_numbers(state, state.study.sections[0]))


# Accuracies


def test_a_row_for_each_number_that_was_reported() -> None:
    rows = numbers({"accuracy": [0.61, None, 0.60]}, *good_outcomes())
    assert rows == [
        Judgement("one", "train accuracy", "0.6100", "0.6000 ± 0.0100 (n = 3)", INSIDE),
        Judgement("one", "test accuracy", "0.6000", "0.5100 ± 0.0200 (n = 3)", INSIDE),
    ]
    assert rows[0].numbers == {
        "reported": 0.61,
        "mean": pytest.approx(0.6),
        "std": pytest.approx(0.01),
        "n": 3,
    }
    (high,) = numbers(
        {"accuracy": [0.66, None, None]}, *good_outcomes()
    )  # 0.60 ± 4.303 x 0.01 x sqrt(4/3) = 0.05
    assert high.verdict == Verdict("outside the spread: above ours", "bad")


def test_a_mean_and_its_deviation_are_two_rows() -> None:
    rows = numbers({"accuracy": [0.601, None, None], "std": [0.009, None, None], "n": 20}, *good_outcomes())
    assert [(row.quantity, row.reported, row.obtained) for row in rows] == [
        ("train accuracy", "0.6010 ± 0.0090 (n = 20)", "0.6000 ± 0.0100 (n = 3)"),
        ("std of train accuracy", "0.0090", "0.0100"),
    ]
    assert {row.verdict.words for row in rows} == {"inside the spread"}
    narrow = {"accuracy": [0.6, None, None], "std": [0.0001, None, None], "n": 20}
    assert numbers(narrow, *good_outcomes())[1].verdict.tone == "bad"


def test_a_mean_is_judged_as_a_mean_and_one_run_as_one() -> None:
    at = {"accuracy": [0.63, None, None]}  # inside for one more run, outside for a mean of 20
    (one,) = numbers(at, *good_outcomes())
    (mean, _) = numbers({**at, "std": [0.001, None, None], "n": 20}, *good_outcomes())
    assert (one.verdict.tone, mean.verdict.tone) == ("good", "bad")


def test_losses_and_macro_f1_are_judged_too() -> None:
    ours = [outcome((0.6, 0.5, 0.51), seed, loss=1.3 + 0.01 * seed) for seed in (1, 2, 3)]
    for each in ours:
        each.metrics["test"]["f1"] = 0.48 + 0.001 * each.seed
    rows = numbers({"loss": [1.31, None, 2.0], "f1": 0.49}, *ours)
    assert [(row.quantity, row.reported, row.obtained, row.verdict.tone) for row in rows] == [
        ("train loss", "1.3100", "1.3200 ± 0.0100 (n = 3)", "good"),
        ("test loss", "2.0000", "1.3200 ± 0.0100 (n = 3)", "bad"),
        ("test macro F1", "0.4900", "0.4820 ± 0.0010 (n = 3)", "good"),
    ]


def test_what_was_not_measured_is_open() -> None:
    (row,) = numbers({"f1": 0.49}, *good_outcomes())  # of a version that did not measure it
    assert (row.obtained, row.verdict) == ("-", Verdict("not measured here", "open"))


@pytest.mark.parametrize(("reported", "tone"), [(0.5140, "good"), (0.5280, "bad"), (0.5050, "bad")])
def test_seeds_that_happen_to_agree_refute_nothing_within_what_10000_images_can_tell(
    reported: float, tone: str
) -> None:
    ours = [outcome((0.6, 0.5, 0.5166 + 0.0005 * d), seed) for seed, d in enumerate((-1, 0, 1))]
    half = 1.96 * math.sqrt(0.5166 * 0.4834 / 10_000) * math.sqrt(4 / 3)
    assert (abs(reported - 0.5166) < half) == (tone == "good")
    (row,) = numbers({"accuracy": [None, None, reported]}, *ours)
    assert row.verdict.tone == tone
    wide = numbers({"accuracy": [None, reported + 0.02, None]}, *ours)  # of 1,000 images: 0.036 to each side
    assert [row.verdict.tone for row in wide] == ["good" if abs(reported + 0.02 - 0.5) < 0.036 else "bad"]


def test_one_seed_cannot_tell() -> None:
    (row,) = numbers({"accuracy": [0.6, None, None]}, good_outcomes()[0])
    assert row.obtained == "0.6000 (n = 1)"
    assert row.verdict == Verdict("too few seeds for an interval", "open")


def test_seeds_that_diverged_or_stay_at_chance_are_told() -> None:
    lost = outcome((0.1, 0.1, 0.1), 4, status="diverged")
    (row,) = numbers({"accuracy": [0.6, None, None]}, *good_outcomes(), lost)
    assert row.verdict == Verdict("1 of our 4 seeds diverged", "bad")
    stuck = [outcome((0.099, 0.1, 0.1), seed, at_chance=True) for seed in (1, 2)]
    told = [row.verdict.words for row in numbers({"accuracy": [0.1, 0.1, 0.6]}, *stuck)]
    assert told == ["holds: at chance level"] * 2 + ["ours stays at chance level"]
    (row,) = numbers({"accuracy": [0.1, None, None]}, *good_outcomes())
    assert row.verdict == Verdict("outside the spread: below ours", "bad")


def test_chance_level_depends_on_the_number_of_images() -> None:
    # of 1,000 validation images up to 0.1285, of 10,000 test images up to 0.109
    near = [outcome((0.5, 0.12, 0.105), seed) for seed in (1, 2)]
    told = {row.quantity: row.verdict.words for row in numbers({"accuracy": [None, 0.12, 0.12]}, *near)}
    stays = "ours stays at chance level"
    assert told == {"validation accuracy": "holds: at chance level", "test accuracy": stays}


@pytest.mark.parametrize(("part", "images"), [("train", 20_000), ("validation", 10_000), ("test", 10_000)])
def test_the_level_is_three_standard_errors_above_a_tenth(part: str, images: int) -> None:
    batches = "data={train_batches: [1, 3], validation_batches: [2]}"
    level = judge.chance_level(part, load_config(find_config("quickstart"), [batches]))
    assert level == pytest.approx(0.1 + 3 * stats.binom.std(images, 0.1) / images)


def test_the_level_of_a_split_by_number() -> None:
    config = load_config(find_config("quickstart"), ["data.validation=900"])
    assert judge.chance_level("validation", config) == pytest.approx(0.1 + 3 * 0.3 / 30)
    assert judge.chance_level("train", config) == pytest.approx(0.1 + 3 * 0.3 / math.sqrt(49_100))


def test_whether_the_loss_stayed_finite() -> None:
    lost = outcome((0.1, 0.1, 0.1), status="diverged")
    (row,) = numbers({"status": "diverged"}, lost, good_outcomes()[1])
    assert (row.quantity, row.reported, row.obtained) == (
        "loss",
        "the loss is NaN",
        "finite with 1 of 2 seeds",
    )
    assert row.verdict == Verdict("diverged with 1 of 2 seeds", "bad")
    (row,) = numbers({"status": "finished"}, *good_outcomes())
    assert row.verdict.tone == "good"


def test_what_has_not_ended_has_no_rows() -> None:
    assert numbers({"accuracy": [0.5, 0.5, 0.5]}) == []
    state = state_of({"experiments": [{"name": "one", "reported": {"accuracy": [0.5, 0.5, 0.5]}}]})
    assert list(judge.judge_numbers(state, state.study.sections[0])) == []


def test_means_leave_out_what_is_no_number() -> None:
    assert judge.format_values_mean_std([0.5, math.nan]) == "0.5000 (n = 1)"
    assert judge.format_values_mean_std([math.nan]) == "-"
    assert judge.format_values_mean_std([]) == "-"


# Conclusions


def conclusion(
    first: list[Outcome], second: list[Outcome], expected: str = "higher", quantity: str = "test accuracy"
) -> Judgement:
    comparison = {"claim": "so it is", "of": ["a: one", "b: two"], "expected": expected, "quantity": quantity}
    state = state_of({"experiments": [{"name": "a: one"}, {"name": "b: two"}], "comparisons": [comparison]})
    state.experiments = {"a: one": run_of(*first), "b: two": run_of(*second)}
    (found,) = judge.judge_conclusions(state, state.study.sections[0])
    return found


def seeds(*numbers: float, of: int = 1, loss: float = 1.0) -> list[Outcome]:
    return [outcome((0.5, 0.5, number), seed, loss) for seed, number in enumerate(numbers, of)]


def test_a_conclusion_is_tested_seed_by_seed() -> None:
    found = conclusion(seeds(0.51, 0.62, 0.73), seeds(0.50, 0.60, 0.70))
    assert found.of == "so it is"
    assert found.quantity == "test accuracy, a minus b"
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert found.obtained == f"+0.0200 [{0.02 - half:+.4f}, {0.02 + half:+.4f}] (n = 3)"
    assert found.verdict.tone == "open"  # though every seed is better
    assert conclusion(seeds(0.52, 0.62, 0.72), seeds(0.50, 0.60, 0.7001)).verdict.words == "holds"


def test_only_seeds_that_both_have_are_compared() -> None:
    found = conclusion(seeds(0.9, 0.52, 0.53), seeds(0.50, 0.51, 0.1, of=2))
    assert found.obtained.startswith("+0.0200 [")
    assert found.obtained.endswith("(n = 2)")
    assert conclusion(seeds(0.9), seeds(0.5, of=7)).obtained == "-"


def test_one_pair_has_no_interval() -> None:
    found = conclusion(seeds(0.9), seeds(0.5, 0.5))
    assert found.obtained == "+0.4000 (n = 1)"
    assert found.verdict == Verdict("too few seeds for an interval", "open")


def test_other_quantities_and_directions() -> None:
    low, high = seeds(0.5, 0.5, loss=1.0), seeds(0.5, 0.5, loss=1.5)
    found = conclusion(low, high, "lower", "validation loss")
    assert found.quantity == "validation loss, a minus b"
    assert found.verdict == Verdict("holds", "good")
    assert conclusion(high, low, "lower", "train loss").verdict.words == "the contrary holds"
    assert conclusion(low, high, "not higher", "train loss").verdict.words == "holds: lower"


def test_a_seed_without_a_number_is_left_out() -> None:
    found = conclusion(seeds(0.52, math.nan, 0.52), seeds(0.5, 0.5, 0.5001))
    assert found.obtained.endswith("(n = 2)")


def test_only_the_first_trains() -> None:
    lost = [outcome((0.1, 0.1, 0.1), 1, status="diverged"), outcome((0.1, 0.1, 0.1), 2, at_chance=True)]
    found = conclusion(good_outcomes(), lost, "only the first trains")
    assert found.obtained == "3 of 3 seeds train, against 0 of 2"
    assert found.verdict == Verdict("holds with every seed", "good")
    for first, second in ((good_outcomes(), [*lost, good_outcomes()[2]]), (lost, good_outcomes())):
        assert conclusion(first, second, "only the first trains").verdict.tone == "bad"


def test_a_conclusion_waits_for_both() -> None:
    pair = {"claim": "c", "of": ["a", "b"]}
    state = state_of({"experiments": [{"name": "a"}, {"name": "b"}], "comparisons": [pair]})
    state.experiments = {"a": run_of(*good_outcomes())}
    assert list(judge.judge_conclusions(state, state.study.sections[0])) == []
    state.experiments["b"] = run_of()
    assert list(judge.judge_conclusions(state, state.study.sections[0])) == []


# Gradients


def difference(name: str, worst: float, distance: float = 0.0) -> dict[str, Any]:
    return vars(Difference(name, 9, 0, distance, worst, worst / 2, worst / 3)).copy()


def gradient_rows(check: dict[str, Any], *differences: dict[str, Any]) -> list[Judgement]:
    state = state_of({"gradcheck": [{"name": "net", **check}]})
    state.record.checks["net"] = [*differences]
    checked = state.study.sections[0].gradcheck[0]
    return list(judge.judge_gradients(checked, state.differences("net")))


def test_gradients_by_relative_difference() -> None:
    reported = {"W1": 0.46, "b1": 2e-6, "gamma4": 0.0, "W2": 1e-6}
    ours = (difference("W1", 3e-10), difference("b1", 2e-9), difference("W2", 1e-3))
    rows = gradient_rows({"reported": reported}, *ours)
    assert [(row.of, row.quantity, row.reported, row.obtained, row.verdict.words) for row in rows] == [
        ("net", "W1", "0.46", "3.0e-10", "theirs is wrong, ours is right"),
        ("net", "b1", "2e-06", "2.0e-09", "holds: both are right"),
        ("net", "gamma4", "0", "-", "no such parameter here"),
        ("net", "W2", "1e-06", "1.0e-03", "ours is wrong"),
    ]


def test_gradients_by_distance() -> None:
    check = {"measure": "distance", "reported": {"W1": 7e-5, "b1": 0.2}}
    rows = gradient_rows(check, difference("W1", 1e-9, 5e-8), difference("b1", 1e-9, 5e-8))
    assert [row.obtained for row in rows] == ["5.0e-08"] * 2
    assert [row.verdict.tone for row in rows] == ["good", "bad"]


def test_a_mistake_is_judged_by_where_it_shows() -> None:
    check = {"mistake": "constant statistics", "reported": {"W1": 0.46, "W2": 0.04, "W3": 1e-6}}
    rows = gradient_rows(check, difference("W1", 0.3), difference("W2", 1e-9), difference("W3", 1e-9))
    assert [row.verdict.words for row in rows] == [
        "both are wrong", "reported wrong, right with this mistake", "both are right",
    ]  # fmt: skip


def test_mistakes_are_not_counted_among_the_numbers() -> None:
    checks = [{"name": "net", "reported": {"W1": 1e-6}}]
    checks += [{"name": "bad", "mistake": "constant statistics", "reported": {"W1": 0.4}}]
    state = state_of({"gradcheck": checks})
    state.record.checks = {name: [difference("W1", 1e-9)] for name in ("net", "bad")}
    assert [row.of for row in judge.judge_numbers(state, state.study.sections[0])] == ["net"]


def test_a_gradient_of_nan_is_ours_to_be_wrong() -> None:
    """As study.json has it: null."""
    nothing = {**difference("W1", 0.0), "relative": None, "distance": None, "update": None}
    state = state_of({"gradcheck": [{"name": "net", "reported": {"W1": 1e-6}}]})
    record = StudyRecord.model_validate({**state.record.model_dump(), "checks": {"net": [nothing]}})
    state.record = record
    (row,) = judge.judge_numbers(state, state.study.sections[0])
    assert (row.obtained, row.verdict.words) == ("nan", "ours is wrong")


def test_a_check_that_was_not_made_has_no_rows() -> None:
    assert gradient_rows({"reported": {"W1": 0.1}}) == []


# Searches


def test_the_nearest_trials_are_so_in_logarithms_where_they_were_drawn_so() -> None:
    lams = [1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2]
    search = search_of({(lam, 0.1): 0.5 for lam in lams})
    near = judge.nearest_trials(search, search.trials(), {LAMBDA: 1e-3})
    # by the difference alone 1e-5 and 2e-5 would be nearer than 5e-3 and 1e-2
    assert {lams[trial.trial - 1] for trial in near} == {1e-4, 1e-3, 2e-3, 5e-3, 1e-2}
    assert lams[near[0].trial - 1] == 1e-3


def test_the_nearest_trials_count_every_field() -> None:
    search = search_of({(1e-3, eta): 0.5 for eta in (0.02, 0.1, 0.11, 0.12, 0.13, 0.14, 0.4)})
    near = judge.nearest_trials(search, search.trials(), {LAMBDA: 1e-3, ETA: 0.12})
    assert sorted(trial.trial for trial in near) == [2, 3, 4, 5, 6]


def search_rows(trials: dict[tuple[float, float], float], reported: dict[str, Any]) -> list[Judgement]:
    state = state_of({"search": {"config": "c", "reported": reported}})
    state.searches["s"] = search_of(trials)
    return list(judge.judge_numbers(state, state.study.sections[0]))


SPREAD = {(1e-3 * (1 + i / 100), 0.1): 0.50 + 0.01 * i for i in range(5)}  # mean 0.52
FAR = {(5e-5 * (1 + i / 100), 0.1): 0.40 for i in range(5)}


def test_a_reported_trial_is_judged_by_the_five_nearest() -> None:
    reported = {"coarse": [{"values": {LAMBDA: 1e-3}, "train": 0.62, "validation": 0.60}],
                "fine": [{"values": {LAMBDA: 5e-5}, "validation": 0.40}]}  # fmt: skip
    rows = search_rows({**SPREAD, **FAR}, reported)
    told = f"± {np.std([0, 0.01, 0.02, 0.03, 0.04], ddof=1):.4f} (n = 5)"
    above = Verdict("outside the spread: above ours", "bad")
    assert rows == [
        Judgement("coarse: lambda 0.001", "train accuracy", "0.6200", f"0.6200 {told}", INSIDE),
        Judgement("coarse: lambda 0.001", "validation accuracy", "0.6000", f"0.5200 {told}", above),
        Judgement("fine: lambda 5e-05", "validation accuracy", "0.4000", "0.4000 ± 0.0000 (n = 5)", INSIDE),
    ]


def test_the_best_setting_is_judged_by_our_best_and_those_near_it() -> None:
    (near,) = search_rows({**SPREAD, **FAR}, {"best": {LAMBDA: 1e-3, ETA: 0.1}})
    assert near == Judgement(
        "best setting", "values", "lambda 0.001, eta_max 0.1", "lambda 0.00104, eta_max 0.1",
        Verdict("within two standard errors of our best", "good"),
    )  # fmt: skip
    # our best 0.54; a standard error on 1,000 images 0.0101, of a difference from a mean of five 0.0111
    (far,) = search_rows({**SPREAD, **FAR}, {"best": {LAMBDA: 5e-5}})
    assert far.verdict == Verdict("worse than our best by 0.1400", "bad")


def test_a_search_without_finished_trials_has_no_rows() -> None:
    assert search_rows({}, {"best": {LAMBDA: 1e-3}}) == []
