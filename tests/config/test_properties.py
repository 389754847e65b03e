"""Configs of any kind: what is written reads back the same, and garbage is refused in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from helpers.config_text import in_an_empty_folder, load  # noqa: F401
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifarmlp.config import to_yaml
from cifarmlp.errors import ConfigError


def refusal(text: str | bytes, *overrides: str) -> str:
    """Return the message of the ConfigError, or ""; no other exception is caught."""
    try:
        load(text, *overrides)
    except ConfigError as error:
        return str(error)
    return ""


share = st.floats(0, 1, exclude_max=True)
positive = st.floats(1e-300, 1e300)
count = st.integers(1, 10**9)
batches = st.permutations([1, 2, 3, 4, 5])
splits = st.fixed_dictionaries(
    {},
    optional={
        "validation": st.integers(1, 40_000),
        "validation_from": st.sampled_from(["last", "random", "stratified"]),
        "train_images": st.integers(9000, 10_000),
        "last_batch": st.just("drop"),
        "scaling": st.sampled_from(["per_pixel", "per_channel", "mean_image", "unit", "none"]),
        "label_noise": st.floats(0, 1),
        "augment": st.fixed_dictionaries({}, optional={"flip": st.floats(0, 1), "shift": st.integers(0, 31)}),
    },
) | st.builds(
    lambda files, cut: {"train_batches": files[:cut], "validation_batches": files[cut:]},
    batches,
    st.integers(1, 4),
)
schedules = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.just("cyclic"),
        "eta_min": st.floats(0, 0.1),
        "eta_max": positive.filter(lambda x: x >= 0.1),
    },
) | st.fixed_dictionaries(
    {"kind": st.just("constant")}, optional={"eta": positive, "decay": st.floats(0.1, 1), "epochs": count}
)
activations = st.one_of(
    st.sampled_from(["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"]),
    st.fixed_dictionaries({"leaky_relu": share}),
    st.fixed_dictionaries({"elu": positive}),
)
inits = st.sampled_from(["he", "xavier", "lecun"]) | st.fixed_dictionaries({"sigma": positive})
losses = st.sampled_from(["cross_entropy", "hinge", "binary_cross_entropy"]) | st.fixed_dictionaries(
    {"label_smoothing": share}
)
around = st.fixed_dictionaries({"uniform_within": positive}) | st.just({"between_best": True})
several = st.lists(st.integers(0) | positive, min_size=1)
draws = st.one_of(
    st.fixed_dictionaries({"values": several}),
    st.fixed_dictionaries({"grid": several.map(set).map(list)}),
    st.fixed_dictionaries({"log_uniform": st.tuples(st.floats(1e-9, 1), st.floats(2, 3)).map(list)}),
)
configs = st.fixed_dictionaries(
    {"name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", fullmatch=True)},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "data": splits,
        "network": st.fixed_dictionaries(
            {},
            optional={
                "hidden": st.lists(st.integers(1, 100_000), max_size=9),
                "activation": activations,
                "batch_norm": st.booleans()
                | st.fixed_dictionaries(
                    {"eps": positive, "momentum": share}, optional={"position": st.just("after")}
                ),
                "dropout": share | st.fixed_dictionaries({"input": share}, optional={"hidden": share}),
                "init": inits | st.fixed_dictionaries({"hidden": inits, "output": inits}),
            },
        ),
        "training": st.fixed_dictionaries(
            {},
            optional={
                "batch_size": st.integers(2, 10_000),
                "lambda": st.floats(0, 1e300) | st.integers(0, 9),
                "loss": losses,
                "optimiser": st.sampled_from(
                    ["sgd", "momentum", {"kind": "nesterov", "rho": 0.5}, {"kind": "adam", "beta1": 0.5}]
                ),
                "schedule": schedules,
                "steps": st.none() | st.integers(0, 10**9),
            },
        ),
        "search": st.none()
        | st.fixed_dictionaries(
            {"coarse": st.fixed_dictionaries({"space": st.fixed_dictionaries({"training.lambda": draws})})},
            optional={
                "fine": st.fixed_dictionaries({"space": st.fixed_dictionaries({"training.lambda": around})})
            },
        ),
    },
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=1000)


@in_one_folder
@given(configs)
def test_a_written_config_is_the_same_config(values: dict[str, Any]) -> None:
    config = load(json.dumps(values))
    text = to_yaml(config)
    assert load(text) == config
    assert to_yaml(load(text)) == text
    assert load(json.dumps(yaml.safe_load(text))) == config


WORDS = """name seed data network training search hidden init schedule kind lambda batch_norm extends c.yaml
    true 1e5 010 no null ~ & * ! { } [ ] , : - ? | > ' " # % @ 5 -1 .nan <<"""
words = st.sampled_from([*WORDS.split(), "\n", "\t", ""])
wordy = st.lists(words, max_size=40).map(" ".join)


@in_one_folder
@given(st.text(max_size=300) | wordy | st.binary(max_size=100))
def test_garbage_is_refused_in_plain_words_or_read(text: str | bytes) -> None:
    message = refusal(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    assert "Input should" not in message
    assert "type=" not in message
    assert all(line.isprintable() for line in message.split("\n"))


leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["he", "no", "kind", "constant"])
)
KEYS = """seed data network training search hidden init schedule optimiser kind lambda batch_norm sigma eps
    coarse fine space trials training.lambda uniform values grid uniform_within between_best centres
    validation train_batches extends"""
keys = st.sampled_from(KEYS.split())
anything = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)
)


@in_one_folder
@given(st.dictionaries(keys, anything), st.dictionaries(keys, anything))
def test_any_tree_laid_over_any_other_is_refused_in_plain_words_or_read(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    Path("base.yaml").write_text(json.dumps(base | {"extends": None}))
    message = refusal(
        json.dumps(over | {"extends": "base.yaml"}), f"training={json.dumps(over.get('training'))}"
    )
    assert "Input should" not in message
