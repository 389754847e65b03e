"""Populations that compare configs, and their members that leave on the way."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import Config, HalvingConfig
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.loop import Metrics
from cifarmlp.training.outcome import Outcome
from cifarmlp.training.together import close_up, share_that_stays, train_together

CYCLES = ("training.schedule={kind: cyclic, eta_min: 1.0e-3, eta_max: 0.1, n_s: 5, cycles: 3}", "seed=3")
OPTIMISERS = ("sgd", "{kind: nesterov, rho: 0.9}", "adam")
LAMBDAS = (3.0, 0.001, 1.0, 0.01, 0.0)


def members(*settings: str) -> list[Config]:
    """Five configs of one population."""
    return [tiny.config(*CYCLES, *settings, f"training.lambda={lam}") for lam in LAMBDAS]


def metrics(accuracies: list[float], losses: list[float]) -> Metrics:
    return Metrics(np.array(losses), np.array(losses), np.array(accuracies))


@pytest.mark.parametrize(
    ("keep", "stay"), [(0.99, [0, 1, 3]), (0.75, [0, 1, 3]), (0.5, [1, 3]), (0.25, [1]), (0.01, [1])]
)
def test_the_best_members_stay_by_accuracy_then_by_loss(keep: float, stay: list[int]) -> None:
    measured = metrics([0.4, 0.5, np.nan, 0.5], [1.0, 1.1, np.nan, 1.2])
    assert share_that_stays(measured, keep).tolist() == stay


@pytest.mark.parametrize("average", ["null", "0.9"])
@pytest.mark.parametrize("dropout", ["0.0", "0.3"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_population_that_closed_up_goes_on_as_before(optimiser: str, dropout: str, average: str) -> None:
    configs = members(
        f"training.optimiser={optimiser}", f"network.dropout={dropout}", f"training.average={average}"
    )
    images = split_images(configs[0], tiny.dataset())
    whole = build_training(configs, images)
    whole.run_until(lambda: whole.step == 10)
    stay = np.array([1, 4])
    smaller = close_up(whole, [configs[k] for k in stay], images, stay)
    for training in (whole, smaller):
        training.run_until(lambda: False)
    for name, array in smaller.evaluated.parameters().items():
        np.testing.assert_allclose(array, whole.evaluated.parameters()[name][stay], rtol=1e-4, atol=1e-5)
    assert smaller.step == whole.step == 30


def test_members_that_leave_end_at_the_cycle_and_the_others_as_without_them() -> None:
    configs = members()
    whole = train_together(configs, tiny.dataset())
    found = train_together(configs, tiny.dataset(), halving=HalvingConfig(keep=0.6, at=(1, 2)))
    ends = [outcome.steps for outcome in found]
    assert sorted(ends) == [10, 10, 20, 20, 30]
    best = ends.index(30)
    for part, quantity in product(("train", "validation"), ("loss", "accuracy")):
        there = whole[best].metric(part, quantity)
        assert found[best].metric(part, quantity) == pytest.approx(there, abs=1e-4)
    for outcome in found:
        behind = f"behind others at step {outcome.steps}"
        assert outcome.stopped == ("" if outcome is found[best] else behind)
        assert outcome.status == "finished"
    early = found[ends.index(10)]
    assert set(early.metrics) == {"validation"}
    assert 0 < early.seconds < found[ends.index(20)].seconds < found[best].seconds


def test_a_member_that_diverged_leaves_as_such() -> None:
    configs = members()
    wild = configs[0].training.model_copy(update={"lam": 1e30})
    outcomes = train_together(
        [configs[0].model_copy(update={"training": wild}), *configs[1:]], tiny.dataset(),
        halving=HalvingConfig(keep=0.5, at=(1,)),
    )  # fmt: skip
    assert (outcomes[0].status, outcomes[0].stopped) == ("diverged", "")
    assert outcomes[0].diverged_at is not None


@pytest.mark.parametrize("halving", [None, HalvingConfig(keep=0.5, at=(1, 2))])
@pytest.mark.parametrize("asked", [1, 12, 22])
def test_a_population_that_is_stopped_has_no_outcomes(halving: HalvingConfig | None, asked: int) -> None:
    count = 0

    def stop() -> bool:
        nonlocal count
        count += 1
        return count > asked

    assert train_together(members(), tiny.dataset(), stop, halving) == []


def test_outcomes_of_a_population_name_their_seeds() -> None:
    outcomes = train_together(members(), tiny.dataset())
    assert [replace(each, seconds=0.0, metrics={}) for each in outcomes] == [
        Outcome("finished", 30, outcomes[0].epochs, 0.0, {}, 3)
    ] * 5
