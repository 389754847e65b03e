"""Estimates of time and memory, of trainings in folders and of populations."""

import time
from math import isfinite
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.config import Config, find_config, load_config
from cifarmlp.data import load
from cifarmlp.training import cost, estimate
from cifarmlp.training.estimate import FOLDER, START, WORKERS, Estimate, Pace

MB = 1e6
TEN_MS, A_MS = 0.01, 0.001  # of a step, and of an image evaluated


def config(*settings: str) -> Config:
    return load_config(find_config("quickstart"), ["training.steps=200", *settings])


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whichever population it is takes 10 ms a step and 1 ms an image; the members of those measured."""
    measured: list[int] = []

    def measure(configs: list[Config], threads: int, in_folders: bool) -> Pace:
        measured.append(len(configs))
        return Pace(TEN_MS, A_MS)

    monkeypatch.setattr(estimate, "measure_pace", measure)
    return measured


def seconds(*configs: Config, jobs: int = 1, members: int = 1, in_folders: bool = True) -> float:
    return estimate.estimate([[each] * members for each in configs], jobs, in_folders).seconds


@pytest.mark.usefixtures("paces")
def test_a_training_is_its_steps_its_evaluations_and_its_files() -> None:
    whole = START + FOLDER
    each = 49_000 + 1000
    # Before the first step and at the end; of the test images at the end.
    assert seconds(config()) == pytest.approx(whole + 2.0 + 2 * each * A_MS + 10_000 * A_MS)
    assert seconds(config("training.steps=980")) == pytest.approx(whole + 9.8 + (3 * each + 10_000) * A_MS)
    some = config("training.steps=980", "training.evaluate_images=500", "training.evaluate_test=true")
    evaluated = each + 2 * (500 + 1000 + 10_000) + 10_000
    assert seconds(some) == pytest.approx(whole + 9.8 + evaluated * A_MS)
    few = config("data.train_images=1000", "data.test_images=10", "data.validation=0")
    assert seconds(few) == pytest.approx(whole + 2.0 + (21 * 1000 + 10) * A_MS)


@pytest.mark.usefixtures("paces")
def test_a_population_is_evaluated_at_its_end() -> None:
    assert seconds(config(), in_folders=False) == pytest.approx(START + 2.0 + 50_000 * A_MS)


def test_each_kind_of_network_is_measured_once(paces: list[int]) -> None:
    a, b = config(), config("network.hidden=[9]")
    both = seconds(a, a, b, config("seed=4", "training.lambda=0.1", "network.init=xavier"))
    assert paces == [1, 1]
    assert both == pytest.approx(3 * seconds(a) + seconds(b))
    seconds(a, a, members=3)
    assert paces[4:] == [3]


@pytest.mark.usefixtures("paces")
def test_trainings_in_lockstep_have_a_folder_each() -> None:
    assert seconds(config(), members=3) == pytest.approx(seconds(config()) + 2 * (START + FOLDER))
    alone = seconds(config(), in_folders=False)
    assert seconds(config(), members=3, in_folders=False) == pytest.approx(alone)


@pytest.mark.usefixtures("paces")
def test_time_is_shared_by_the_jobs() -> None:
    one = seconds(config())
    assert seconds(*[config()] * 4, jobs=2) == pytest.approx(WORKERS + 2 * one)
    assert seconds(config(), config(), jobs=8) == pytest.approx(WORKERS + one)
    long = config("training.steps=20000")
    assert seconds(long, config(), jobs=2) == pytest.approx(WORKERS + seconds(long))


@pytest.mark.usefixtures("paces")
def test_memory_is_that_of_the_largest_population() -> None:
    def taken(*counts: int, of: Config) -> float:
        return estimate.estimate([[of] * count for count in counts], 1).bytes

    plain = config()
    member = taken(2, of=plain) - taken(1, of=plain)
    assert taken(1, 9, 4, of=plain) == pytest.approx(taken(1, of=plain) + 8 * member)
    assert taken(1, of=config("network.hidden=[800, 6]")) > taken(1, of=plain) + 10 * member
    assert taken(1, of=config("training.optimiser=momentum")) > taken(1, of=plain)


@pytest.mark.usefixtures("paces")
def test_in_lockstep_each_network_is_in_memory_twice() -> None:
    def taken(members: int) -> float:
        return estimate.estimate([[config()] * members], 1, in_folders=True).bytes

    member = (taken(2) - taken(1)) / 3
    assert taken(4) == pytest.approx(taken(1) + 7 * member)


def test_nothing_to_train_takes_nothing() -> None:
    assert estimate.estimate([], 2) == Estimate(0, 0)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["training.schedule={kind: constant, eta: 1.0e+30}"],  # diverges at once
        ["training.batch_size=5000", "training.average=0.9", "data.augment={mixup: 0.2}"],
        ["training.steps=4900", "network.hidden=[]"],
    ],
)
def test_an_estimate_is_measured(settings: list[str]) -> None:
    found = estimate.estimate([[config(*settings)] * 2], 1)
    assert isfinite(found.seconds)
    assert 0.5 < found.seconds < 500
    assert cost.PROCESS_BYTES < found.bytes < 1000 * MB


@pytest.mark.slow
def test_an_estimate_holds_within_a_factor_of_two_on_a_busy_machine(tmp_path: Path) -> None:
    dataset, whole = load("synthetic"), config("training.steps=1470")
    expected, start = seconds(whole), time.perf_counter()
    tiny.train_into(tmp_path / "run", whole, dataset)
    assert 0.5 < (time.perf_counter() - start) / expected < 2


def test_a_network_beyond_the_memory_is_not_built_to_be_measured() -> None:
    with pytest.raises(MemoryError, match=r"it takes about \d{3}\.\d GB, and"):
        estimate.measure_pace([config("network.hidden=[100000,100000,100000]")], 1, True)
