"""Trials in lockstep: the same networks as alone, which ones go together, and what that costs."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from helpers.searching import few_images
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from cifarmlp.config import Config, override_with
from cifarmlp.data import Images, Split
from cifarmlp.nn.types import Float
from cifarmlp.search import populations
from cifarmlp.search.populations import Member
from cifarmlp.search.populations import group_into_populations as group
from cifarmlp.training import cost
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.cost import free_memory, member_bytes
from cifarmlp.training.together import train_together

SOME = (0, 1, 4, 6, 15)  # members that are trained alone, too
INITS: list[Any] = ["he", "xavier", {"sigma": 0.02}]
SMALL = {"network.hidden": [8, 6], "data.source": "synthetic", "training.batch_size": 20}
PLENTY = 1e12  # bytes
MB = 1e6


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As many would wait for each other where the cores are shared."""
    with threadpool_limits(1, user_api="blas"):
        yield


# Together as alone


def different(count: int, **common: Any) -> list[Config]:
    """Configs that differ in lambda, rates and init, and in nothing else."""
    base = override_with(Config(), SMALL | common)
    return [
        override_with(
            base,
            {
                "training.lambda": [0, 0.1, 1e-3, 0.01][k % 4],
                "network.init": INITS[k % 3],
                "training.schedule": {"eta_min": 2e-5 * (k + 1), "eta_max": 2e-4 * (k + 1), "n_s": 50},
            },
        )
        for k in range(count)
    ]


@cache
def some_images() -> Split:
    """The first few of the few."""
    train = few_images().train
    parts = [Images(train.pixels[a:b], train.labels[a:b]) for a, b in ((0, 300), (300, 360))]
    return Split(*parts, parts[1])


def arrays(configs: list[Config], dtype: type[np.floating]) -> dict[str, Float]:
    """Parameters and running averages, (K, ...) each, after the training."""
    training = build_training(configs, some_images(), dtype)
    *_, last = training.records()
    assert last.step == 200
    return {**training.network.parameters(), **training.network.running_averages()}


@cache
def alone(k: int, batch_norm: bool, dtype: type[np.floating]) -> dict[str, Float]:
    config = sixteen(batch_norm)[k]
    return {name: array[0] for name, array in arrays([config], dtype).items()}


def sixteen(batch_norm: bool) -> list[Config]:
    common = {"network.batch_norm": batch_norm, "training.steps": 200, "training.evaluate_every": 100}
    return different(16, **common)


@pytest.mark.parametrize("members", [1, 2, 7, 16])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-10)])
def test_after_200_steps_members_are_what_they_are_alone(
    members: int, batch_norm: bool, dtype: type[np.floating], tolerance: float
) -> None:
    together = arrays(sixteen(batch_norm)[:members], dtype)
    for k in (k for k in SOME if k < members):
        for name, array in alone(k, batch_norm, dtype).items():
            assert np.linalg.norm(together[name][k] - array) <= tolerance * np.linalg.norm(array), (k, name)


def test_members_differ_from_one_another() -> None:
    # else the test above could not tell one from another
    weights = [alone(k, True, np.float64)["W1"] for k in SOME]
    for one, other in itertools.combinations(weights, 2):
        assert np.linalg.norm(one - other) > 0.01 * np.linalg.norm(one)


# Which ones go together


FREELY: dict[str, list[Any]] = {
    "training.lambda": [0.1, 0.2],
    "network.init": ["xavier", {"sigma": 0.02}],
    "training.schedule.eta_min": [0, 1e-6],
    "training.schedule.eta_max": [0.2, 0.3],
    "name": ["other"],
}
NEVER: dict[str, list[Any]] = {
    "seed": [1, 2],  # the first is as it is anyway
    "network.hidden": [[8], [400, 8], []],
    "network.batch_norm": [True, {"momentum": 0.5}],
    "training.batch_size": [50],
    "training.optimiser": ["momentum", {"kind": "momentum", "rho": 0.5}],
    "training.schedule.n_s": [10],
    "training.schedule.cycles": [1],
    "training.schedule": [{"kind": "constant"}, {"kind": "constant", "decay": 0.5}],
    "training.steps": [30],
    "data.validation": [2000],
    "data.source": ["synthetic"],
    "data.augment": [{"flip": 0.5}],
    "data.label_noise": [0.1],
}


def listed(fields: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(key, value) for key, values in fields.items() for value in values]


@cache
def config_with(kind: int, free: int) -> Config:
    """One that has one thing changed that members must share, and one that they need not."""
    config = override_with(Config(), dict(listed(NEVER)[kind : kind + 1]))
    key, value = [*listed(FREELY), ("name", "c")][free]
    if config.training.schedule.kind == "constant" and "schedule" in key:
        key = "training.schedule.eta"
    return override_with(config, {key: value or 0.1})


def rest(config: Config) -> str:
    """All that members of a population must have in common."""
    values = config.model_dump()
    del values["name"], values["network"]["init"], values["training"]["lam"]
    for rate in ("eta", "eta_min", "eta_max"):
        values["training"]["schedule"].pop(rate, None)
    return str(values)


kinds = st.lists(st.integers(0, len(listed(NEVER)) - 1), max_size=4, unique=True).map(lambda some: [0, *some])
configs = kinds.flatmap(
    lambda some: st.lists(
        st.builds(config_with, st.sampled_from(some), st.integers(0, len(listed(FREELY)))), max_size=80
    )
)
cores = st.integers(1, 9)
memories = st.sampled_from([0.0, 400 * MB, 1000 * MB, PLENTY])


def numbered(some: Sequence[Config]) -> list[Member]:
    return [Member(number, config) for number, config in enumerate(some, 1)]


def sizes(parts: list[list[Member]]) -> list[int]:
    return [len(part) for part in parts]


@pytest.mark.parametrize("kind", range(1, len(listed(NEVER))), ids=lambda kind: listed(NEVER)[kind][0])
def test_what_must_be_the_same_keeps_trials_apart(kind: int) -> None:
    parts = group(numbered([config_with(0, 0), config_with(kind, 0), config_with(0, 1)]), 1, PLENTY)
    assert [[member.trial for member in part] for part in parts] == [[1, 3], [2]]


@pytest.mark.parametrize("free", range(len(listed(FREELY))), ids=lambda free: listed(FREELY)[free][0])
def test_what_may_differ_does_not(free: int) -> None:
    parts = group(numbered([config_with(0, len(listed(FREELY))), config_with(0, free)]), 1, PLENTY)
    assert sizes(parts) == [2]


@given(configs, cores, memories)
def test_whatever_the_trials(some: list[Config], cores: int, memory: float) -> None:
    parts = group(numbered(some), cores, memory)
    trials = [member.trial for part in parts for member in part]
    assert sorted(trials) == list(range(1, len(some) + 1))
    assert len(parts) >= min(len(some), cores)
    by_kind: dict[str, list[int]] = {}
    for part in parts:
        (kind,) = {rest(member.config) for member in part}
        by_kind.setdefault(kind, []).append(len(part))
        assert [member.trial for member in part] == sorted(member.trial for member in part)
        assert 1 <= len(part) <= 16
        needed = cost.PROCESS_BYTES + len(part) * member_bytes(part[0].config)
        assert len(part) == 1 or cores * needed <= memory
    assert all(max(counts) - min(counts) <= 1 for counts in by_kind.values())


@given(configs, cores, st.randoms(use_true_random=False))
def test_sizes_do_not_depend_on_the_order(some: list[Config], cores: int, random: Any) -> None:
    def kinds_and_sizes() -> Counter[tuple[str, int]]:
        parts = group(numbered(some), cores, PLENTY)
        return Counter((rest(part[0].config), len(part)) for part in parts)

    before = kinds_and_sizes()
    random.shuffle(some)
    assert kinds_and_sizes() == before


@pytest.mark.parametrize(
    ("count", "cores", "expected"),
    [
        (1, 2, [1]),
        (2, 2, [1, 1]),
        (16, 1, [16]),
        (17, 1, [8, 9]),
        (50, 1, [12, 13, 12, 13]),
        (50, 2, [12, 13, 12, 13]),
        (48, 2, [12, 12, 12, 12]),  # three of 16 would leave a core with nothing to do in the end
        (5, 3, [1, 2, 2]),
        (150, 2, [15] * 10),
    ],
)
def test_how_many_go_together(count: int, cores: int, expected: list[int]) -> None:
    assert sizes(group(numbered(different(count)), cores, PLENTY)) == expected


def test_wide_networks_go_in_smaller_parties() -> None:
    parts = group(numbered(different(16, **{"network.hidden": [400, 50]})), 1, PLENTY)
    assert sizes(parts) == [4, 4, 4, 4]
    parts = group(numbered(different(3, **{"network.hidden": [2000]})), 1, PLENTY)
    assert sizes(parts) == [1, 1, 1]


def test_little_memory_makes_smaller_parties_and_more_processes_take_more_of_it() -> None:
    some = numbered(different(16))
    room = cost.PROCESS_BYTES + 4.5 * member_bytes(some[0].config)
    for cores in (1, 2, 4):
        memory = cores * room / populations.SHARE_OF_MEMORY
        assert set(sizes(group(some, cores, memory))) == {4}
        assert max(sizes(group(some, 2 * cores, memory))) == 1


def test_no_trials_make_no_populations() -> None:
    assert group([], 2, PLENTY) == []


# Memory: cifarmlp/training/cost.py


def test_free_memory_is_some_and_no_more_than_there_is() -> None:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 50 * MB < free_memory() <= whole


# Training together


@pytest.fixture
def trained() -> list[Config]:
    """Four configs that end after so few steps."""
    common = {"data.validation": 400, "training.steps": 30, "network.batch_norm": False}
    return different(4, **common)


class Untouchable:
    """Stands for images that nobody may look at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"the test images were looked at: {name}")

    __len__ = __getitem__ = __array__ = __iter__ = lambda self, *args: Untouchable.__getattribute__(self, "")


def test_accuracies_are_those_of_the_population_and_the_test_images_stay_out(trained: list[Config]) -> None:
    dataset = few_images()
    training = build_training(trained, split_images(trained[0], dataset))
    *_, last = training.records()
    hidden: Any = Untouchable()
    with pytest.raises(AssertionError, match="looked at"):
        len(hidden)
    outcomes = train_together(trained, replace(dataset, test=hidden))
    for k, outcome in enumerate(outcomes):
        assert (outcome.status, outcome.steps, outcome.seed) == ("finished", 30, 1)
        assert outcome.seconds > 0
        assert set(outcome.metrics) == {"train", "validation"}
        for part in ("train", "validation"):
            for quantity in ("cost", "loss", "accuracy"):
                assert outcome.metrics[part][quantity] == getattr(getattr(last, part), quantity)[k]
    assert len({outcome.metrics["validation"]["loss"] for outcome in outcomes}) == 4


def test_a_member_that_diverges_leaves_the_others_as_they_are(trained: list[Config]) -> None:
    hot = override_with(trained[2], {"training.schedule.eta_max": 1e30})
    calm = train_together(trained, few_images())
    wild = train_together([*trained[:2], hot, trained[3]], few_images())
    assert [outcome.status for outcome in wild] == ["finished", "finished", "diverged", "finished"]
    assert 0 < (wild[2].diverged_at or 0) < 30
    assert np.isnan(wild[2].metrics["validation"]["accuracy"])
    for k in (0, 1, 3):
        assert wild[k].metrics == calm[k].metrics


def test_where_all_diverge_each_has_an_outcome(trained: list[Config]) -> None:
    hot = [override_with(config, {"training.schedule.eta_max": 1e30}) for config in trained]
    outcomes = train_together(hot, few_images())
    assert [outcome.status for outcome in outcomes] == ["diverged"] * 4
    assert outcomes[0].steps < 30


def test_no_steps_are_an_evaluation(trained: list[Config]) -> None:
    untrained = [override_with(config, {"training.steps": 0}) for config in trained[:2]]
    outcomes = train_together(untrained, few_images())
    assert [outcome.status for outcome in outcomes] == ["finished"] * 2
    assert outcomes[0].metrics["validation"]["accuracy"] == pytest.approx(0.1, abs=0.05)


def times_asked(configs: list[Config]) -> int:
    """How often a population asks whether to stop: after each step, and within the evaluations."""
    asked: list[int] = []
    train_together(configs, few_images(), lambda: bool(asked.append(1)))  # type: ignore[func-returns-value]
    return len(asked)


def stopped_at(asked: int, configs: list[Config]) -> list[str]:
    """The status of the outcomes where the answer is yes from so many askings on."""
    times = itertools.count(1)
    outcomes = train_together(configs, few_images(), lambda: next(times) >= asked)
    return [outcome.status for outcome in outcomes]


def test_stopped_before_the_last_evaluation_is_over_there_is_no_outcome(trained: list[Config]) -> None:
    most = times_asked(trained)
    for asked in (1, 10, most // 2, most - 1):  # within the first evaluation, on the way, within the last
        assert stopped_at(asked, trained) == []


def test_stopped_after_the_last_evaluation_there_are_outcomes(trained: list[Config]) -> None:
    assert stopped_at(times_asked(trained), trained) == ["finished"] * 4
