"""The command `data`: images described, drawn, made and verified, and their cache."""

import json
from pathlib import Path

import pytest
from helpers import tiny
from helpers.command import cifarmlp

INFO = ["data", "info", "--source", "synthetic"]


def test_info_counts_the_classes_and_draws_a_sheet(tmp_path: Path) -> None:
    done = cifarmlp(*INFO, "--sheet", "sheet.png", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert '"official": false' in done.out
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_sheet_that_is_no_png_is_refused(tmp_path: Path) -> None:
    done = cifarmlp(*INFO, "--sheet", "sheet.jpg", cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())


def test_a_sheet_replaces_a_sheet_but_no_other_picture(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert cifarmlp(*INFO, "--sheet", "sheet.png", cwd=tmp_path).code == 0
    ours = sheet.read_bytes()
    sheet.write_bytes(ours + b" ")
    assert cifarmlp(*INFO, "--sheet", "sheet.png", cwd=tmp_path).code == 0
    assert sheet.read_bytes() == ours
    sheet.write_bytes(b"\x89PNG, a photo")
    done = cifarmlp(*INFO, "--sheet", "sheet.png", cwd=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "exists already and is no contact sheet; give another name, or --force" in done.err
    assert sheet.read_bytes() == b"\x89PNG, a photo"
    assert cifarmlp(*INFO, "--sheet", "sheet.png", "--force", cwd=tmp_path).code == 0
    assert sheet.read_bytes() == ours


def test_the_cache_is_listed_and_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFARMLP_CACHE", str(tmp_path / "cache"))
    for key in ("cifar10-0a", "cifar10-0b"):
        folder = tmp_path / "cache" / key
        folder.mkdir(parents=True)
        (folder / "notes.json").write_text('{"of": {"a": "/home/me/\\u001b[31mcifar10"}}')
        (folder / "pixels.npy").write_bytes(bytes(2_000_000))
    listed = cifarmlp("data", "cache", cwd=tmp_path)
    assert listed.code == 0
    assert listed.out.count("2 MB") == 2
    assert r"/home/me/\x1b[31mcifar10" in listed.out
    assert listed.out.endswith("cache: 4 MB\n")
    unknown = cifarmlp("data", "cache", "--remove", "cifar10-0c", cwd=tmp_path)
    assert (unknown.code, unknown.err.count("\n")) == (2, 1)
    one = cifarmlp("data", "cache", "--remove", "cifar10-0a", "--json", cwd=tmp_path)
    assert [entry["key"] for entry in json.loads(one.out)] == ["cifar10-0b"]
    assert cifarmlp("data", "cache", "--all", cwd=tmp_path).out.endswith("cache: 0 MB\n")
    assert not list((tmp_path / "cache").glob("cifar10*"))


@pytest.mark.slow
def test_synthesised_files_are_read_like_the_official_ones(tmp_path: Path) -> None:
    assert cifarmlp("data", "synthesise", "made", cwd=tmp_path).code == 0
    verified = cifarmlp("data", "verify", "--data-dir", "made", cwd=tmp_path)
    assert verified.code == 0, verified.out
    settings = [f"--set={setting}" for setting in ["data.source=cifar10", *tiny.SETTINGS]]
    done = cifarmlp("train", "quickstart", *settings, "--data-dir", "made", cwd=tmp_path)
    assert done.code == 0, done.err
