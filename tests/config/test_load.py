"""Configs: what is read from a text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.config_text import EXAMPLE, in_an_empty_folder, load  # noqa: F401
from pydantic import ValidationError

from cifarmlp.config import Config, CyclicConfig, load_config
from cifarmlp.config import files as config_files
from cifarmlp.errors import ConfigError

NORM = {"eps": 1e-12, "momentum": 0.9, "position": "before"}


def init(kind: str, sigma: float | None = None, **layers: Any) -> dict[str, Any]:
    """An init as a config dumps it."""
    return {"kind": kind, "sigma": sigma, "hidden": None, "output": None, **layers}


def activation(kind: str, **number: float) -> dict[str, Any]:
    """An activation as a config dumps it."""
    return {"kind": kind, "leaky_relu": None, "elu": None, **number}


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
            "validation_from": "last",
            "train_batches": None,
            "validation_batches": None,
            "train_images": None,
            "test_images": None,
            "last_batch": "drop",
            "scaling": "per_pixel",
            "label_noise": 0.0,
            "augment": None,
        },
        "network": {
            "hidden": (50, 50),
            "activation": activation("relu"),
            "batch_norm": NORM,
            "dropout": {"input": 0.0, "hidden": 0.0},
            "init": init("he"),
        },
        "training": {
            "batch_size": 100,
            "lam": 0.005,
            "loss": {"kind": "cross_entropy", "label_smoothing": 0.0},
            "optimiser": {"kind": "sgd"},
            "schedule": cyclic,
            "steps": None,
            "evaluate_every": 1,
            "evaluate_images": None,
            "evaluate_test": False,
            "keep": "last",
            "patience": None,
            "average": None,
            "snapshots": False,
        },
        "search": {
            "coarse": {"trials": 50, "halving": None, "space": {"training.lambda": draw}},
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
        ("network: {batch_norm: {eps: 1e-5}}", {"network.batch_norm": {**NORM, "eps": 1e-5}}),
        ("network: {init: xavier}", {"network.init": init("xavier")}),
        ("network: {init: {sigma: 0}}", {"network.init": init("normal", 0.0)}),
        ("network: {init: {kind: normal, sigma: 1}}", {"network.init": init("normal", 1.0)}),
        ("network: {init: lecun}", {"network.init": init("lecun")}),
        (
            "network: {init: {hidden: xavier, output: {sigma: 0.1}}}",
            {
                "network.init": init(
                    "by_layer",
                    hidden={"kind": "xavier", "sigma": None},
                    output={"kind": "normal", "sigma": 0.1},
                )
            },
        ),
        ("network: {hidden: 50}", {"network.hidden": (50,)}),
        ("network: {activation: gelu}", {"network.activation": activation("gelu")}),
        (
            "network: {activation: leaky_relu}",
            {"network.activation": activation("leaky_relu", leaky_relu=0.01)},
        ),
        (
            "network: {activation: {leaky_relu: 0.1}}",
            {"network.activation": activation("leaky_relu", leaky_relu=0.1)},
        ),
        ("network: {activation: {elu: 2}}", {"network.activation": activation("elu", elu=2.0)}),
        ("network: {activation: {kind: elu}}", {"network.activation": activation("elu", elu=1.0)}),
        ("network: {dropout: 0.5}", {"network.dropout": {"input": 0.0, "hidden": 0.5}}),
        ("network: {dropout: [0.5, 0]}", {"network.dropout": {"input": 0.0, "hidden": (0.5, 0.0)}}),
        ("network: {dropout: {input: 0.2}}", {"network.dropout": {"input": 0.2, "hidden": 0.0}}),
        (
            "network: {hidden: 5, dropout: {input: 0.2, hidden: [0.5]}}",
            {"network.dropout": {"input": 0.2, "hidden": (0.5,)}},
        ),
        ("network: {batch_norm: {position: after}}", {"network.batch_norm": {**NORM, "position": "after"}}),
        ("training: {loss: hinge}", {"training.loss": {"kind": "hinge"}}),
        (
            "training: {loss: {label_smoothing: 0.1}}",
            {"training.loss": {"kind": "cross_entropy", "label_smoothing": 0.1}},
        ),
        ("network: {init: {kind: he}}", {"network.init": init("he")}),
        ("network: {hidden: []}", {"network.hidden": ()}),
        ("training: {optimiser: momentum}", {"training.optimiser": {"kind": "momentum", "rho": 0.9}}),
        ("training: {optimiser: {kind: sgd}}", {"training.optimiser": {"kind": "sgd"}}),
        (
            "training: {optimiser: {kind: momentum, rho: 0}}",
            {"training.optimiser": {"kind": "momentum", "rho": 0.0}},
        ),
        (
            "training: {schedule: {kind: constant, eta: 1, decay: 0.95, epochs: 3}}",
            {
                "training.schedule": {
                    "kind": "constant",
                    "eta": 1.0,
                    "decay": 0.95,
                    "decay_every": 1,
                    "epochs": 3,
                }
            },
        ),
        ("training: {schedule: {cycles: 1.5}}", {"training.schedule.cycles": 1.5}),
        (
            "training: {schedule: {kind: cosine}}",
            {"training.schedule.eta_min": 0, "training.schedule.warmup_epochs": 0},
        ),
        (
            "training: {optimiser: adamw}",
            {"training.optimiser": {"kind": "adamw", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}},
        ),
        ("training: {steps: 0, lambda: 1e-5}", {"training.steps": 0, "training.lam": 1e-5}),
        ("name: no", {"name": "no"}),
        ("name: 2024-01-01", {"name": "2024-01-01"}),
        ("name: 010", {"name": "010"}),
        (
            "data: {train_batches: [1, 3], validation_batches: [2]}",
            {"data.train_batches": (1, 3), "data.validation": None, "data.validation_from": None},
        ),
        ("data: {validation: 0}", {"data.validation": 0, "data.validation_from": "last"}),
        ("data: {augment: {}}", {"data.augment": None}),
        ("data: {augment: {flip: 0, shift: 0}}", {"data.augment": None}),
        ("data: {augment: {shift: 31, cutout: 32}}", {"data.augment.shift": 31, "data.augment.cutout": 32}),
        ("data: {last_batch: keep, validation: 999}", {"data.last_batch": "keep"}),
        ("data: {label_noise: 1}", {"data.label_noise": 1.0}),
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
    assert load("data: {train_images: 100}").data.training_images == 100
    none = load("data: {validation: 0}").data
    assert (none.training_images, none.validation_images) == (50_000, 0)


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


def test_a_study_given_for_a_config_is_told_with_the_command_for_it(tmp_path: Path) -> None:
    path = tmp_path / "of mine.yaml"
    path.write_text("title: T\nsections: [{title: one}]\n")
    with pytest.raises(ConfigError, match=rf"^{path}: a study, no config; cifarmlp study '{path}'$"):
        load_config(path)
