"""Configs: what is read, from where, and how it is written back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.config_text import in_an_empty_folder, load  # noqa: F401
from pydantic import ValidationError

from cifarmlp.config import (
    Config,
    CyclicConfig,
    find_config,
    json_schema,
    load_config,
    shipped_configs,
    to_yaml,
)
from cifarmlp.config import files as config_files
from cifarmlp.errors import ConfigError

EXAMPLE = """\
name: three-layer-bn
seed: 1
data:
  source: cifar10          # or synthetic
  validation: 1000         # the last 1000 training images; or train_batches: [1], validation_batches: [2]
network:
  hidden: [50, 50]         # 3 layers: two hidden, one output; [] is a linear classifier
  batch_norm: true         # or {eps: 1.0e-12, momentum: 0.9}
  init: he                 # he, xavier, or {sigma: 0.001}
training:
  batch_size: 100
  lambda: 0.005
  optimiser: sgd           # or {kind: momentum, rho: 0.9}
  schedule: {kind: cyclic, eta_min: 1.0e-5, eta_max: 1.0e-1, n_s: 2250, cycles: 2}
                           # or {kind: constant, eta: 0.01, decay: 0.95, epochs: 10}   (decay per epoch)
  steps: null              # overrides the schedule's length; 0 is allowed: evaluate the untrained network
search:
  coarse: {trials: 50, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}
  fine:   {trials: 50, centres: 3, space: {training.lambda: {uniform_within: 2.5e-4}}}
"""


# What is read


def test_the_example_is_read_in_full() -> None:
    cyclic = {"kind": "cyclic", "eta_min": 1e-5, "eta_max": 0.1, "n_s": 2250, "cycles": 2}
    draw = {"uniform": None, "log_uniform": (1e-5, 0.1), "values": None, "grid": None}
    around = {"uniform_within": 2.5e-4, "between_best": None}
    assert load(EXAMPLE).model_dump() == {
        "name": "three-layer-bn",
        "seed": 1,
        "data": {
            "source": "cifar10",
            "validation": 1000,
            "train_batches": None,
            "validation_batches": None,
        },
        "network": {
            "hidden": (50, 50),
            "batch_norm": {"eps": 1e-12, "momentum": 0.9},
            "init": {"kind": "he", "sigma": None},
        },
        "training": {
            "batch_size": 100,
            "lam": 0.005,
            "optimiser": {"kind": "sgd"},
            "schedule": cyclic,
            "steps": None,
            "evaluate_every": 1,
            "evaluate_images": None,
        },
        "search": {
            "coarse": {"trials": 50, "space": {"training.lambda": draw}},
            "fine": {"trials": 50, "centres": 3, "space": {"training.lambda": around}},
        },
    }


def test_everything_has_a_default_and_the_file_gives_the_name() -> None:
    Path("my own (2).yaml").write_text("{}")
    config = load_config(Path("my own (2).yaml"))
    assert config == Config(name="my-own-2-")
    assert config.network.hidden == (50, 50)
    assert config.network.batch_norm is None
    assert config.training.schedule == CyclicConfig(eta_min=1e-5, eta_max=1e-1, n_s=2250, cycles=2)
    assert config.search is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("network: {batch_norm: false}", {"network.batch_norm": None}),
        ("network: {batch_norm: {eps: 1e-5}}", {"network.batch_norm": {"eps": 1e-5, "momentum": 0.9}}),
        ("network: {init: xavier}", {"network.init": {"kind": "xavier", "sigma": None}}),
        ("network: {init: {sigma: 0}}", {"network.init": {"kind": "normal", "sigma": 0.0}}),
        ("network: {init: {kind: normal, sigma: 1}}", {"network.init": {"kind": "normal", "sigma": 1.0}}),
        ("network: {init: {kind: he}}", {"network.init": {"kind": "he", "sigma": None}}),
        ("network: {hidden: []}", {"network.hidden": ()}),
        ("training: {optimiser: momentum}", {"training.optimiser": {"kind": "momentum", "rho": 0.9}}),
        ("training: {optimiser: {kind: sgd}}", {"training.optimiser": {"kind": "sgd"}}),
        (
            "training: {optimiser: {kind: momentum, rho: 0}}",
            {"training.optimiser": {"kind": "momentum", "rho": 0.0}},
        ),
        (
            "training: {schedule: {kind: constant, eta: 1, decay: 0.95, epochs: 3}}",
            {"training.schedule": {"kind": "constant", "eta": 1.0, "decay": 0.95, "epochs": 3}},
        ),
        ("training: {steps: 0, lambda: 1e-5}", {"training.steps": 0, "training.lam": 1e-5}),
        ("name: no", {"name": "no"}),
        ("name: 2024-01-01", {"name": "2024-01-01"}),
        ("name: 010", {"name": "010"}),
        (
            "data: {train_batches: [1, 3], validation_batches: [2]}",
            {"data.train_batches": (1, 3), "data.validation": None},
        ),
    ],
)
def test_every_way_to_write_a_value(text: str, expected: dict[str, object]) -> None:
    config = load(text).model_dump()
    for dotted, value in expected.items():
        found: Any = config
        for part in dotted.split("."):
            found = found[part]
        assert found == value


def test_the_size_of_the_training_split() -> None:
    assert load("data: {validation: 5000}").data.training_images == 45_000
    assert load("data: {train_batches: [1, 2], validation_batches: [3]}").data.training_images == 20_000


def test_utf8_may_begin_with_its_mark() -> None:
    assert load(b"\xef\xbb\xbfseed: 5").seed == 5


def test_a_config_does_not_change() -> None:
    with pytest.raises(ValidationError):
        load("seed: 1").seed = 2  # type: ignore[misc]


def test_reading_needs_no_numpy() -> None:
    code = "import cifarmlp.config, sys; print({'numpy', 'scipy', 'matplotlib'} & set(sys.modules))"
    root = Path(config_files.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Files


def test_a_missing_file_has_a_suggestion() -> None:
    Path("secret.yaml").write_text("seed: 1")
    with pytest.raises(ConfigError, match=r"^secrte.yaml: no such file; did you mean 'secret.yaml'\?$"):
        load_config(Path("secrte.yaml"))


def test_a_folder_and_a_pipe_are_no_configs() -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    with pytest.raises(ConfigError, match=r"^folder: a folder: name a config in it$"):
        load_config(Path("folder"))
    with pytest.raises(ConfigError, match=r"^pipe: cannot be read: not a regular file"):
        load_config(Path("pipe"))


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    Path("c.yaml").write_text("seed: 1")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"^c.yaml: you may not read this file: change its permissions$"):
        load_config(Path("c.yaml"))


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "a\x1b[31m\nb", ""])
def test_an_impossible_name_is_refused_in_one_line(name: str) -> None:
    looks: list[Callable[[], Config]] = [
        lambda: load_config(find_config(name)),
        lambda: load_config(Path(name)),
    ]
    for look in looks:
        with pytest.raises(ConfigError) as caught:
            look()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shipped"
    for name in ("quickstart", "report-1/figure-3", "report-2/figure-3", "report-2/table-1", "studies/all"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text("seed: 7")
    monkeypatch.setattr(config_files, "shipped_folder", lambda: folder)
    return folder


def test_shipped_configs_leave_out_studies(shipped: Path) -> None:
    names = ["quickstart", "report-1/figure-3", "report-2/figure-3", "report-2/table-1"]
    assert shipped_configs() == {name: shipped / f"{name}.yaml" for name in names}


def test_shipped_configs_are_found_beside_or_in_the_package() -> None:
    assert config_files.shipped_folder().name == "configs"
    for name in shipped_configs():
        assert load_config(find_config(name)).name


@pytest.mark.parametrize("name", ["report-2/table-1", "report-2/table-1.yaml", "table-1", "table-1.yaml"])
def test_a_shipped_config_is_found_by_name(shipped: Path, name: str) -> None:
    assert find_config(name) == shipped / "report-2/table-1.yaml"


def test_an_existing_file_comes_before_a_shipped_config_and_that_before_a_folder(shipped: Path) -> None:
    Path("quickstart").mkdir()
    assert find_config("quickstart") == shipped / "quickstart.yaml"
    Path("table-1.yaml").write_text("{}")
    assert find_config("table-1.yaml") == Path("table-1.yaml")


@pytest.mark.usefixtures("shipped")
def test_an_unknown_name_says_what_to_type() -> None:
    with pytest.raises(
        ConfigError, match=r"^quikstart: no such .*did you mean 'quickstart'\?; `cifarmlp configs`"
    ):
        find_config("quikstart")
    with pytest.raises(ConfigError, match=r"write 'report-1/figure-3' or 'report-2/figure-3'$"):
        find_config("figure-3")


# Writing back


def test_the_written_config_is_readable() -> None:
    assert (
        to_yaml(load(EXAMPLE, "network.init.sigma=1e-5", "training.optimiser=momentum"))
        == """\
name: three-layer-bn
seed: 1
data:
  source: cifar10
  validation: 1000
network:
  hidden: [50, 50]
  batch_norm: {eps: 1.0e-12, momentum: 0.9}
  init: {sigma: 1.0e-05}
training:
  batch_size: 100
  lambda: 0.005
  optimiser: {kind: momentum, rho: 0.9}
  schedule: {kind: cyclic, eta_min: 1.0e-05, eta_max: 0.1, n_s: 2250, cycles: 2}
  steps: null
  evaluate_every: 1
  evaluate_images: null
search:
  coarse: {trials: 50, space: {training.lambda: {log_uniform: [1.0e-05, 0.1]}}}
  fine: {trials: 50, centres: 3, space: {training.lambda: {uniform_within: 0.00025}}}
"""
    )


@pytest.mark.parametrize(
    ("coarse", "written"),
    [
        (
            "{space: {training.lambda: {grid: [0, 0.1, 1]}, seed: {grid: [1, 2]}}}",
            "{trials: 6, space: {training.lambda: {grid: [0.0, 0.1, 1.0]}, seed: {grid: [1, 2]}}}",
        ),
        ("{trials: 1, space: {seed: {grid: [1, 2]}}}", "{trials: 1, space: {seed: {grid: [1, 2]}}}"),
        (
            "{space: {seed: {grid: [1, 2]}, training.steps: {values: [0, 9, 9]}}}",
            "{trials: 50, space: {seed: {grid: [1, 2]}, training.steps: {values: [0, 9, 9]}}}",
        ),
        (
            "{trials: 3, space: {seed: {grid: [1, 2]}, training.batch_size: {uniform: [1, 50000]}}}",
            "{trials: 3, space: {seed: {grid: [1, 2]}, training.batch_size: {uniform: [1, 50000]}}}",
        ),
    ],
)
def test_grids_alone_take_every_combination_once_by_default(coarse: str, written: str) -> None:
    text = to_yaml(load(f"search: {{coarse: {coarse}}}"))
    assert text.endswith(f"search:\n  coarse: {written}\n")
    assert to_yaml(load(text)) == text


def test_there_are_no_more_trials_than_may_be() -> None:
    counts = ("batch_size", "schedule.n_s", "schedule.cycles", "schedule.epochs", "steps", "evaluate_every")
    fields = ["seed", "data.validation", "training.evaluate_images", *(f"training.{name}" for name in counts)]
    grids = {name: {"grid": list(range(1, 12))} for name in fields}  # 11^9 combinations: 2.4 · 10^9
    text = to_yaml(load(json.dumps({"search": {"coarse": {"space": grids}}})))
    assert "trials: 1000000000," in text
    assert to_yaml(load(text)) == text


def test_a_fine_search_is_written_as_it_was_given() -> None:
    coarse = "{seed: {uniform: [1, 9]}, training.lambda: {grid: [0, 1]}}"
    fine = "{seed: {uniform_within: 3.0}, training.lambda: {between_best: true}}"
    line = f"  fine: {{trials: 50, centres: 2, space: {fine}}}\n"
    assert to_yaml(load(f"search:\n  coarse: {{space: {coarse}}}\n{line}")).endswith(line)


# For editors


def test_the_schema_for_editors_knows_what_yaml_may_say() -> None:
    schema = json_schema()
    sections = {name: section["properties"] for name, section in schema["$defs"].items()}
    assert schema["properties"]["extends"]["type"] == "string"
    assert "lambda" in sections["TrainingConfig"]
    assert "lam" not in sections["TrainingConfig"]
    assert {"type": "boolean"} in sections["NetworkConfig"]["batch_norm"]["anyOf"]
    assert {"enum": ["he", "xavier"]} in sections["NetworkConfig"]["init"]["anyOf"]
    assert {"enum": ["sgd", "momentum"]} in sections["TrainingConfig"]["optimiser"]["anyOf"]
    assert "training.lambda" in sections["Coarse"]["space"]["propertyNames"]["enum"]
    assert set(sections["Draw"]) == {"uniform", "log_uniform", "values", "grid"}
    assert sections["Around"]["between_best"]["anyOf"][0] == {"const": True, "type": "boolean"}
    assert sections["Coarse"]["trials"]["default"] == 50
    assert schema["$defs"]["SearchConfig"]["required"] == ["coarse"]
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
