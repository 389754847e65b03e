"""Checkpoints: with one a training goes on to the same bits, and a damaged one is never used."""

import io
import json
import os
import pickle
import random
import shutil
import time
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny

from cifarmlp import files as files_
from cifarmlp.config import Config, override_with
from cifarmlp.errors import CifarmlpWarning, ConfigError, RunFolderError
from cifarmlp.training import checkpoint
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.checkpoint import NAMES, NEXT, NOW, PREVIOUS, Checkpoint, Keeper
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.run import train_into

DATASET = tiny.dataset()
NORM, PLAIN = (), ("network.batch_norm=false",)
MOMENTUM = ("training.optimiser={kind: momentum, rho: 0.9}",)
HERE = {"numpy": "2.0", "threads": None}


@pytest.fixture(autouse=True)
def _quick_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())


@pytest.fixture
def at_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints at every record, however long they take."""
    monkeypatch.setattr(checkpoint, "MOST_OF_TIME", 1e9)


def training(*settings: str, members: int = 1) -> Training:
    config = tiny.config(*settings)
    configs = [override_with(config, {"seed": seed}) for seed in range(members)]
    return build_training(configs, split_images(config, DATASET))


def arrays(run: Training) -> dict[str, np.ndarray]:
    """All that the training came to."""
    velocities = {f"v{n}": v for n, v in enumerate(run.optimiser.velocities)}
    return {**run.network.parameters(), **run.network.running_averages(), **velocities}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def numbers(records: Iterable[Record]) -> list[str]:
    """All that the records say, of members that have diverged too."""
    parts = [(r.step, [r.eta, *vars(r.train).values(), *vars(r.validation).values()]) for r in records]
    return [f"{step} {np.ravel(values).tolist()}" for step, values in parts]


# -------------------------------------------------------------------------------------------- state, restore


@pytest.mark.parametrize("kind", [NORM, PLAIN, MOMENTUM, PLAIN + MOMENTUM])
@pytest.mark.parametrize("at", [0, 1, tiny.EPOCH - 1, tiny.EPOCH, tiny.EPOCH + 4, tiny.STEPS - 1])
def test_a_training_restored_at_any_step_goes_on_to_the_same_bits(at: int, kind: tuple[str, ...]) -> None:
    through, part, rest = (training(*kind, members=2) for _ in range(3))
    records = list(through.records())
    part.stop = lambda: part.recorded >= 0 and part.step == at
    before = list(part.records()) if at else []
    assert part.step == at
    rest.restore(part.state())
    assert numbers([*before, *rest.records()]) == numbers(records)
    assert_same(arrays(rest), arrays(through))


def test_a_restored_training_that_was_over_is_over_and_has_no_record_to_make() -> None:
    through, again = training(), training()
    list(through.records())
    again.restore(through.state())
    assert through.over
    assert again.over
    assert list(again.records()) == []
    assert_same(arrays(again), arrays(through))


@pytest.mark.parametrize("kind", [NORM, PLAIN])
@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("steps", [18, 20, 23, 24, 30])
def test_a_last_evaluation_that_was_cut_short_is_made_again_to_the_same_bits(
    steps: int, chunk: int, kind: tuple[str, ...]
) -> None:
    settings = (*kind, f"training.steps={steps}")  # the ends of epochs and others
    through, part, rest = (training(*settings) for _ in range(3))
    *_, last = through.records()
    asked: list[int] = []

    def stop() -> bool:
        asked.extend([1] if part.step == steps else [])
        return len(asked) == chunk

    part.stop = stop
    list(part.records())
    assert part.step == steps
    assert not part.over
    assert np.all(part.state()["scale1"] == 1)  # all of an evaluation sees the weights as they are saved
    rest.restore(part.state())
    (record,) = rest.records()
    assert numbers([record]) == numbers([last])
    assert rest.over


def test_the_scale_of_a_state_is_as_it_was_folded_or_not() -> None:
    run = training()
    scales: list[float] = []
    run.stop = lambda: bool(scales.append(float(run.state()["scale1"].min())))  # type: ignore[func-returns-value]
    list(run.records())
    assert min(scales) < 1
    assert sum(b > a for a, b in pairwise(scales)) >= 3  # folded on the way


LAYERS = {"W1", "scale1", "W2", "W3", "b3"}
NORMS = {"gamma1", "beta1", "averages1", "gamma2", "beta2", "averages2"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (NORM, LAYERS | NORMS),
        (PLAIN, LAYERS | {"b1", "b2"}),
        (MOMENTUM, LAYERS | NORMS | {f"velocity{n}" for n in range(8)}),
        (PLAIN + MOMENTUM, LAYERS | {"b1", "b2"} | {f"velocity{n}" for n in range(6)}),
    ],
)
def test_a_state_has_every_array_that_a_training_changes(kind: tuple[str, ...], names: set[str]) -> None:
    run = training(*kind)
    assert set(run.state()) == names | {"step", "recorded", "diverged"}
    before = run.state()
    list(run.records())
    after = run.state()
    unchanged = {name for name in names - {"scale1"} if np.array_equal(before[name], after[name])}
    assert not unchanged


def test_a_state_is_a_copy() -> None:
    run = training()
    state = run.state()
    held = {name: array.copy() for name, array in state.items()}
    list(run.records())
    assert_same(state, held)


@pytest.mark.parametrize(
    "other",
    [PLAIN, MOMENTUM, ("network.hidden=[8, 7]",), ("network.hidden=[8]",), ("network.hidden=[8, 6, 6]",)],
)
def test_the_state_of_another_training_is_refused_and_changes_nothing(other: tuple[str, ...]) -> None:
    for mine, theirs in ((training(), training(*other)), (training(*other), training())):
        before = mine.state()
        with pytest.raises(ValueError, match="does not fit"):
            mine.restore(theirs.state())
        assert_same(mine.state(), before)


def test_the_state_of_more_members_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        training(members=2).restore(training(members=3).state())


# ------------------------------------------------------------------------------------------------ save, load


def saved(number: int) -> Checkpoint:
    state = {"W1": np.full((2, 3), number, np.float32), "step": np.array(number)}
    return Checkpoint(state, [{"step": number, "loss": 0.1 * number}], number / 3, "name: a\n", HERE)


def assert_is(found: Checkpoint | None, number: int) -> None:
    assert found is not None
    assert_same(dict(found.arrays), dict(saved(number).arrays))
    assert {**vars(found), "arrays": 0} == {**vars(saved(number)), "arrays": 0}


def loaded(folder: Path) -> Checkpoint | None:
    """What is there, where all of it is whole."""
    found, faults = checkpoint.load(folder)
    assert faults == []
    return found


def test_what_was_saved_is_loaded_and_the_one_before_it_kept(tmp_path: Path) -> None:
    assert loaded(tmp_path) is None
    checkpoint.save(tmp_path, saved(1))
    assert_is(loaded(tmp_path), 1)
    assert [path.name for path in tmp_path.iterdir()] == [NOW]
    checkpoint.save(tmp_path, saved(2))
    assert_is(loaded(tmp_path), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOW, PREVIOUS]
    os.replace(tmp_path / PREVIOUS, tmp_path / NOW)
    assert_is(loaded(tmp_path), 1)


def test_of_a_training_that_ended_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    for number in (1, 2):
        checkpoint.save(tmp_path, saved(number))
    checkpoint.drop_previous(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NOW]
    assert_is(loaded(tmp_path), 2)


def test_rows_with_nan_come_back(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, Checkpoint({}, [{"loss": float("nan")}], 0.0, "", {}))
    found = loaded(tmp_path)
    assert found is not None
    assert np.isnan(found.rows[0]["loss"])


# As a crash leaves the files of the third save: which checkpoint has which name.
CRASHES: dict[str, tuple[dict[str, int], int]] = {
    "before anything": ({NOW: 2, PREVIOUS: 1}, 2),
    "with the new one written": ({NEXT: 3, NOW: 2, PREVIOUS: 1}, 3),
    "between the renames": ({NEXT: 3, PREVIOUS: 2}, 3),
    "after the renames": ({NOW: 3, PREVIOUS: 2}, 3),
    "between the renames of the second save": ({NEXT: 2, PREVIOUS: 1}, 2),
    "in the first save, before its rename": ({NEXT: 1}, 1),
    "with only the previous one left": ({PREVIOUS: 1}, 1),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_after_a_crash_within_a_save_the_newest_whole_checkpoint_is_found(crash: str, tmp_path: Path) -> None:
    files, newest = CRASHES[crash]
    for name, number in files.items():
        checkpoint.save(tmp_path / "made", saved(number)) if (tmp_path / "made").mkdir() is None else None
        (tmp_path / "made" / NOW).rename(tmp_path / name)
        shutil.rmtree(tmp_path / "made")
    assert_is(loaded(tmp_path), newest)
    checkpoint.save(tmp_path, saved(9))
    assert_is(loaded(tmp_path), 9)
    assert not (tmp_path / NEXT).exists()
    (tmp_path / NOW).unlink()
    before, _ = checkpoint.load(tmp_path)
    assert before is not None or newest == 1


def test_a_save_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, saved(1))
    for name in ("fsync", "replace", "chmod"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(RunFolderError, match="No space left on device"):
                checkpoint.save(tmp_path, saved(2))
        assert_is(loaded(tmp_path), 1)
        assert not list(tmp_path.glob(".*"))


# ---------------------------------------------------------------------------------------------------- damage


def torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def short_by_one(data: bytes) -> bytes:
    return data[:-1]


def flipped(data: bytes) -> bytes:
    place = len(data) // 3
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def flipped_at_the_end(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 128])


def emptied(data: bytes) -> bytes:
    return b""


def garbage(data: bytes) -> bytes:
    return random.Random(1).randbytes(len(data))


def appended(data: bytes) -> bytes:
    return data + b"\0"


def without_checksum(data: bytes) -> bytes:
    return data[: -len(checkpoint.TRAILER) - 32]


def text(data: bytes) -> bytes:
    return b"not a checkpoint"


def signed(content: bytes) -> bytes:
    import hashlib

    return content + checkpoint.TRAILER + hashlib.sha256(content).digest()


class _Runs:
    """Unpickled, it makes a folder `ran` where it is."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("ran",)


def pickled(data: bytes) -> bytes:
    return pickle.dumps(_Runs())


def pickled_with_checksum(data: bytes) -> bytes:
    return signed(pickle.dumps(_Runs()))


def objects_with_checksum(data: bytes) -> bytes:
    file = io.BytesIO()
    np.savez(file, about=np.array([_Runs()], object), W1=np.array([_Runs()], object))
    return signed(file.getvalue())


def one_array_with_checksum(data: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return signed(file.getvalue())


def nothing_with_checksum(data: bytes) -> bytes:
    return signed(b"")


def another_archive_with_checksum(data: bytes) -> bytes:
    file = io.BytesIO()
    np.savez(file, about=np.frombuffer(b'{"a": 1}', np.uint8))
    return signed(file.getvalue())


DAMAGE = [torn, short_by_one, flipped, flipped_at_the_end, emptied, garbage, appended, without_checksum, text]
DAMAGE += [pickled, pickled_with_checksum, objects_with_checksum, one_array_with_checksum]
DAMAGE += [nothing_with_checksum, another_archive_with_checksum]


def spoil(path: Path, damage: Callable[[bytes], bytes]) -> None:
    path.write_bytes(damage(path.read_bytes()))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(
    damage: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        checkpoint.save(tmp_path, saved(number))
    spoil(tmp_path / NOW, damage)
    with pytest.warns(CifarmlpWarning, match=f"{NOW}: .*going back to the checkpoint before it"):
        assert_is(Keeper(tmp_path, "name: a\n", HERE).load_to_resume(), 1)
    spoil(tmp_path / PREVIOUS, damage)
    with pytest.warns(CifarmlpWarning) as told:
        assert Keeper(tmp_path, "name: a\n", HERE).load_to_resume() is None
    assert len(told) == 2
    assert not (tmp_path / "ran").exists()


def test_pickles_of_these_tests_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would prove nothing."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickled(b""))
    assert (tmp_path / "ran").exists()


def test_a_checkpoint_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, saved(1))
    (tmp_path / NOW).rename(tmp_path / PREVIOUS)
    (tmp_path / NOW).mkdir()
    found, faults = checkpoint.load(tmp_path)
    assert_is(found, 1)
    assert len(faults) == 1
    assert "Is a directory" in faults[0]


# ------------------------------------------------------------------------------------------- whole trainings


def trained(folder: Path, config: Config, stop: Callable[[Training], bool] = lambda run: False) -> str:
    """Train into a folder; `stop` sees the training at each record. Returns the status."""
    asked: list[bool] = []
    folder.mkdir(exist_ok=True)
    outcome = train_into(
        folder,
        config,
        DATASET,
        threads=1,
        watch=lambda run, record: asked.extend([True] if stop(run) else []),
        stop=lambda: bool(asked),
    )
    return outcome.status


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("through")
    assert trained(folder, tiny.config()) == "finished"
    return folder


def interrupted(folder: Path) -> Path:
    """With a checkpoint and the one before it."""
    assert trained(folder, tiny.config(), lambda run: run.step >= 3 * tiny.EPOCH) == "interrupted"
    assert (folder / PREVIOUS).exists()
    return folder


@pytest.mark.usefixtures("at_every_record")
@pytest.mark.parametrize("damaged", [[], [NOW], [PREVIOUS], [NOW, PREVIOUS]])
def test_a_training_with_damaged_checkpoints_comes_to_the_same_bits(
    damaged: list[str], tmp_path: Path, through: Path
) -> None:
    folder = interrupted(tmp_path / "run")
    for name in damaged:
        spoil(folder / name, flipped)
    first: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CifarmlpWarning)
        status = trained(folder, tiny.config(), lambda run: bool(first.append(run.step)))  # type: ignore[func-returns-value]
    assert status == "finished"
    assert first[0] == (0 if len(damaged) == 2 else 4 * tiny.EPOCH)
    assert tiny.results(folder) == tiny.results(through)


@pytest.mark.usefixtures("at_every_record")
def test_later_or_torn_rows_and_stray_files_do_not_outlast_a_resume(tmp_path: Path, through: Path) -> None:
    folder = interrupted(tmp_path / "run")
    with (folder / "metrics.csv").open("a") as file:
        file.write("60,4.0,0.1,1.2")
    (folder / ".model.npz.abc.tmp").write_bytes(b"half")
    assert trained(folder, tiny.config()) == "finished"
    assert tiny.results(folder) == tiny.results(through)
    assert not list(folder.glob(".*.tmp"))


@pytest.mark.usefixtures("at_every_record")
def test_a_training_whose_last_record_was_saved_makes_its_files_whole(tmp_path: Path, through: Path) -> None:
    folder = tmp_path / "run"
    assert trained(folder, tiny.config()) == "finished"
    found = loaded(folder)
    assert found is not None
    assert int(found.arrays["recorded"]) == tiny.STEPS
    for name in ("result.json", "model.npz", "curves.png"):
        (folder / name).unlink()
    (folder / "metrics.csv").write_text("step,epo")
    assert trained(folder, tiny.config()) == "finished"
    assert tiny.results(folder) == tiny.results(through)


def test_the_checkpoint_of_another_version_is_refused_in_one_line(tmp_path: Path) -> None:
    assert trained(tmp_path, tiny.config(), lambda run: run.step > 0) == "interrupted"
    found = loaded(tmp_path)
    assert found is not None
    checkpoint.save(
        tmp_path, Checkpoint({**found.arrays, "V1": np.zeros(1)}, *list(vars(found).values())[1:])
    )
    with pytest.raises(RunFolderError, match=r"cannot be used: .*does not fit"):
        trained(tmp_path, tiny.config())


def test_a_folder_has_one_owner_at_a_time_who_is_told(tmp_path: Path) -> None:
    with files_.lock(tmp_path):
        told = rf"process {os.getpid()} on .* is at work in it since \d{{4}}-"
        with pytest.raises(RunFolderError, match=told):
            trained(tmp_path, tiny.config())
        (tmp_path / ".owner.json").write_text("{")
        with pytest.raises(RunFolderError, match="another process is at work in it"), files_.lock(tmp_path):
            pass
    with files_.lock(tmp_path):
        assert json.loads((tmp_path / ".owner.json").read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


# ---------------------------------------------------------------------------------------------------- keeper


def test_saving_keeps_to_its_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(checkpoint, "save", lambda *_: now.append(now.pop() + 0.5))  # that long it takes
    keeper, saves = Keeper(tmp_path, "", {}, last=now[0]), 0
    assert keeper.is_due()  # the first one costs nothing yet
    for _ in range(10_000):
        now[0] += 0.1
        if keeper.is_due():
            keeper.save({}, [], 0.0)
            saves += 1
    share = 0.5 * saves / (now[0] - 100)
    assert checkpoint.MOST_OF_TIME * 0.9 < share < checkpoint.MOST_OF_TIME * 1.1


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, saved(1))
    with pytest.raises(ConfigError, match="another config: name: a there, name: b here"):
        Keeper(tmp_path, "name: b\n", HERE).load_to_resume()


@pytest.mark.parametrize(("name", "value"), [("numpy", "1.26"), ("threads", 2), ("cpu", "another")])
def test_another_environment_is_told_or_where_strict_refused(
    name: str, value: object, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path, saved(1))
    keeper = Keeper(tmp_path, "name: a\n", {**HERE, name: value})
    difference = f"{name} was {HERE.get(name)}, is {value}"
    with pytest.warns(CifarmlpWarning, match=f"last digits may differ: {difference}$"):
        assert_is(keeper.load_to_resume(), 1)
    with pytest.raises(RunFolderError, match=difference):
        keeper.load_to_resume(strict=True)


def test_the_same_environment_is_nothing_to_tell(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, saved(1))
    assert_is(Keeper(tmp_path, "name: a\n", HERE).load_to_resume(strict=True), 1)


def test_the_names_are_in_the_order_of_age() -> None:
    assert NAMES == (NEXT, NOW, PREVIOUS)
