"""The same images in every form: one checksum, one entry in the cache."""

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from helpers import small_cifar10 as small

from cifarmlp import data
from cifarmlp.data import cache_entries


def test_the_same_images_have_one_checksum_and_one_entry_whatever_the_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.make_small(monkeypatch)
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))
    binary = small.write_binary(tmp_path / "binary/cifar-10-batches-bin")
    matlab = small.write_matlab(tmp_path / "matlab/cifar-10-batches-mat")
    places = [
        binary,
        matlab,
        small.write_zip(tmp_path / "archive.zip", binary, "top/"),
        small.write_zip(tmp_path / "cifar-10-matlab.zip", matlab, ""),
        small.write_parquet(tmp_path / "parquet"),
        small.write_parquet(tmp_path / "hub/plain_text", (3, 2, 1, 4, 0)),
        small.write_pictures(tmp_path / "pictures"),
        small.write_pictures(tmp_path / "pictures of the hub's", (3, 2, 1, 4, 0)),
    ]
    loaded = [data.load("cifar10", place) for place in places]
    assert len({dataset.checksum for dataset in loaded}) == 1
    assert len({dataset.cache_key for dataset in loaded}) == 1
    (entry,) = cache_entries.entries()
    assert entry.of == tuple(map(str, places))
    assert [check.status for check in data.verify(matlab)][-1] == "as decoded"


def test_other_images_are_another_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small.make_small(monkeypatch)
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))
    pictures, parquet = small.write_pictures(tmp_path / "a"), small.write_parquet(tmp_path / "b")
    path = sorted((pictures / "test/cat").iterdir())[0]
    path.write_bytes(small.png(small.batch(0)[0][0]))
    assert data.load("cifar10", pictures).checksum != data.load("cifar10", parquet).checksum
    assert len(cache_entries.entries()) == 2
