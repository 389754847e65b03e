"""Checkpoints: with one a training goes on to the same bits, and a damaged one is never used."""

import hashlib
import io
import itertools
import os
import pickle
import random
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny

from cifarmlp.config import override_with, parse_config, to_yaml
from cifarmlp.errors import CifarmlpWarning, ConfigError, RunFolderError
from cifarmlp.training import checkpoint
from cifarmlp.training.build import build_training, split_images
from cifarmlp.training.checkpoint import NAMES, NEXT, NOW, PREVIOUS, Checkpoint, Keeper
from cifarmlp.training.loop import Record, Training
from cifarmlp.training.metrics import COLUMNS

pytestmark = pytest.mark.usefixtures("quick_plots")

DATASET = tiny.dataset()
NORM, PLAIN = (), ("network.batch_norm=false",)
MOMENTUM = ("training.optimiser={kind: momentum, rho: 0.9}",)
ADAM = (
    "training.optimiser=adam",
    "training.schedule={kind: one_cycle, eta_max: 0.01, epochs: 6}",
    f"training.steps={tiny.STEPS}",
)
HERE = {"numpy": "2.0", "cpu": "one", "threads": None}
ROW = dict.fromkeys(COLUMNS, 0.5) | {"step": 0}


def training(*settings: str, members: int = 1) -> Training:
    config = tiny.config(*settings)
    configs = [override_with(config, {"seed": seed}) for seed in range(members)]
    return build_training(configs, split_images(config, DATASET))


def arrays(run: Training) -> dict[str, np.ndarray]:
    """All that the training came to."""
    return {**run.network.parameters(), **run.network.running_averages(), **run.optimiser.stored()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def numbers(records: Iterable[Record]) -> list[str]:
    """All that the records say, of members that have diverged too."""
    parts = [(r.step, [r.eta, *vars(r.train).values(), *vars(r.validation).values()]) for r in records]
    return [f"{step} {np.ravel(values).tolist()}" for step, values in parts]


# -------------------------------------------------------------------------------------------- state, restore


@pytest.mark.parametrize("kind", [NORM, PLAIN, MOMENTUM, PLAIN + MOMENTUM, ADAM])
@pytest.mark.parametrize("at", [0, 1, tiny.EPOCH - 1, tiny.EPOCH, tiny.EPOCH + 4, tiny.STEPS - 1])
def test_a_training_restored_at_any_step_goes_on_to_the_same_bits(at: int, kind: tuple[str, ...]) -> None:
    through, part, rest = (training(*kind, members=2) for _ in range(3))
    records = list(through.records())
    part.stop = lambda: part.last_recorded_step >= 0 and part.step == at
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
    chunks = itertools.count(1)

    def stop() -> bool:
        return part.step == steps and next(chunks) == chunk

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
    assert sum(b > a for a, b in itertools.pairwise(scales)) >= 3  # folded on the way


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
    assert set(run.state()) == names | {"step", "recorded", "diverged", "batch_loss"}
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


def numbered(number: int) -> Checkpoint:
    state = {"W1": np.full((2, 3), number, np.float32), "step": np.array(number)}
    return Checkpoint(
        state, [{**ROW, "step": number, "train_loss": 0.1 * number}], number / 3, "name: a\n", HERE
    )


def assert_is(found: Checkpoint | None, number: int) -> None:
    assert found is not None
    assert_same(dict(found.arrays), dict(numbered(number).arrays))
    assert {**vars(found), "arrays": 0} == {**vars(numbered(number)), "arrays": 0}


def load_whole(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of a folder in which nothing is damaged."""
    found, faults = checkpoint.load(folder)
    assert faults == []
    return found


def test_what_was_saved_is_loaded_and_the_one_before_it_kept(tmp_path: Path) -> None:
    assert load_whole(tmp_path) is None
    checkpoint.save(tmp_path, numbered(1))
    assert_is(load_whole(tmp_path), 1)
    assert [path.name for path in tmp_path.iterdir()] == [NOW]
    checkpoint.save(tmp_path, numbered(2))
    assert_is(load_whole(tmp_path), 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOW, PREVIOUS]
    os.replace(tmp_path / PREVIOUS, tmp_path / NOW)
    assert_is(load_whole(tmp_path), 1)


def test_of_a_training_that_ended_the_last_checkpoint_is_kept(tmp_path: Path) -> None:
    for number in (1, 2):
        checkpoint.save(tmp_path, numbered(number))
    checkpoint.drop_previous(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NOW]
    assert_is(load_whole(tmp_path), 2)


def test_rows_with_nan_come_back(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, Checkpoint({}, [{**ROW, "train_loss": float("nan")}], 0.0, "", {}))
    found = load_whole(tmp_path)
    assert found is not None
    assert np.isnan(found.rows[0]["train_loss"])


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
        folder = tmp_path / f"of-{number}"
        folder.mkdir()
        checkpoint.save(folder, numbered(number))
        (folder / NOW).rename(tmp_path / name)
    assert_is(load_whole(tmp_path), newest)
    checkpoint.save(tmp_path, numbered(9))
    assert_is(load_whole(tmp_path), 9)
    assert not (tmp_path / NEXT).exists()
    (tmp_path / NOW).unlink()
    before, _ = checkpoint.load(tmp_path)
    assert before is not None or newest == 1


@pytest.mark.skipif(os.name != "posix", reason="folders can be synced on POSIX only")
def test_the_folder_is_synced_after_the_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is synced before its rename, the renames by the sync of the folder: none outlasts a loss of
    power otherwise.
    """
    checkpoint.save(tmp_path, numbered(1))
    calls: list[str] = []
    replace, fsync = os.replace, os.fsync

    def note_replace(source: Path, target: Path) -> None:
        replace(source, target)
        calls.append(f"rename to {Path(target).name}")

    def note_fsync(handle: int) -> None:
        fsync(handle)
        status = os.fstat(handle)
        assert not stat.S_ISDIR(status.st_mode) or os.path.samestat(status, os.stat(tmp_path))
        calls.append("sync folder" if stat.S_ISDIR(status.st_mode) else "sync file")

    monkeypatch.setattr(os, "replace", note_replace)
    monkeypatch.setattr(os, "fsync", note_fsync)
    checkpoint.save(tmp_path, numbered(2))
    assert calls == ["sync file", *(f"rename to {name}" for name in (NEXT, PREVIOUS, NOW)), "sync folder"]


def test_a_save_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, numbered(1))
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(RunFolderError, match="No space left on device"):
                checkpoint.save(tmp_path, numbered(2))
        assert_is(load_whole(tmp_path), 1)
        assert not list(tmp_path.glob(".*"))


# ---------------------------------------------------------------------------------------------------- damage


class _Runs:
    """Unpickled, it makes a folder `ran` where it is."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("ran",)


def signed(content: bytes) -> bytes:
    return content + checkpoint.TRAILER + hashlib.sha256(content).digest()


def archive(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def flip(data: bytes, place: int, mask: int = 1) -> bytes:
    """One bit is another one."""
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda data: data[: len(data) // 2],
    "short by one": lambda data: data[:-1],
    "a bit flipped": lambda data: flip(data, len(data) // 3),
    "a bit of the checksum flipped": lambda data: flip(data, -1, 128),
    "emptied": lambda _: b"",
    "garbage": lambda data: random.Random(1).randbytes(len(data)),
    "a byte appended": lambda data: data + b"\0",
    "without checksum": lambda data: data[: -len(checkpoint.TRAILER) - 32],
    "text": lambda _: b"not a checkpoint",
    "pickled": lambda _: pickle.dumps(_Runs()),
    "pickled, with checksum": lambda _: signed(pickle.dumps(_Runs())),
    "objects, with checksum": lambda _: signed(
        archive(about=np.array([_Runs()], object), W1=np.array([_Runs()], object))
    ),
    "one array, with checksum": lambda _: signed(one_array()),
    "nothing, with checksum": lambda _: signed(b""),
    "another archive, with checksum": lambda _: signed(archive(about=np.frombuffer(b'{"a": 1}', np.uint8))),
}


def spoil(path: Path, damage: str) -> None:
    path.write_bytes(DAMAGE[damage](path.read_bytes()))


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        checkpoint.save(tmp_path, numbered(number))
    spoil(tmp_path / NOW, damage)
    with pytest.warns(CifarmlpWarning, match=f"{NOW}: .*going back to the checkpoint before it"):
        assert_is(Keeper(tmp_path, "name: a\n", HERE).load_to_resume(), 1)
    spoil(tmp_path / PREVIOUS, damage)
    with pytest.warns(CifarmlpWarning, match="the training begins anew") as warned:
        assert Keeper(tmp_path, "name: a\n", HERE).load_to_resume() is None
    assert len(warned) == 2
    assert not (tmp_path / "ran").exists()


def test_pickles_of_these_tests_would_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would prove nothing."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(DAMAGE["pickled"](b""))
    assert (tmp_path / "ran").exists()


def test_a_checkpoint_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, numbered(1))
    (tmp_path / NOW).rename(tmp_path / PREVIOUS)
    (tmp_path / NOW).mkdir()
    found, faults = checkpoint.load(tmp_path)
    assert_is(found, 1)
    assert len(faults) == 1
    assert "Is a directory" in faults[0]


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
    assert checkpoint.MAX_TIME_SHARE * 0.9 < share < checkpoint.MAX_TIME_SHARE * 1.1


def test_a_checkpoint_of_another_config_is_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, numbered(1))
    with pytest.raises(ConfigError, match="another config: name is a there, b here"):
        Keeper(tmp_path, "name: b\n", HERE).load_to_resume()


def test_a_checkpoint_of_a_version_with_fewer_keys_is_of_the_same_config(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, numbered(1))
    assert_is(Keeper(tmp_path, to_yaml(parse_config("name: a\n", "a")), HERE).load_to_resume(), 1)


@pytest.mark.parametrize(("name", "value"), [("numpy", "1.26"), ("threads", 2), ("cpu", "another")])
def test_another_environment_is_told_or_where_strict_refused(
    name: str, value: object, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path, numbered(1))
    keeper = Keeper(tmp_path, "name: a\n", {**HERE, name: value})
    difference = f"{name} was {HERE.get(name)}, is {value}"
    with pytest.warns(CifarmlpWarning, match=rf"other numerics \({difference}\): results may differ"):
        assert_is(keeper.load_to_resume(), 1)
    with pytest.raises(RunFolderError, match=difference):
        keeper.load_to_resume(strict=True)


def test_the_same_environment_is_nothing_to_tell(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, numbered(1))
    assert_is(Keeper(tmp_path, "name: a\n", HERE).load_to_resume(strict=True), 1)


def test_the_names_are_in_the_order_of_age() -> None:
    assert NAMES == (NEXT, NOW, PREVIOUS)
