"""Each cause of a training that does not learn is found, and what is said to help does help."""

import re

import numpy as np
import pytest

from cifarmlp.config import Config, find_config, load_config
from cifarmlp.config.network_section import NetworkConfig
from cifarmlp.data import Images, Split
from cifarmlp.training.advice import remedies
from cifarmlp.training.build import build_training

RNG = np.random.default_rng(1)
PATTERNS = RNG.integers(60, 196, (10, 3072))
NARROW = "network.hidden=[20, 20]"
DEEP = "network.hidden=[20, 20, 20, 20, 20, 20]"
PLAIN = "network.batch_norm=false"
FIXED = "training.schedule={{kind: constant, eta: {}, epochs: 4}}"
MOMENTUM = "training.optimiser={kind: momentum, rho: 0.9}"
TANH = ("network.activation=tanh", PLAIN)
activations = pytest.mark.skipif("activation" not in NetworkConfig.model_fields, reason="ReLU only")


def images(n: int) -> Images:
    """A pattern a class, and as much noise."""
    labels = RNG.integers(0, 10, n).astype(np.uint8)
    return Images((PATTERNS[labels] + RNG.integers(-60, 60, (n, 3072))).astype(np.uint8), labels)


IMAGES = Split(images(600), images(200), images(200))


def config_of(*settings: str) -> Config:
    """Return a config that learns the patterns in 4 epochs of 30 steps, but for the settings."""
    base = ["training.batch_size=20", "training.lambda=0.001", NARROW]
    return load_config(find_config("quickstart"), [*base, FIXED.format(0.02), *settings])


def learn(*settings: str, split: Split = IMAGES) -> tuple[float, str]:
    """Train; return the validation accuracy, that of chance after a divergence, and the advice."""
    config = config_of(*settings)
    training = build_training([config], split)
    *_, last = training.records()
    accuracy = float(last.validation.accuracy[0])
    return (accuracy if np.isfinite(accuracy) else 0.1), "\n".join(remedies(config, training))


def settings_in(advice: str) -> list[str]:
    """Return the KEY=VALUEs of advice."""
    return re.findall(r"--set (\S+)", advice)


@pytest.mark.parametrize("settings", [(), (PLAIN,), (MOMENTUM, FIXED.format(0.002))])
def test_the_patterns_can_be_learnt(settings: tuple[str, ...]) -> None:
    assert learn(*settings)[0] > 0.5


@pytest.mark.parametrize(
    ("settings", "key", "sign"),
    [
        ((FIXED.format(1e-9),), "training.schedule.eta", "moved by"),
        ((FIXED.format(1e-9), PLAIN), "training.schedule.eta", "moved by"),
        ((FIXED.format(1e-9), MOMENTUM), "training.schedule.eta", "moved by"),
        ((FIXED.format(1e5), PLAIN), "training.schedule.eta", "eta changes weights by"),
        ((FIXED.format(20), PLAIN), "training.schedule.eta", "eta changes weights by"),
        (("training.lambda=30",), "training.lambda", "weight decay pulls"),
        (("training.lambda=5", PLAIN), "training.lambda", "weight decay pulls"),
        (("network.init={sigma: 1.0e-4}", PLAIN), "network.init", "vanish in layer 1"),
        (("network.init={sigma: 0.01}", PLAIN, DEEP), "network.init", "vanish in layer 2"),
        ((FIXED.format(0.15), PLAIN), "training.schedule.eta", "layer 2 is 100% dead"),
        pytest.param((*TANH, "network.init={sigma: 1}"), "network.init", "saturated", marks=activations),
        (("network.init={sigma: 5}", PLAIN), "network.init", "layer 1 explodes"),
        (("network.init={sigma: 1.0e+30}", PLAIN), "network.init", "layer 1 explodes"),
        pytest.param(
            ("network.init={sigma: 1.0e+300}", PLAIN),
            "network.init",
            "start, its outputs are not finite",
            marks=pytest.mark.filterwarnings("ignore:overflow"),
        ),
    ],
)
def test_the_cause_is_told_and_the_advice_helps(settings: tuple[str, ...], key: str, sign: str) -> None:
    accuracy, advice = learn(*settings)
    assert sign in advice
    advised = settings_in(advice)
    assert [setting.partition("=")[0] for setting in advised] == [key]
    assert learn(*settings, *advised)[0] > accuracy + 0.3


def test_lower_rates_do_not_stay_above_the_one_that_helps() -> None:
    cyclic = "training.schedule={kind: cyclic, eta_min: 1.0e+4, eta_max: 1.0e+5, n_s: 60, cycles: 1}"
    _, advice = learn(cyclic, PLAIN)
    low, high = (float(setting.partition("=")[2]) for setting in settings_in(advice))
    assert low == high
    assert learn(cyclic, PLAIN, *settings_in(advice))[0] > 0.5


def test_two_causes_are_two_lines() -> None:
    both = ("training.lambda=30", FIXED.format(20), PLAIN)
    _, advice = learn(*both)
    assert len(advice.splitlines()) == len(settings_in(advice)) == 2
    assert learn(*both, *settings_in(advice))[0] > 0.5


def test_less_than_an_epoch_shows_little_unless_a_cause_is_seen() -> None:
    _, advice = learn("training.steps=1")
    assert "--set training.steps=60 (less than an epoch shows little)" in advice
    _, advice = learn("training.steps=1", FIXED.format(1e-9))
    assert "moved by" in advice


def test_labels_that_say_nothing_have_no_cause_in_the_network() -> None:
    labels = np.random.default_rng(2).integers(0, 10, 600).astype(np.uint8)
    noise = Images(IMAGES.train.pixels, labels)
    _, advice = learn(split=Split(noise, noise, noise))
    assert "no cause stands out" in advice


def test_a_rate_far_too_low_for_weights_near_zero_is_not_lowered() -> None:
    settings = ("network={hidden: [], init: {sigma: 0.0001}}", "training.optimiser=adam", "data.scaling=none")
    low, advice = learn(*settings, FIXED.format(1e-7))
    (found,) = settings_in(advice)
    key, eta = found.split("=")
    assert key == "training.schedule.eta"
    assert float(eta) > 1e-6
    assert learn(*settings, FIXED.format(eta))[0] > low + 0.1
