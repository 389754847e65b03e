"""Configs: what is refused, and where; none but plain words."""

from __future__ import annotations

import pytest
from config_text import faults, in_an_empty_folder, load  # noqa: F401

# What is refused, and where


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
nam: x
name: -bad
seed: 010
seed: 4
data: {validation: 0, source: cifar100}
network:
  hidden: [50, 2.0, true, "30", 1_000]
  batch_norm: yes
  init: kaiming
training:
  batch_size: 2.0
  lamda: 1e-5
  eta: 5
  optimiser: {rho: .5}
  schedule: {kind: cyclic, decay: 1, eta_min: 0.5, eta_max: 0.1, n_s: 1:30}
  steps:
  evaluate_every: !!int 4
  evaluate_images: .inf
"""
    assert faults(text) == [
        "1:1: unknown key 'nam'; did you mean 'name'?",
        "2:7: name is '-bad'; it must be 1 to 100 letters, digits, '.', '_' and '-', "
        "not beginning with '.' or '-'",
        "3:7: seed is '010'; it must be a whole number: a leading zero may mean octal, write 10",
        "4:1: the key 'seed' is given twice, first on line 3",
        "5:20: data.validation is 0; it must be at least 1",
        "5:31: data.source is 'cifar100'; it must be 'cifar10' or 'synthetic'",
        "7:16: network.hidden[1] is 2.0; it must be a whole number: write 2",
        "7:21: network.hidden[2] is true; it must be a whole number",
        "7:27: network.hidden[3] is '30'; it must be a whole number: remove the quotes",
        "7:33: network.hidden[4] is '1_000'; it must be a whole number: write the digits without separators",
        "8:15: network.batch_norm is 'yes'; it must be true, false or a mapping such as "
        "{eps: 1.0e-12, momentum: 0.9}",
        "9:9: network.init is 'kaiming'; it must be he, xavier or a mapping such as {sigma: 0.001}",
        "11:15: training.batch_size is 2.0; it must be a whole number: write 2",
        "12:3: unknown key 'lamda' in training; did you mean 'lambda'?",
        "13:3: unknown key 'eta' in training; did you mean 'training.schedule.eta'?",
        "14:20: training.optimiser.rho belongs to kind: momentum, and the kind is sgd",
        "15:28: training.schedule.decay does not go with kind: cyclic",
        "15:61: training.schedule.eta_max is 0.1, below eta_min, which is 0.5",
        "15:71: training.schedule.n_s is '1:30'; it must be a whole number: base 60 is not read",
        "16:9: 'steps' has no value: write one (null for none) or remove the line",
        "17:19: tags (words that begin with '!') are not allowed: remove it",
        "18:20: training.evaluate_images is inf; it must be a whole number",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("seed: -1", "1:7: seed is -1; it must be at least 0"),
        ("seed: 4294967296", "1:7: seed is 4294967296; it must be at most 4294967295"),
        ("seed: true", "1:7: seed is true; it must be a whole number"),
        ("seed: null", "1:7: seed is null; it must be a whole number"),
        ("seed: [1]", "1:7: seed is [1]; it must be a whole number"),
        ("seed: 0x10", "1:7: seed is '0x10'; it must be a whole number: write it in decimal digits"),
        ("name: 123", "1:7: name is 123; it must be text: put it in quotes, '123'"),
        ("name: ../up", "1:7: name is '../up'; it must be 1 to 100 letters"),
        ("name: " + "x" * 101, "1:7: name is 'x" + "x" * 59 + "'…; it must be 1 to 100 letters"),
        (r'name: "\e[31m"', r"1:7: name is '\x1b[31m'; it must be 1 to 100 letters"),
        ("training: 5", "1:11: training is 5; it must be a mapping of keys to values"),
        ("training.lambda: 5", "1:1: training.lambda is one key here: in a file, write the last word"),
        ("training: {lam: 5}", "1:12: unknown key 'lam' in training; did you mean 'lambda'?"),
        ("training: {lambda: no}", "1:20: training.lambda is 'no'; it must be a number"),
        ("training: {lambda: .nan}", "1:20: training.lambda is nan; it must be a finite number"),
        ("training: {lambda: 1e999}", "1:20: training.lambda is inf; it must be a finite number"),
        ("training: {optimiser: adam}", "1:23: training.optimiser is 'adam'; it must be sgd, momentum or a"),
        (
            "training: {schedule: {kind: step, n_s: 0}}",
            "1:29: training.schedule.kind is 'step'; it must be 'cyclic' or 'constant'",
        ),
        (
            "training: {schedule: {kind: constant, eta: 0}}",
            "1:44: training.schedule.eta is 0; it must be greater than 0",
        ),
        (
            "training: {schedule: 5}",
            "1:22: training.schedule is 5; it must be a mapping with kind: cyclic or",
        ),
        (
            "network: {hidden: 50}",
            "1:19: network.hidden is 50; it must be a list of widths, such as [50, 30]",
        ),
        ("network: {hidden: [0]}", "1:20: network.hidden[0] is 0; it must be at least 1"),
        (f"network: {{hidden: [{'1, ' * 1001}]}}", "1:19: network.hidden is a list; it must be at most 1000"),
        ("network: {batch_norm: 1}", "1:23: network.batch_norm is 1; it must be true, false or a mapping"),
        ("network: {init: normal}", "1:17: network.init lacks its sigma: write {sigma: 0.001}"),
        ("network: {init: {kind: he, sigma: 1}}", "1:35: network.init is he, which has no sigma"),
        (
            "network: {batch_norm: true}\ntraining: {batch_size: 1}",
            "2:24: training.batch_size is 1; with network.batch_norm it must be at least 2",
        ),
        (
            "data: {validation: 49950}",
            "1:20: training.batch_size is 100; it must be at most 50, the images to train on",
        ),
        ("data: {validation: 50000}", "1:20: data.validation is 50000; it must be less than 50000"),
        ("data: {validation: null}", "1:20: data needs validation, or both train_batches and"),
        ("data: {train_batches: [1]}", "1:23: data needs validation, or both train_batches and"),
        (
            "data: {train_batches: [1, 1], validation_batches: [2]}",
            "1:23: the list [1, 1] names a file twice: once is enough",
        ),
        (
            "data: {train_batches: [1, 2], validation_batches: [2]}",
            "1:51: data.train_batches and data.validation_batches share file 2: give it to one",
        ),
        (
            "data: {train_batches: [6], validation_batches: [2]}",
            "1:24: data.train_batches[0] is 6; it must be",
        ),
        (
            "data: {validation: 9, train_batches: [1], validation_batches: [2]}",
            "1:20: give either data.validation or the two lists of batches",
        ),
        ("[1, 2]", "1:1: a config is a mapping of keys to values, such as 'seed: 1'"),
        ("just words", "1:1: a config is a mapping of keys to values, such as 'seed: 1'"),
        ("", "1:1: the file is empty: write at least one setting, such as 'seed: 1'"),
        ("# only\n# comments\n", "1:1: the file is empty: write at least one setting"),
        ("--- \n", "1:1: the file is empty: write at least one setting"),
        (b"seed: 1\nname: caf\xe9", "2:10: not UTF-8 text (byte 0xe9): save the file as UTF-8"),
        ("seed: 1".encode("utf-16"), "1:1: not UTF-8 text (byte 0xff): save the file as UTF-8"),
        (bytes(range(256)), "3:115: not UTF-8 text (byte 0x80): save the file as UTF-8"),
        (b"PK\x03\x04", "1:3: the character '\\x03' is not allowed (is this a text file?): remove it"),
        (b"#" * 1_100_000, " larger than 256 kB: is this a config?"),
        ("a: " + "[" * 3000, "1:54: nested more than 50 levels deep: a config has about five"),
        ("network: {hidden: [&x 50, *x]}", "1:20: anchors ('&') are not allowed"),
    ],
)
def test_one_fault_and_its_place(text: str | bytes, fault: str) -> None:
    assert [line[: len(fault)] for line in faults(text)][:1] == [fault]


def test_fields_are_compared_though_others_are_wrong() -> None:
    text = "data: {train_batches: [1], validation_batches: [2]}\ntraining: {batch_size: 20000, lambda: -1}\n"
    assert faults(text) == [
        "2:24: training.batch_size is 20000; it must be at most 10000, the images to train on",
        "2:39: training.lambda is -1; it must be at least 0",
    ]


def test_what_follows_from_a_fault_is_not_told() -> None:
    assert faults("data: {validation: -5}\ntraining: {batch_size: 49999}") == [
        "1:20: data.validation is -5; it must be at least 1"
    ]


def test_very_many_faults_are_counted() -> None:
    lines = faults("".join(f"key{number}: 1\n" for number in range(2000)))
    assert len(lines) == 51
    assert lines[-1] == " 1950 more faults"


def test_a_fault_in_a_search() -> None:
    text = """\
search:
  coarse: {space: {lambda: {uniform: [2, 1]}, training.lamda: {uniform: [2, 3]}}}
  fine: {trials: 0, space: {training.lambda: {uniform_within: 0}, seed: {}}}
"""
    assert faults(text) == [
        "2:20: 'lambda' is not a numeric field of a config; name one by its dotted key, "
        "as in training.lambda",
        "2:28: the range [2.0, 1.0] must go from a smaller to a larger number",
        "2:47: 'training.lamda' is not a numeric field of a config; did you mean 'training.lambda'?",
        "3:18: search.fine.trials is 0; it must be at least 1",
        "3:63: search.fine.space.training.lambda.uniform_within is 0; it must be greater than 0",
        "3:67: search.fine.space.seed.uniform_within is missing",
    ]


@pytest.mark.parametrize(
    ("draw", "fault"),
    [
        ("{}", "give exactly one of uniform"),
        ("{uniform: [1, 2], values: [1]}", "give exactly one of uniform"),
        ("{uniform: [1, 1]}", "the range [1.0, 1.0] must go from a smaller to a larger number"),
        ("{log_uniform: [0, 1]}", "log_uniform is [0.0, 1.0]; both must be greater than 0"),
        ("{uniform: [1, no]}", "search.coarse.space.seed.uniform[1] is 'no'; it must be a number"),
        ("{values: []}", "search.coarse.space.seed.values is []; it must be at least 1 item long"),
        ("{values: [1, true]}", "search.coarse.space.seed.values[1] is true; it must be a number"),
        ("{uniform_within: 1}", "unknown key 'uniform_within' in search.coarse.space.seed; did you mean"),
    ],
)
def test_a_draw_is_one_sound_range(draw: str, fault: str) -> None:
    (line,) = faults(f"search: {{coarse: {{space: {{seed: {draw}}}}}}}")
    assert line.split(": ", 1)[1].startswith(fault)


def test_values_to_draw_keep_their_type() -> None:
    search = load("search: {coarse: {space: {training.batch_size: {values: [50, 0.5]}}}}").search
    assert search is not None
    assert search.coarse is not None
    assert [type(value) for value in search.coarse.space["training.batch_size"].values or ()] == [int, float]
