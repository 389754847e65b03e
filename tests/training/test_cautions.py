"""Settings that will not do what they seem to promise are told before the training, which goes on."""

import warnings
from pathlib import Path

import pytest
from helpers import tiny

from cifarmlp.errors import CifarmlpWarning


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            ["training.snapshots=true", "training.steps=39"],
            "two: training.snapshots: none will be kept, as the training ends at step 39, before the first "
            "cycle does at 40",
        ),
        (
            ["training.keep=best", "data.validation=99"],
            r"two: the best step is chosen by 99 validation images, which is mostly luck: .* 0\.03; take",
        ),
        (["training.patience=9", "data.validation=20"], "chosen by 20 validation images"),
    ],
)
def test_it_is_told_once_for_all_seeds(settings: list[str], words: str, tmp_path: Path) -> None:
    with pytest.warns(CifarmlpWarning, match=words) as told:
        folder = tiny.trained(tmp_path, "two", *settings, seeds=2)
    assert len(told) == 1
    assert (folder / "seed-2" / "model.npz").is_file()


@pytest.mark.parametrize(
    "settings",
    [
        ["training.snapshots=true", "training.steps=40"],
        ["training.keep=best", "data.validation=100", "training.steps=2"],
        ["data.validation=20", "training.steps=2"],
        ["training.steps=0"],
    ],
)
def test_settings_that_do_what_they_say_are_passed_in_silence(settings: list[str], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CifarmlpWarning)
        tiny.trained(tmp_path, "quiet", *settings)
