"""Configs as text: read from the file c.yaml in an empty folder."""

import time
from pathlib import Path

import pytest

from cifarmlp.config import Config, load_config
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


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder; a test module that imports this does so in each of its tests."""
    monkeypatch.chdir(tmp_path)


def load(text: str | bytes, *overrides: str) -> Config:
    """Read a config from text."""
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(Path("c.yaml"), overrides)


def faults(text: str | bytes, *overrides: str, seconds: float = 1) -> list[str]:
    """Lines of the ConfigError without the file's name; fails after so many seconds of CPU time."""
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    assert time.process_time() - begun < seconds
    return [line.removeprefix("c.yaml:") for line in str(caught.value).splitlines()]
