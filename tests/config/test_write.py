"""Configs written back, and their schema for editors."""

import json

import pytest
from helpers.config_text import EXAMPLE, in_an_empty_folder, load  # noqa: F401

from cifarmlp.config import json_schema, to_yaml


def test_the_written_config_is_readable() -> None:
    assert (
        to_yaml(load(EXAMPLE, "network.init.sigma=1e-5", "training.optimiser=momentum"))
        == """\
name: three-layer-bn
seed: 1
data:
  source: cifar10
  validation: 1000
  validation_from: last
  last_batch: drop
  scaling: per_pixel
  label_noise: 0.0
network:
  hidden: [50, 50]
  activation: relu
  batch_norm: {eps: 1.0e-12, momentum: 0.9, position: before}
  dropout: 0.0
  init: {sigma: 1.0e-05}
training:
  batch_size: 100
  lambda: 0.005
  loss: {kind: cross_entropy, label_smoothing: 0.0}
  optimiser: {kind: momentum, rho: 0.9}
  schedule: {kind: cyclic, eta_min: 1.0e-05, eta_max: 0.1, n_s: 2250, cycles: 2}
  steps: null
  evaluate_every: 1
  evaluate_images: null
  evaluate_test: false
  keep: last
  patience: null
  average: null
  snapshots: false
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
    fields = ["seed", "training.lambda", "training.evaluate_images", *(f"training.{name}" for name in counts)]
    grids = {name: {"grid": list(range(1, 12))} for name in fields}  # 11^9 combinations: 2.4 · 10^9
    text = to_yaml(load(json.dumps({"search": {"coarse": {"space": grids}}})))
    assert "trials: 1000000000," in text
    assert to_yaml(load(text)) == text


def test_a_fine_search_is_written_as_it_was_given() -> None:
    coarse = "{seed: {uniform: [1, 9]}, training.lambda: {grid: [0, 1]}}"
    fine = "{seed: {uniform_within: 3.0}, training.lambda: {between_best: true}}"
    line = f"  fine: {{trials: 50, centres: 2, space: {fine}}}\n"
    assert to_yaml(load(f"search:\n  coarse: {{space: {coarse}}}\n{line}")).endswith(line)


def test_the_schema_for_editors_knows_what_yaml_may_say() -> None:
    schema = json_schema()
    sections = {name: section["properties"] for name, section in schema["$defs"].items()}
    assert schema["properties"]["extends"]["type"] == "string"
    assert "lambda" in sections["TrainingConfig"]
    assert "lam" not in sections["TrainingConfig"]
    assert {"type": "boolean"} in sections["NetworkConfig"]["batch_norm"]["anyOf"]
    assert {"enum": ["he", "xavier", "lecun"]} in sections["NetworkConfig"]["init"]["anyOf"]
    assert {"enum": ["sgd", "momentum", "nesterov", "adam", "adamw"]} in sections["TrainingConfig"][
        "optimiser"
    ]["anyOf"]
    assert "training.lambda" in sections["Coarse"]["space"]["propertyNames"]["enum"]
    assert set(sections["Draw"]) == {"uniform", "log_uniform", "values", "grid"}
    assert sections["Around"]["between_best"]["anyOf"][0] == {"const": True, "type": "boolean"}
    assert sections["Coarse"]["trials"]["default"] == 50
    assert schema["$defs"]["SearchConfig"]["required"] == ["coarse"]
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
