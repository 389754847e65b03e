"""Configs laid over one another: overrides and inheritance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.config_text import faults, in_an_empty_folder, load  # noqa: F401

from cifarmlp.config import ConstantConfig, CyclicConfig, DataConfig, load_config, override_with, to_yaml
from cifarmlp.config import files as config_files
from cifarmlp.errors import ConfigError

EXAMPLE = """\
name: example
network: {batch_norm: true}
training: {lambda: 0.005}
search: {coarse: {space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}}
"""


# Overrides


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        (["seed=7"], "seed", 7),
        (["seed=7", "seed=8"], "seed", 8),
        (["training.lambda=1e-5"], "training.lambda", 1e-5),
        (["network.hidden=[50, 30]"], "network.hidden", [50, 30]),
        (["network.batch_norm=false"], "network.batch_norm", False),
        (
            ["network.batch_norm.eps=1"],
            "network.batch_norm",
            {"eps": 1.0, "momentum": 0.9, "position": "before"},
        ),
        (["network.init.sigma=1"], "network.init", {"sigma": 1.0}),
        (["network.init.sigma=1", "network.init.kind=he"], "network.init", "he"),
        (["training.optimiser={kind: momentum}"], "training.optimiser", {"kind": "momentum", "rho": 0.9}),
        (
            ["training.optimiser.rho=0.5", "training.optimiser=momentum"],
            "training.optimiser",
            {"kind": "momentum", "rho": 0.5},
        ),
        (
            ["training.schedule.eta=0.5", "training.schedule.kind=constant"],
            "training.schedule",
            {"kind": "constant", "eta": 0.5, "decay": 1.0, "decay_every": 1, "epochs": 10},
        ),
        (["training.schedule.n_s=5"], "training.schedule.n_s", 5),
        (["data.train_batches=[1]", "data.validation_batches=[2]"], "data.validation", None),
        (["data.validation_from=stratified"], "data.validation_from", "stratified"),
        (["data.augment.flip=0.5", "data.augment.shift=4"], "data.augment", {"flip": 0.5, "shift": 4}),
        (["data.augment={flip: 0.5}", "data.augment=null"], "data.augment", None),
        (["search=null", "data.validation=0"], "data.validation", 0),
        (["search=null"], "search", None),
        (["search.coarse.trials=3"], "search.coarse.trials", 3),
        (
            ["search.coarse.space.training.lambda={uniform: [0, 1]}"],
            "search.coarse.space",
            {"training.lambda": {"uniform": [0.0, 1.0]}},
        ),
    ],
)
def test_an_override(overrides: list[str], key: str, expected: object) -> None:
    found: Any = yaml.safe_load(to_yaml(load(EXAMPLE, *overrides)))
    for part in key.split("."):
        found = found.get(part)
    assert found == expected


def test_an_override_replaces_the_mapping_of_another_kind() -> None:
    text = "network: {init: {sigma: 1}}\ntraining: {optimiser: momentum, schedule: {n_s: 5}}"
    config = load(text, "network.init=he", "training.optimiser.rho=0.5", "training.schedule.kind=constant")
    assert config.network.init.kind == "he"
    assert config.training.optimiser.rho == 0.5
    assert config.training.schedule == ConstantConfig(kind="constant")


def test_batches_give_way_to_an_overriding_validation() -> None:
    text = "data: {train_batches: [1], validation_batches: [2]}"
    assert load(text, "data.validation=5").data == DataConfig(validation=5)


def test_a_drawn_validation_set_gives_way_to_batches() -> None:
    text = "data: {validation: 5000, validation_from: random}"
    batches = load(text, "data.train_batches=[1]", "data.validation_batches=[2]").data
    assert (batches.validation, batches.validation_from) == (None, None)


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("training.lambda=-1", "training.lambda is -1; it must be at least 0"),
        ("trainig.lambda=1", "unknown key 'trainig'; did you mean 'training'?"),
        ("training.batch_size=1e2", "training.batch_size is 100.0; it must be a whole number: write 100"),
        ("training.batch_size.x=1", "training.batch_size is a mapping; it must be a whole number"),
        (
            "training.optimiser.rho=0.5",
            "training.optimiser.rho belongs to kind: momentum or nesterov, and the kind is sgd",
        ),
        ("training.schedule.eta=1", "training.schedule.eta does not go with kind: cyclic"),
        ("network.hidden=[1", "a ',' or ']' is missing"),
        ("seed=!!int 3", "tags (words that begin with '!') are not allowed: remove it"),
        ("seed", "write KEY=VALUE, as in training.lambda=0.01"),
        ("=3", "write KEY=VALUE, as in training.lambda=0.01"),
        ("a..b=3", "write KEY=VALUE, as in training.lambda=0.01"),
        ("seed=", "'seed' has no value: write one after '=' (null for none)"),
        ("seed=#3", "'seed' has no value: a '#' begins a comment, put it in quotes"),
        ("extends=x", "extends belongs in a file, not in an override"),
    ],
)
def test_a_wrong_override_is_shown_as_it_was_typed(override: str, fault: str) -> None:
    assert faults(EXAMPLE, override) == [f"--set {override}: {fault}"]


def test_faults_of_the_file_and_of_overrides_are_told_together() -> None:
    assert faults("seed: -1", "training.lambda=-1", "nam=x\x1b") == [
        "1:7: seed is -1; it must be at least 0",
        "--set training.lambda=-1: training.lambda is -1; it must be at least 0",
        r"--set nam=x\x1b: the character '\x1b' is not allowed (is this a text file?): remove it",
    ]


def test_an_override_hides_what_it_replaces() -> None:
    assert load("seed: -1", "seed=3").seed == 3


def test_values_laid_over_a_config() -> None:
    config = load(EXAMPLE)
    changed = override_with(config, {"training.lambda": 0.5, "seed": 7, "network.hidden": (9,)})
    assert (changed.training.lam, changed.seed, changed.network.hidden) == (0.5, 7, (9,))
    assert config.seed == 1
    assert override_with(config, {}) == config
    constant = override_with(config, {"training.schedule.eta": 0.5, "training.schedule.kind": "constant"})
    assert constant.training.schedule == ConstantConfig(kind="constant", eta=0.5)


def test_values_laid_over_a_config_are_checked() -> None:
    with pytest.raises(ConfigError) as caught:
        override_with(load(EXAMPLE), {"training.lambda": -1, "seed": 2.0})
    assert str(caught.value).splitlines() == [
        "seed=2.0: seed is 2.0; it must be a whole number: write 2",
        "training.lambda=-1: training.lambda is -1; it must be at least 0",
    ]


# Inheritance


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.yaml").write_text(text)


def test_a_child_inherits_and_changes() -> None:
    write(
        base="seed: 5\nnetwork: {hidden: [9, 9], batch_norm: true}\n"
        "training: {schedule: {n_s: 5, cycles: 3}}",
        child="extends: base.yaml\nnetwork: {hidden: [7], batch_norm: {eps: 1}}\n"
        "training: {schedule: {n_s: 6}}",
    )
    config = load_config(Path("child.yaml"))
    assert (config.seed, config.network.hidden) == (5, (7,))
    assert config.network.batch_norm is not None
    assert config.network.batch_norm.eps == 1
    assert config.training.schedule == CyclicConfig(n_s=6, cycles=3)


def test_a_mapping_of_another_kind_replaces_the_inherited() -> None:
    write(
        base="training: {optimiser: {kind: momentum, rho: 0.5}, schedule: {n_s: 5}}\n"
        "search: {coarse: {space: {seed: {uniform: [1, 2]}}}}",
        child="extends: base.yaml\n"
        "training: {optimiser: {kind: sgd}, schedule: {kind: constant, epochs: 2}}\n"
        "search: {coarse: {space: {seed: {values: [1]}}}}",
    )
    config = load_config(Path("child.yaml"))
    assert config.training.optimiser.kind == "sgd"
    assert config.training.schedule == ConstantConfig(kind="constant", epochs=2)


def test_a_path_is_relative_to_the_file_that_says_it_and_a_name_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shipped"
    (folder / "report").mkdir(parents=True)
    (folder / "report/base.yaml").write_text("seed: 7")
    (folder / "mine.yaml").write_text("extends: report/base.yaml")
    monkeypatch.setattr(config_files, "shipped_folder", lambda: folder)
    write(other="extends: report/base")
    assert load_config(folder / "mine.yaml").seed == 7
    assert load_config(Path("other.yaml")).seed == 7


def test_a_fault_is_told_at_its_own_file() -> None:
    write(base="training:\n  batch_size: 0\n  oops: 1", child="extends: base.yaml\nseed: -1")
    with pytest.raises(ConfigError) as caught:
        load_config(Path("child.yaml"))
    first, second, third = str(caught.value).splitlines()
    assert first == "child.yaml:2:7: seed is -1; it must be at least 0"
    assert second == "base.yaml:2:15: training.batch_size is 0; it must be at least 1"
    assert third.startswith("base.yaml:3:3: unknown key 'oops' in training; known: batch_size, lambda")


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("nope.yaml", "c.yaml:1:10: extends: nope.yaml: no such file or shipped config; `cifarmlp configs`"),
        ("5", "c.yaml:1:10: extends: this is not text: write a config's file or name"),
        ("[a]", "c.yaml:1:10: extends: this is not text: write a config's file or name"),
        ("c.yaml", "c.yaml:1:10: extends: 'c.yaml' extends this file in turn: break the circle"),
        ("back.yaml", "back.yaml:1:10: extends: 'c.yaml' extends this file in turn: break the circle"),
        ("list.yaml", "list.yaml:1:1: a config is a mapping of keys to values"),
        ("broken.yaml", "broken.yaml:2:2: a ',' or ']' is missing"),
    ],
)
def test_a_parent_that_cannot_be_had(link: str, fault: str) -> None:
    write(back="extends: c.yaml", list="[1]", broken="a: [1\nb: 2")
    with pytest.raises(ConfigError) as caught:
        load(f"extends: {link}")
    assert str(caught.value).startswith(fault)


def test_ten_levels_are_enough() -> None:
    write(l0="seed: 3", **{f"l{level}": f"extends: l{level - 1}.yaml" for level in range(1, 12)})
    assert load_config(Path("l10.yaml")).seed == 3
    with pytest.raises(ConfigError, match=r"^l1.yaml:1:10: extends: more than 10 files extend one another"):
        load_config(Path("l11.yaml"))
