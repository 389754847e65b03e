"""Trainings in lockstep leave, to the bit, what each leaves alone."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cifarmlp.config import Config
from cifarmlp.nn import Float, layers
from cifarmlp.training import run, workers
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.workers import SeedTask, group_tasks
from tests.helpers import tiny

MEMBERS = (
    ["name=he"],
    ["name=small", "network.init={sigma: 0.01}", "training.lambda=0.02"],
    ["name=fast", "network.init=xavier", "training.schedule.eta_max=0.3"],
)


@pytest.fixture(autouse=True)
def no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_draw", lambda session: None)


def configs(*settings: str, members: Sequence[Sequence[str]] = MEMBERS) -> list[Config]:
    return [tiny.config(*settings, *own) for own in members]


def places(folder: Path, configs: Sequence[Config]) -> dict[Path, Config]:
    return {folder / config.name: config for config in configs}


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["network.batch_norm=false"],
        ["network.hidden=[9, 8, 7, 6, 5]", "training.batch_size=64", "data.last_batch=keep"],
        ["network.hidden=[]"],
        ["network.hidden=[11]", "data.validation=0", "training.batch_size=390", "training.steps=20"],
        ["network.batch_norm={position: after}", "network.activation=gelu"],
        ["network.activation=tanh", "network.dropout={input: 0.2, hidden: 0.4}"],
        ["training.optimiser={kind: momentum, rho: 0.8}", "training.lambda=0.2"],
        ["training.optimiser={kind: nesterov, rho: 0.8}", "network.activation=elu"],
        ["training.optimiser=adam", "training.schedule.eta_max=0.01"],
        ["training.optimiser=adamw", "training.average=0.9", "network.activation=sigmoid"],
        ["training.loss=hinge", "data.label_noise=0.2"],
        ["training.loss=binary_cross_entropy", "data.scaling=unit"],
        ["training.loss={kind: cross_entropy, label_smoothing: 0.1}", "data.validation_from=random"],
        ["data.augment={flip: 0.5, shift: 2, noise: 0.1, cutout: 4, mixup: 0.2}", "data.train_images=300"],
        ["training.keep=best", "training.evaluate_test=true", "training.average=0.9"],
        ["training.keep=best", "training.patience=2", "training.evaluate_every={steps: 5}"],
        ["training.snapshots=true", "training.schedule.n_s=10", "training.schedule.cycles=2"],
        ["training.steps=0"],
        ["training.evaluate_every={steps: 7}", "training.evaluate_images=50"],
    ],
)
def test_folders_have_the_bits_of_trainings_alone(tmp_path: Path, settings: list[str]) -> None:
    compare_with_alone(tmp_path, configs(*settings))


def compare_with_alone(tmp_path: Path, together: Sequence[Config]) -> None:
    """Train configs together, unless they were, and each alone; their folders must be the same."""
    if not (tmp_path / "together").exists():
        run.train_into(places(tmp_path / "together", together), tiny.dataset(), 1)
    for folder, config in places(tmp_path / "alone", together).items():
        tiny.train_into(folder, config, tiny.dataset(), 1)
        assert files_of(tmp_path / "together" / config.name) == files_of(folder)


def files_of(folder: Path) -> dict[str, Any]:
    more = sorted(folder.glob("snapshot-*.npz")) + sorted(folder.glob("batch_loss.csv"))
    return tiny.results(folder) | {path.name: path.read_bytes() for path in more}


def test_one_that_diverges_leaves_and_the_others_go_on(tmp_path: Path) -> None:
    wild = ["name=wild", "network.init={sigma: 30.0}", "training.schedule.eta_max=1000"]
    wilder = ["name=wilder", "network.init={sigma: 1.0e+15}"]
    settings = ["network.batch_norm=false", "training.evaluate_every={steps: 3}"]
    together = configs(*settings, members=[wild, *MEMBERS, wilder])
    compare_with_alone(tmp_path, together)
    outcomes = [tiny.results(folder)["result"] for folder in places(tmp_path / "together", together)]
    assert [outcome["status"] for outcome in outcomes] == ["diverged", *["finished"] * 3, "diverged"]
    assert len({outcome["diverged_at"] for outcome in outcomes}) == 3


def test_gradients_that_vanish_are_looked_at_one_by_one(tmp_path: Path) -> None:
    vanishing = ["name=vanishing", "network.init={sigma: 1.0e-5}"]
    settings = ["network.batch_norm=false", "network.hidden=[8, 8, 8, 8, 8, 8, 8, 8]"]
    compare_with_alone(tmp_path, configs(*settings, members=[vanishing, *MEMBERS]))


def test_each_has_its_own_patience(tmp_path: Path) -> None:
    slow = ["name=slow", "training.schedule.eta_max=0.0001"]
    together = configs("training.patience=2", "training.evaluate_every={steps: 4}", members=[slow, *MEMBERS])
    compare_with_alone(tmp_path, together)
    steps = {tiny.results(folder)["result"]["steps"] for folder in places(tmp_path / "together", together)}
    assert len(steps) > 2


@pytest.mark.parametrize("step", [0, 7, 15, 40, 79])
def test_one_that_was_stopped_goes_on_to_the_same_bits(tmp_path: Path, step: int) -> None:
    together = configs("training.optimiser={kind: momentum, rho: 0.9}", "network.dropout=0.2")
    stop = stop_after(step)
    outcomes = run.train_into(places(tmp_path / "together", together), tiny.dataset(), 1, stop=stop)
    assert {outcome.status for outcome in outcomes} == {"interrupted"}
    outcomes = run.train_into(places(tmp_path / "together", together), tiny.dataset(), 1)
    assert {outcome.status for outcome in outcomes} == {"finished"}
    compare_with_alone(tmp_path, together)


def test_those_that_have_come_further_go_on_to_the_same_bits(tmp_path: Path) -> None:
    together = configs("training.evaluate_every={steps: 4}")
    for steps, (folder, config) in enumerate(places(tmp_path / "together", together).items()):
        tiny.train_into(folder, config, tiny.dataset(), 1, stop=stop_after(20 * (steps + 1)))
    run.train_into(places(tmp_path / "together", together), tiny.dataset(), 1)
    compare_with_alone(tmp_path, together)


def stop_after(calls: int) -> Callable[[], bool]:
    numbers = itertools.count(1)
    return lambda: next(numbers) > calls


def test_the_time_is_divided_among_those_at_work(tmp_path: Path) -> None:
    together, start = configs("training.steps=400"), time.perf_counter()
    outcomes = run.train_into(places(tmp_path, together), tiny.dataset(), 1)
    passed = time.perf_counter() - start
    shares = [outcome.seconds for outcome in outcomes]
    assert 0.3 * passed < sum(shares) < passed
    assert max(shares) < 2 * min(shares)


def test_records_come_in_the_order_of_the_trainings(tmp_path: Path) -> None:
    seen: list[tuple[float, int]] = []
    together = configs("training.steps=30")

    def watch(training: Training, record: Record) -> None:
        seen.append((float(training.lam[0]), record.step))

    run.train_into(places(tmp_path, together), tiny.dataset(), 1, watch)
    assert seen == [(np.float32(c.training.lam), step) for step in (0, 15, 30) for c in together]


@pytest.mark.parametrize("norm", ["true", "false"])
@pytest.mark.parametrize("hidden", ["[8, 2]", "[1]"])
def test_where_bits_would_differ_they_train_one_by_one(tmp_path: Path, hidden: str, norm: str) -> None:
    settings = [f"network.hidden={hidden}", f"network.batch_norm={norm}"]
    compare_with_alone(tmp_path, configs(*settings, "training.evaluate_every={steps: 10}"))


def test_other_bits_are_noticed_at_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = layers.multiply

    def other(x: Float, W: Float, out: Float) -> None:
        multiply(x, W, out)
        out *= np.float32(1 + 1e-6 * (len(W) > 1))  # as with a processor whose products of several differ

    monkeypatch.setattr(layers, "multiply", other)
    compare_with_alone(tmp_path, configs())


def test_one_that_has_ended_keeps_its_outcome_when_the_others_are_stopped(tmp_path: Path) -> None:
    wild = ["name=wild", "network.init={sigma: 30.0}", "training.schedule.eta_max=1000"]
    together = configs("network.batch_norm=false", members=[wild, *MEMBERS])
    outcomes = run.train_into(places(tmp_path, together), tiny.dataset(), 1, stop=stop_after(60))
    assert [outcome.status for outcome in outcomes] == ["diverged", *["interrupted"] * 3]
    assert tiny.results(tmp_path / "wild")["result"]["diverged_at"] is not None


# Which train together


def task(name: str, *settings: str) -> SeedTask:
    return SeedTask(tiny.config(f"name='{name}'", *settings), Path(name), None, 1, strict=False)


def names(groups: Sequence[Sequence[SeedTask]]) -> list[str]:
    return [" ".join(task.config.name for task in group) for group in groups]


ALIKE = [task(str(n), f"network.init={{sigma: 0.0{n}}}") for n in range(1, 7)]
OTHERS = [task("a", "seed=2"), task("b", "network.hidden=[7]"), task("c", "training.steps=40")]


@pytest.mark.parametrize(
    ("tasks", "jobs", "expected"),  # with 8 cores
    [
        (ALIKE[:4], 1, ["1 2 3 4"]),
        (ALIKE, 1, ["1 2 3", "4 5 6"]),
        (ALIKE[:4], 2, ["1 2", "3 4"]),
        (ALIKE[:3], 2, ["2 3", "1"]),
        (ALIKE[:2], 8, ["1", "2"]),
        ([*ALIKE[:4], *OTHERS], 2, ["1 2 3 4", "a", "b", "c"]),
        ([*OTHERS[1:], *ALIKE[:4]], 2, ["1 2", "3 4", "b", "c"]),
        (OTHERS, 2, ["a", "b", "c"]),
        ([], 2, []),
        ([], 0, []),
    ],
)
def test_as_many_are_together_as_leave_no_job_idle(
    tasks: list[SeedTask], jobs: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 8)
    assert names(group_tasks(tasks, jobs)) == expected


def test_large_and_narrow_networks_train_alone_and_so_do_all_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for sizes in ("[2000]", "[8, 3]"):
        alone = [task(name, f"network.hidden={sizes}", "training.batch_size=100") for name in "ab"]
        assert names(group_tasks(alone, 1)) == ["a", "b"]
    for memory, expected in ((190e6, ["1", "2"]), (1e9, ["1 2"])):
        monkeypatch.setattr(workers, "free_memory", lambda memory=memory: memory)
        assert names(group_tasks(ALIKE[:2], 1)) == expected


def test_more_jobs_than_cores_give_up_no_lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 2)
    assert names(group_tasks(ALIKE[:4], 8)) == ["1 2", "3 4"]
