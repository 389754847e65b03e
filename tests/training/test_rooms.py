"""Rooms are given where they pay and memory allows, and change no bit of a training."""

import sys
from pathlib import Path

import numpy as np
import pytest

from cifarmlp.config import Config, find_config, load_config
from cifarmlp.data import Dataset, Images, Room, room_bytes
from cifarmlp.training import rooms, run
from cifarmlp.training.build import split_images
from cifarmlp.training.rooms import OWN, give_rooms, room_of
from tests.helpers import tiny

SIZE = room_bytes(50_000)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memfd is Linux's")


def long(*settings: str) -> Config:
    """A training that passes over its images often enough."""
    return load_config(find_config("quickstart"), ["training.steps=4900", *settings])


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 3.01 * SIZE)


def have(monkeypatch: pytest.MonkeyPatch, memory: float) -> None:
    monkeypatch.setattr(rooms, "free_memory", lambda: memory)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["data.validation_from=random"],
        ["data.augment={flip: 0.5, shift: 2, mixup: 0.2}"],
        ["data.scaling=unit", "data.train_images=90", "network.dropout=[0.2, 0.1]"],
        ["training.average=0.9", "training.evaluate_test=true", "data.label_noise=0.2"],
    ],
)
@pytest.mark.parametrize("is_shared", [False, pytest.param(True, marks=ON_LINUX)])
def test_a_training_has_the_same_bits_with_a_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: list[str], is_shared: bool
) -> None:
    monkeypatch.setattr(run, "_draw", lambda session: None)
    monkeypatch.setattr(rooms, "PAYS", 0)
    given: list[Room | None] = []

    def note(room: str | None, *images: object) -> Room | None:
        given.append(room_of(room, *images))  # type: ignore[arg-type]
        return given[-1]

    monkeypatch.setattr(run, "room_of", note)
    config, dataset = tiny.config(*settings), tiny.dataset()
    with give_rooms([config] * (1 + is_shared), 1) as (room, *_):
        tiny.train_into(tmp_path / "with", config, dataset, 1, room=room)
    tiny.train_into(tmp_path / "without", config, dataset, 1)
    assert tiny.results(tmp_path / "with") == tiny.results(tmp_path / "without")
    assert given[0] is not None
    assert given[1] is None
    assert given[0].there.any()


@ON_LINUX
def test_trainings_with_the_same_images_share_a_room() -> None:
    configs = [
        long(), long("network.hidden=[7]", "seed=4"), long("data.scaling=unit"),
        long("data.validation_from=random"), long("data.augment={flip: 0.5}"),
    ]  # fmt: skip
    with give_rooms(configs, 2) as given:
        path = given[0]
        assert path
        assert Path(path).stat().st_size == SIZE
        assert given == [path, path, None, None, path]
    assert not Path(path).exists()


def test_a_training_alone_has_a_room_of_its_own() -> None:
    with give_rooms([long()], 1) as given:
        assert given == [OWN]
    assert own_room() is not None
    assert own_room(room=None) is None
    assert rooms.bytes_of_rooms([long()], 1) == SIZE


def own_room(room: str | None = OWN) -> Room | None:
    dataset = tiny.dataset()
    return room_of(room, dataset, dataset.train)


def test_a_training_on_few_images_has_a_room_for_these_only() -> None:
    dataset = tiny.dataset()
    few, half = (Images(dataset.train.pixels[:n], dataset.train.labels[:n]) for n in (199, 200))
    assert len(dataset.train) == 400
    assert len(room_of(OWN, dataset, few).x) == 199
    assert len(room_of(OWN, dataset, half).x) == 400
    assert rooms.bytes_of_rooms([long("data.train_images=300")], 1) == room_bytes(300)


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_room_beyond_a_third_of_the_free_memory(monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    have(monkeypatch, 2.99 * SIZE)
    with give_rooms([long(), long()], jobs) as given:
        assert given == [OWN if jobs == 1 else None] * 2
    assert rooms.bytes_of_rooms([long(), long()], jobs) == 0
    have(monkeypatch, 2.99 * room_bytes(400))
    assert own_room() is None


def test_several_processes_have_no_rooms_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(size: int) -> None:
        raise OSError

    monkeypatch.setattr(rooms, "SharedMemory", fail)
    with give_rooms([long(), long()], 2) as given:
        assert given == [None, None]
    with give_rooms([long(), long()], 1) as given:
        assert given == [OWN, OWN]


@pytest.mark.parametrize(
    "settings",
    [
        ["training.steps=980"],  # 2 epochs and 3 evaluations
        ["training.evaluate_every=100", "data.augment={shift: 1}"],
        ["training.evaluate_images=500", "training.steps=2000"],
    ],
)
def test_a_training_that_passes_over_its_images_a_few_times_has_none(settings: list[str]) -> None:
    with give_rooms([long(*settings)], 1) as given:
        assert given == [None]
    assert rooms.bytes_of_rooms([long(*settings)], 1) == 0


def test_a_room_covers_the_validation_images(tmp_path: Path) -> None:
    dataset: Dataset = tiny.dataset()
    config = tiny.config()
    split = split_images(config, dataset)
    room = room_of(OWN, dataset, split.train)
    assert room is not None
    assert (room.first_row(split.train.pixels), room.first_row(split.validation.pixels)) == (0, 300)
    assert room.first_row(split.test.pixels) is None
    own = room_of(OWN, dataset, split_images(tiny.config("data.validation_from=random"), dataset).train)
    assert own is not None
    assert own.first_row(split.train.pixels) is None
    assert np.shape(own.x) == (300, 3072)
