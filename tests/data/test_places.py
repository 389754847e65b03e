"""The places where CIFAR-10 is searched for, in every form, and what is said where it is not found."""

from pathlib import Path

import pytest

from cifarmlp import data
from cifarmlp.data import batch_files, cifar10, download
from cifarmlp.errors import DataError

OTHERS = ("XDG_CACHE_HOME", "KERAS_HOME", "HF_HOME", "HF_HUB_CACHE")


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, working folder and cache: what lies on this machine is not to be found."""
    for name in (
        "CIFARMLP_DATA",
        "CIFARMLP_CACHE",
        "XDG_CACHE_HOME",
        "KERAS_HOME",
        "HF_HOME",
        "HF_HUB_CACHE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cifar-10-batches-bin; nothing here reads its files."""
    return made(tmp_path / "elsewhere/cifar-10-batches-bin", [f"{name}.bin" for name in batch_files.BATCHES])


def made(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    "place",
    [
        "home/.cache/cifarmlp",
        "work/data",
        "work/data/cifar10",
        "work/datasets",
        "home/data",
        "home/datasets",
        "home/.keras/datasets",
        "home/.keras/datasets/cifar-10-batches-py-target",
    ],
)
def test_finds_in_the_usual_places(folder: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True)
    target = tmp_path / place / folder.name
    target.symlink_to(folder, target_is_directory=True)
    assert data.find().resolve() == folder


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("CIFARMLP_DATA", "given", "given"),
        ("CIFARMLP_DATA", "~/mine", "home/mine"),
        ("CIFARMLP_CACHE", "cache", "cache"),
        ("XDG_CACHE_HOME", "xdg", "xdg/cifarmlp"),
        ("KERAS_HOME", "keras", "keras/datasets"),
    ],
)
def test_finds_where_the_environment_says(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, place: str
) -> None:
    monkeypatch.setenv(name, value if "~" in value else str(tmp_path / value))
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / folder.name).symlink_to(folder)
    assert data.find().resolve() == folder


def test_finds_keras_archive(tmp_path: Path) -> None:
    archive = tmp_path / "home/.keras/datasets/cifar-10-batches-py-target_archive"
    archive.parent.mkdir(parents=True)
    archive.touch()
    assert data.find() == archive


def test_a_given_place_comes_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archives = [tmp_path / name / "cifar-10-python.tar.gz" for name in ("given", "variable", "work/data")]
    for archive in archives:
        archive.parent.mkdir(parents=True)
        archive.touch()
    assert data.find() == Path("data/cifar-10-python.tar.gz")
    monkeypatch.setenv("CIFARMLP_DATA", str(archives[1].parent))
    assert data.find() == archives[1]
    assert data.find(archives[0].parent) == archives[0]
    assert data.find(archives[0]) == archives[0]


def test_nothing_else_is_taken_for_a_given_place(tmp_path: Path) -> None:
    Path("data").mkdir()
    Path("data/cifar-10-python.tar.gz").touch()
    with pytest.raises(DataError, match=f"in {tmp_path / 'empty'}: looked for"):
        data.find(tmp_path / "empty")


def test_not_found_names_the_places_and_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        data.find()
    message = str(caught.value)
    for expected in (
        str(tmp_path / "home/.cache/cifarmlp"),
        str(tmp_path / "home/.keras/datasets"),
        "data/cifar10",
        "cifar-10-batches-mat",
        "cifar-10-python.zip",
        "train-*.parquet",
        "train/airplane",
        "cifarmlp data fetch",
        "--data-dir",
        "$CIFARMLP_DATA",
        "--set data.source=synthetic",
    ):
        assert expected in message
    assert "\n" not in message


# Other forms


@pytest.mark.parametrize("name", cifar10.ARCHIVES)
def test_finds_archives_by_their_names(tmp_path: Path, name: str) -> None:
    made(tmp_path / "given", [name])
    assert data.find(tmp_path / "given") == tmp_path / "given" / name


def test_a_file_that_is_named_is_an_archive_whatever_its_name(tmp_path: Path) -> None:
    path = made(tmp_path / "given", ["archive (1).zip"]) / "archive (1).zip"
    assert data.find(path) == path


PARQUET = ["train-00000-of-00001.parquet", "test-00000-of-00001.parquet"]
SNAPSHOT = "datasets--uoft-cs--cifar10/snapshots/0b2714987fa4/plain_text"


@pytest.mark.parametrize(("given", "there"), [("", ""), ("", "plain_text"), ("plain_text", "plain_text")])
def test_finds_parquet_files_of_a_download(tmp_path: Path, given: str, there: str) -> None:
    folder = made(tmp_path / "given" / there, PARQUET)
    assert data.find(tmp_path / "given" / given) == folder
    assert data.find(folder / PARQUET[1]) == folder


@pytest.mark.parametrize("above", [0, 1, 3, 4, 5])
def test_finds_parquet_files_of_the_hubs_cache_at_each_of_its_levels(tmp_path: Path, above: int) -> None:
    folder = in_hub(tmp_path / "hub", "0b2714987fa4")
    assert data.find([folder, *folder.parents][above]) == folder


def in_hub(hub: Path, snapshot: str) -> Path:
    """Links into `blobs`, as the hub's programs make them."""
    blobs = hub / "datasets--uoft-cs--cifar10/blobs"
    folder = hub / f"datasets--uoft-cs--cifar10/snapshots/{snapshot}/plain_text"
    blobs.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True)
    for name in PARQUET:
        (blobs / f"{snapshot}{name}").touch()
        (folder / name).symlink_to(Path("../../../blobs") / f"{snapshot}{name}")
    return folder


def test_a_snapshot_whose_files_were_removed_is_passed_over(tmp_path: Path) -> None:
    whole, torn = in_hub(tmp_path / "hub", "first"), in_hub(tmp_path / "hub", "second")
    (torn / PARQUET[0]).resolve().unlink()
    assert data.find(tmp_path / "hub") == whole


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        (None, "", "home/.cache/huggingface/hub"),
        ("HF_HOME", "hf", "hf/hub"),
        ("HF_HUB_CACHE", "hub", "hub"),
        ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_a_usual_place_where_its_files_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, value: str, place: str
) -> None:
    folder = in_hub(tmp_path / place, "0b2714987fa4")
    if name:
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr("cifarmlp.data.places.find_spec", lambda _: True)
    assert data.find() == folder
    monkeypatch.setattr("cifarmlp.data.places.find_spec", lambda _: None)
    with pytest.raises(DataError, match="no complete CIFAR-10"):
        data.find()


def test_batches_come_before_parquet_files(folder: Path) -> None:
    made(folder.parent / "plain_text", PARQUET)
    assert data.find(folder.parent) == folder


# Saying what is there


def test_says_what_a_place_lacks(folder: Path) -> None:
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=f"{folder} lacks test_batch.bin"):
        data.find(folder.parent)


@pytest.mark.parametrize("name", ["\x1b[2J", "a" * 300, "nowhere"])
def test_an_odd_place_is_said_in_one_plain_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        data.find(tmp_path / name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", ["python", "binary", "matlab"])
def test_a_form_that_is_asked_for_is_fetched_whatever_else_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    names: list[str] = []

    def stand_in(place: Path, wanted: download.Wanted, progress: object) -> Path:
        names.append(wanted.name)
        return place / wanted.name

    monkeypatch.setattr(download, "fetch", stand_in)
    assert data.find_or_fetch(folder.parent, form=form) == folder.parent / f"cifar-10-{form}.tar.gz"
    assert names == [f"cifar-10-{form}.tar.gz"]
    assert data.find_or_fetch(folder.parent) == folder
