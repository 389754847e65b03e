"""Configs: what is refused, and where; none but plain words."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from helpers.config_text import faults, in_an_empty_folder, load  # noqa: F401

# What is refused, and where


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
nam: x
name: -bad
seed: 010
seed: 4
data: {validation: -1, source: cifar100}
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
        "2:7: name is '-bad'; it must be 1 to 100 letters a-z or A-Z, digits, '.', '_' and '-', "
        "not beginning with '.' or '-'",
        "3:7: seed is '010'; it must be a whole number: a leading zero may mean octal, write 10",
        "4:1: the key 'seed' is given twice, first on line 3",
        "5:20: data.validation is -1; it must be at least 0",
        "5:32: data.source is 'cifar100'; it must be 'cifar10' or 'synthetic'",
        "7:16: network.hidden[1] is 2.0; it must be a whole number: write 2",
        "7:21: network.hidden[2] is true; it must be a whole number",
        "7:27: network.hidden[3] is '30'; it must be a whole number: remove the quotes",
        "7:33: network.hidden[4] is '1_000'; it must be a whole number: write the digits without separators",
        "8:15: network.batch_norm is 'yes'; it must be true, false or a mapping such as "
        "{eps: 1.0e-12, momentum: 0.9}",
        "9:9: network.init is 'kaiming'; it must be he, xavier, lecun or a mapping such as {sigma: 0.001} or "
        "{hidden: he, output: lecun}",
        "11:15: training.batch_size is 2.0; it must be a whole number: write 2",
        "12:3: unknown key 'lamda' in training; did you mean 'lambda'?",
        "13:3: unknown key 'eta' in training; did you mean 'training.schedule.eta'?",
        "14:20: training.optimiser.rho belongs to kind: momentum or nesterov, and the kind is sgd",
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
        ("name: größe", "1:7: name is 'größe'; it must be 1 to 100 letters a-z or A-Z, digits"),
        ("name: " + "x" * 101, "1:7: name is 'x" + "x" * 59 + "'…; it must be 1 to 100 letters"),
        (r'name: "\e[31m"', r"1:7: name is '\x1b[31m'; it must be 1 to 100 letters"),
        ("training: 5", "1:11: training is 5; it must be a mapping of keys to values"),
        ("training.lambda: 5", "1:1: training.lambda is one key here: in a file, write the last word"),
        ("training: {lam: 5}", "1:12: unknown key 'lam' in training; did you mean 'lambda'?"),
        ("training: {lambda: no}", "1:20: training.lambda is 'no'; it must be a number"),
        ("training: {lambda: .nan}", "1:20: training.lambda is nan; it must be a finite number"),
        ("training: {lambda: 1e999}", "1:20: training.lambda is inf; it must be a finite number"),
        (
            "training: {optimiser: rmsprop}",
            "1:23: training.optimiser is 'rmsprop'; it must be sgd, momentum, nesterov, adam, adamw or a",
        ),
        (
            "training: {optimiser: {kind: adam, rho: 0.9}}",
            "1:36: training.optimiser.rho does not go with kind: adam",
        ),
        ("training: {optimiser: {kind: adamw, beta1: 1}}", "1:44: training.optimiser.beta1 is 1; it must be"),
        ("training: {optimiser: {kind: adam, eps: 0}}", "1:41: training.optimiser.eps is 0; it must be at"),
        (
            "training: {optimiser: {kind: adam, eps: 1.0e-300}}",
            "1:41: training.optimiser.eps is 1.0e-300; it must be at least 1e-30",
        ),
        (
            "data: {augment: {noise: 1.0e+300}}",
            "1:25: data.augment.noise is 1.0e+300; it must be at most 1e+30",
        ),
        (
            "training: {schedule: {n_s: 4, cycles: 0.3}}",
            "1:39: training.schedule.cycles is 0.3; with n_s 4 that is 2.4 steps, no whole number: "
            "write 0.25 or 0.375",
        ),
        (
            "training: {schedule: {n_s: 4, cycles: 0.1}}",
            "1:39: training.schedule.cycles is 0.1; with n_s 4 that is 0.8 steps, no whole number: "
            "write 0.125",
        ),
        ("training: {schedule: {cycles: x}}", "1:31: training.schedule.cycles is 'x'; it must be a number"),
        (
            "training: {schedule: {kind: cosine, eta: 0.1, eta_min: 0.2}}",
            "1:42: training.schedule.eta is 0.1, below eta_min, which is 0.2",
        ),
        (
            "training: {schedule: {kind: cosine, warmup_epochs: 3, epochs: 3}}",
            "1:52: training.schedule.warmup_epochs is 3; it must be less than epochs, which is 3",
        ),
        (
            "training: {schedule: {kind: one_cycle, rise: 1}}",
            "1:46: training.schedule.rise is 1; it must be l",
        ),
        (
            "training: {schedule: {kind: one_cycle, shape: cos}}",
            "1:47: training.schedule.shape is 'cos'; it must be 'cosine' or 'linear'",
        ),
        (
            "training: {schedule: {kind: constant, decay_every: 0}}",
            "1:52: training.schedule.decay_every is 0; it must be at least 1",
        ),
        ("training: {evaluate_every: 0}", "1:28: training.evaluate_every is 0; it must be at least 1"),
        ("training: {evaluate_every: {steps: 0}}", "1:36: training.evaluate_every.steps is 0; it must be at"),
        (
            "training: {evaluate_every: {step: 1, steps: 2}}",
            "1:29: unknown key 'step' in training.evaluate_every",
        ),
        ("training: {evaluate_test: 1}", "1:27: training.evaluate_test is 1; it must be true or false"),
        ("training: {keep: first}", "1:18: training.keep is 'first'; it must be 'last' or 'best'"),
        ("training: {average: 1}", "1:21: training.average is 1; it must be less than 1"),
        ("training: {average: 0}", "1:21: training.average is 0; it must be greater than 0"),
        ("training: {patience: 0}", "1:22: training.patience is 0; it must be at least 1"),
        (
            "data: {validation: 0}\ntraining: {keep: best}",
            "2:18: training.keep: best goes by the validation accuracy, and data.validation is 0; set data.",
        ),
        (
            "data: {validation: 0}\ntraining: {patience: 3}",
            "2:22: training.patience goes by the validation accuracy, and data.validation is 0; set",
        ),
        (
            "training: {snapshots: true, schedule: {kind: constant}}",
            "1:23: training.snapshots keeps each cycle's model, and schedule constant has none; remove it",
        ),
        (
            "training: {schedule: {kind: step, n_s: 0}}",
            "1:29: training.schedule.kind is 'step'; "
            "it must be 'cyclic' or 'constant' or 'cosine' or 'one_cycle'",
        ),
        (
            "training: {schedule: {kind: constant, eta: 0}}",
            "1:44: training.schedule.eta is 0; it must be greater than 0",
        ),
        (
            "training: {schedule: 5}",
            "1:22: training.schedule is 5; it must be a mapping with kind: cyclic, ",
        ),
        (
            "network: {hidden: wide}",
            "1:19: network.hidden is 'wide'; it must be a list of widths, such as [50, 30]",
        ),
        ("network: {hidden: [0]}", "1:20: network.hidden[0] is 0; it must be at least 1"),
        (f"network: {{hidden: [{'1, ' * 1001}]}}", "1:19: network.hidden is a list; it must be at most 1000"),
        ("network: {batch_norm: 1}", "1:23: network.batch_norm is 1; it must be true, false or a mapping"),
        ("network: {init: normal}", "1:17: network.init lacks its sigma: write {sigma: 0.001}"),
        (
            "network: {init: {hidden: normal}}",
            "1:26: network.init.hidden lacks its sigma: write {sigma: 0.001}",
        ),
        (
            "network: {init: {hidden: {kind: he, sigma: 1}}}",
            "1:44: network.init.hidden is he, which has no sigma",
        ),
        (
            "network: {init: {sigma: 1, hidden: he}}",
            "1:36: network.init is for all layers or {hidden: he, output: lecun}: remove one of the two",
        ),
        (
            "network: {activation: swish}",
            "1:23: network.activation is 'swish'; it must be relu, leaky_relu, elu, gelu, tanh, sigmoid or a",
        ),
        (
            "network: {activation: {leaky_relu: 1}}",
            "1:36: network.activation.leaky_relu is 1; it must be less",
        ),
        (
            "network: {activation: {kind: relu, elu: 1}}",
            "1:41: network.activation is relu, which has no elu: remove one of the two",
        ),
        ("network: {dropout: 1}", "1:20: network.dropout is 1; it must be a number from 0 to below 1"),
        ("network: {dropout: yes}", "1:20: network.dropout is 'yes'; it must be a number from 0 to below 1"),
        (
            "network: {dropout: {hidden: [0.5, 1]}}",
            "1:29: network.dropout.hidden is [0.5, 1]; it must be a number from 0 to below 1, or a list",
        ),
        (
            "network: {hidden: [9, 9], dropout: [0.5]}",
            "1:36: network.dropout has 1 rate for 2 hidden layers: give one a layer, or one number for all",
        ),
        (
            "network: {batch_norm: {position: behind}}",
            "1:34: network.batch_norm.position is 'behind'; it must be 'before' or 'after'",
        ),
        (
            "training: {loss: mse}",
            "1:18: training.loss is 'mse'; it must be cross_entropy, hinge, binary_cross_entropy or a",
        ),
        (
            "data: {augment: {mixup: 0.2}}\ntraining: {loss: hinge}",
            "1:25: data.augment.mixup mixes labels, which training.loss: hinge has no loss of: remove mixup",
        ),
        (
            "training: {loss: {kind: hinge, label_smoothing: 0.1}}",
            "1:32: training.loss.label_smoothing does not go with kind: hinge",
        ),
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
        (
            "data: {validation_from: first}",
            "1:25: data.validation_from is 'first'; it must be last, random or stratified",
        ),
        (
            "data: {train_batches: [1], validation_batches: [2], validation_from: random}",
            "1:70: data.validation_from says which images data.validation takes; give both, or the two lists",
        ),
        (
            "data: {train_images: 49001}",
            "1:22: data.train_images is 49001; it must be at most 49000, those not for validation",
        ),
        (
            "data: {validation: 40000, train_images: 10001}",
            "1:41: data.train_images is 10001; it must be at most 10000, those not for validation",
        ),
        (
            "data: {train_batches: [1], validation_batches: [2], train_images: 10001}",
            "1:67: data.train_images is 10001; it must be at most 10000",
        ),
        ("data: {train_images: 0}", "1:22: data.train_images is 0; it must be at least 1"),
        ("data: {test_images: 10001}", "1:21: data.test_images is 10001; it must be at most 10000"),
        (
            "data: {train_images: 99}",
            "1:22: training.batch_size is 100; it must be at most 99, the images to train on",
        ),
        ("data: {last_batch: pad}", "1:20: data.last_batch is 'pad'; it must be 'drop' or 'keep'"),
        ("data: {label_noise: 1.1}", "1:21: data.label_noise is 1.1; it must be at most 1"),
        ("data: {label_noise: -0.1}", "1:21: data.label_noise is -0.1; it must be at least 0"),
        ("data: {augment: flip}", "1:17: data.augment is 'flip'; it must be a mapping such as {flip: 0.5"),
        ("data: {augment: {flip: 1.5}}", "1:24: data.augment.flip is 1.5; it must be at most 1"),
        ("data: {augment: {shift: 32}}", "1:25: data.augment.shift is 32; it must be less than 32"),
        ("data: {augment: {shift: 0.5}}", "1:25: data.augment.shift is 0.5; it must be a whole number"),
        ("data: {augment: {cutout: 33}}", "1:26: data.augment.cutout is 33; it must be at most 32"),
        ("data: {augment: {noise: -1}}", "1:25: data.augment.noise is -1; it must be at least 0"),
        ("data: {augment: {mixup: .nan}}", "1:25: data.augment.mixup is nan; it must be a finite number"),
        ("data: {augment: {flp: 0.5}}", "1:18: unknown key 'flp' in data.augment; did you mean 'flip'?"),
        (
            "data: {last_batch: keep, validation: 999}\nnetwork: {batch_norm: true}",
            "1:20: the last batch of 49001 images in batches of 100 has 1; with network.batch_norm it must",
        ),
        (
            "data: {validation: 0}\nsearch: {coarse: {space: {seed: {values: [1]}}}}",
            "1:20: data.validation is 0, but section search ranks by validation accuracy: give it images, or",
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
    ],
)
def test_one_fault_and_its_place(text: str | bytes, fault: str) -> None:
    assert [line[: len(fault)] for line in faults(text)][:1] == [fault]


MANY = 100_000  # characters; more than 256 kB are not even looked at
HOSTILE: dict[str, str | bytes] = {
    "bomb": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 40)),
    "code": 'seed: !!python/object/apply:os.mkdir ["ran"]',
    "code of an object": "seed: !!python/object/new:os.mkdir [ran]",
    "3000 lists": "seed: " + "[" * 3000,
    "3000 mappings": "seed: " + "{a: " * 3000,
    "3000 levels of lines": "- " * 3000,
    "a NUL": "seed: 1\0",
    "only NULs": "\0" * MANY,
    "UTF-16": "seed: 1".encode("utf-16"),
    "UTF-8 and UTF-16": b"\xef\xbb\xbf\xff\xfeseed: 1",
    "1 MB": "#" * 1_000_000,
    "1 MB of keys": "".join(f"key{n}: 1\n" for n in range(90_000)),
    "a long word": "name: " + "x" * MANY,
    "a long number": "seed: " + "9" * MANY,
    "a quote": 'name: "' + "x" * MANY,
    "escapes": 'name: "' + r"\u0041" * (MANY // 6) + '"',
    "lines": "a\n" * (MANY // 2),
    "a block of lines": "name: |\n" + " x\n" * (MANY // 3),
    "empty lines": "\n" * MANY + "a: 1",
    "aliases": "*a " * (MANY // 3),
    "keys that are one": "seed: 1\n" * (MANY // 8),
    "documents": "---\n" * (MANY // 4),
    "a list never closed": "[a b c\n" + " x y\n" * (MANY // 5),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_refused_in_little_time_and_memory_and_nothing_is_run(kind: str) -> None:
    lines = faults(HOSTILE[kind])  # which takes the time
    assert all(len(line) < 400 and line.isprintable() for line in lines)
    tracemalloc.start()
    try:
        assert faults(HOSTILE[kind], seconds=30) == lines  # slowed down by the tracing
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


def test_fields_are_compared_though_others_are_wrong() -> None:
    text = "data: {train_batches: [1], validation_batches: [2]}\ntraining: {batch_size: 20000, lambda: -1}\n"
    assert faults(text) == [
        "2:24: training.batch_size is 20000; it must be at most 10000, the images to train on",
        "2:39: training.lambda is -1; it must be at least 0",
    ]


def test_what_follows_from_a_fault_is_not_told() -> None:
    assert faults("data: {validation: -5}\ntraining: {batch_size: 49999}") == [
        "1:20: data.validation is -5; it must be at least 0"
    ]


def test_very_many_faults_are_counted() -> None:
    lines = faults("".join(f"key{number}: 1\n" for number in range(2000)))
    assert len(lines) == 51
    assert lines[-1] == " 1950 more faults"


def test_a_fault_in_a_search() -> None:
    text = """\
search:
  coarse: {space: {lambda: {uniform: [2, 1]}, training.lamda: {uniform: [2, 3]}}}
  fine: {trials: 0, centres: 0, space: {training.lambda: {uniform_within: 0}, seed: {}}}
"""
    assert faults(text) == [
        "2:20: 'lambda' is not a field that can be searched; name one by its dotted key, "
        "as in training.lambda",
        "2:28: the range [2, 1] must go from a smaller to a larger number",
        "2:47: 'training.lamda' is not a field that can be searched; did you mean 'training.lambda'?",
        "3:18: search.fine.trials is 0; it must be at least 1",
        "3:30: search.fine.centres is 0; it must be at least 1",
        "3:75: search.fine.space.training.lambda.uniform_within is 0; it must be greater than 0",
        "3:85: give exactly one of uniform_within: w or between_best: true",
    ]


@pytest.mark.parametrize(
    ("draw", "fault"),
    [
        ("{}", "give exactly one of uniform: [a, b], log_uniform: [a, b], values: [...] or grid: [...]"),
        ("{uniform: [1, 2], values: [1]}", "give exactly one of uniform"),
        ("{values: [1], grid: [1]}", "give exactly one of uniform"),
        ("{uniform: [1, 1]}", "the range [1, 1] must go from a smaller to a larger number"),
        ("{log_uniform: [3.0, 2]}", "the range [3.0, 2] must go from a smaller to a larger number"),
        ("{log_uniform: [0, 1]}", "log_uniform is [0, 1]; both must be greater than 0"),
        ("{uniform: [1, no]}", "search.coarse.space.seed.uniform[1] is 'no'; it must be a number"),
        ("{values: []}", "search.coarse.space.seed.values is []; it must be at least 1 item long"),
        ("{values: [1, true]}", "search.coarse.space.seed.values[1] is true; it must be a whole number"),
        ("{values: [.nan, 1]}", "search.coarse.space.seed.values[0] is nan; it must be a whole number"),
        ("{uniform: [1, .inf]}", "search.coarse.space.seed.uniform[1] is inf; it must be a finite number"),
        ("{uniform: [1]}", "search.coarse.space.seed.uniform[1] is missing"),
        ("{uniform: [1, 2, 3]}", "search.coarse.space.seed.uniform is [1, 2, 3]; it must be at most 2 items"),
        ("{grid: []}", "search.coarse.space.seed.grid is []; it must be at least 1 item long"),
        ("{grid: 5}", "search.coarse.space.seed.grid is 5; it must be a list, such as [1, 2]"),
        ("{grid: [3, 5, 3]}", "the grid [3, 5, 3] has 3 twice: once is enough"),
        ("{uniform_within: 1}", "unknown key 'uniform_within' in search.coarse.space.seed; did you mean"),
    ],
)
def test_a_draw_is_one_sound_range(draw: str, fault: str) -> None:
    (line,) = faults(f"search: {{coarse: {{space: {{seed: {draw}}}}}}}")
    assert line.split(": ", 1)[1].startswith(fault)


def test_what_is_drawn_is_checked_as_its_field_is() -> None:
    text = """\
search:
  coarse:
    space:
      seed: {values: [1.5, 2, -1, 3.0]}
      training.batch_size: {uniform: [0, 99.5]}
      training.lambda: {uniform: [-1, 1]}
      training.schedule.eta: {grid: [0, 0.1]}
      training.schedule.decay: {log_uniform: [0.1, 2]}
      network.batch_norm.momentum: {uniform: [0, 1]}
"""
    assert faults(text) == [
        "4:23: search.coarse.space.seed.values[0] is 1.5; it must be a whole number",
        "4:31: search.coarse.space.seed.values[2] is -1; it must be at least 0",
        "4:35: search.coarse.space.seed.values[3] is 3.0; it must be a whole number: write 3",
        "5:39: search.coarse.space.training.batch_size.uniform[0] is 0; it must be at least 1",
        "5:42: search.coarse.space.training.batch_size.uniform[1] is 99.5; it must be a whole number",
        "6:35: search.coarse.space.training.lambda.uniform[0] is -1; it must be at least 0",
        "7:38: search.coarse.space.training.schedule.eta.grid[0] is 0; it must be greater than 0",
        "8:52: search.coarse.space.training.schedule.decay.log_uniform[1] is 2; it must be at most 1",
        "9:50: search.coarse.space.network.batch_norm.momentum.uniform[1] is 1; it must be less than 1",
    ]


@pytest.mark.parametrize(
    ("around", "fault"),
    [
        ("{uniform_within: 1, between_best: true}", "give exactly one of uniform_within: w or between_best"),
        ("{uniform_within: -1}", "search.fine.space.seed.uniform_within is -1; it must be greater than 0"),
        ("{uniform_within: 1.5}", "search.fine.space.seed.uniform_within is 1.5; it must be a whole number"),
        (
            "{uniform_within: .inf}",
            "search.fine.space.seed.uniform_within is inf; it must be a finite number",
        ),
        ("{between_best: false}", "search.fine.space.seed.between_best is false; it must be true"),
        ("{between_best: 1}", "search.fine.space.seed.between_best is 1; it must be true"),
        (
            "{uniform: [1, 2]}",
            "unknown key 'uniform' in search.fine.space.seed; did you mean 'uniform_within'",
        ),
    ],
)
def test_a_fine_draw_is_one_way(around: str, fault: str) -> None:
    coarse = "coarse: {space: {seed: {uniform: [1, 9]}}}"
    (line,) = faults(f"search: {{{coarse}, fine: {{space: {{seed: {around}}}}}}}")
    assert line.split(": ", 1)[1].startswith(fault)


def test_more_trials_than_combinations_would_be_the_same_again() -> None:
    text = "search: {coarse: {trials: 7, space: {seed: {grid: [1, 2]}, training.lambda: {grid: [0, 1, 2]}}}}"
    words = "search.coarse.trials is 7; the grids have 6 combinations: no more trials than that"
    assert faults(text) == [f"1:27: {words}"]
    assert load(text, "search.coarse.space.seed={uniform: [1, 2]}").search


@pytest.mark.parametrize(
    ("halving", "schedule", "fault"),
    [
        (
            "{at: [2, 1]}",
            "cycles: 3",
            "64: search.coarse.halving.at is [2, 1]; its numbers of cycles must rise",
        ),
        ("{at: []}", "cycles: 3", "64: search.coarse.halving.at is []; it must be at least 1 item long"),
        ("{at: [0]}", "cycles: 3", "65: search.coarse.halving.at[0] is 0; it must be at least 1"),
        ("{keep: 1, at: [1]}", "cycles: 3", "66: search.coarse.halving.keep is 1; it must be less than 1"),
        ("{keep: 0.5}", "cycles: 3", "50: search.coarse.halving.at is missing"),
        (
            "{at: [1, 3]}",
            "cycles: 3",
            "64: search.coarse.halving.at: cycle 3 ends at step 13500, the training",
        ),
        ("{at: [1]}", "kind: constant", "59: search.coarse.halving is at the ends of cycles, and schedule"),
    ],
)
def test_halving_is_at_ends_of_cycles_before_the_last(halving: str, schedule: str, fault: str) -> None:
    stage = f"{{space: {{seed: {{grid: [1, 2]}}}}, halving: {halving}}}"
    (line,) = faults(f"search: {{coarse: {stage}}}\ntraining: {{schedule: {{{schedule}}}}}")
    assert line.startswith(f"1:{fault}")


def test_between_the_best_is_between_at_least_two() -> None:
    text = """\
search:
  coarse: {space: {seed: {uniform: [1, 9]}, training.lambda: {uniform: [0, 1]}}}
  fine: {centres: 1, space: {seed: {uniform_within: 2}, training.lambda: {between_best: true}}}
"""
    assert faults(text) == ["3:19: search.fine.centres is 1; with between_best it must be at least 2"]
    assert load(text, "search.fine.space.training.lambda={uniform_within: 1}").search


def test_a_fine_search_refines_a_coarse_one() -> None:
    text = """\
search:
  coarse: {space: {seed: {uniform: [1, 9]}, training.lambda: {uniform: [0, 1]}}}
  fine: {space: {training.steps: {uniform_within: 2}, training.schedule.eta: {between_best: true}}}
"""
    known = "is not in search.coarse.space, which has seed, training.lambda"
    assert faults(text) == [f"3:18: training.steps {known}", f"3:55: training.schedule.eta {known}"]
    alone = "search:\n  fine: {space: {training.lambda: {uniform_within: 2}}}"
    assert faults(alone) == ["1:1: search.coarse is missing"]


@pytest.mark.parametrize(
    ("space", "fault"),
    [
        ("{training.lamda: {grid: [0, 1]}, seed: {grid: [1, 2]}}", "1:27: 'training.lamda' is not a"),
        ("{training.lambda: {grid: [0, -1]}, seed: {grid: [1, 2]}}", "1:55: search.coarse.space.training"),
    ],
)
def test_what_follows_from_a_fault_in_the_space_is_not_told(space: str, fault: str) -> None:
    fine = "{space: {training.lambda: {between_best: true}}}"
    for stages in (f"coarse: {{space: {space}, trials: 4}}", f"coarse: {{space: {space}}}, fine: {fine}"):
        (line,) = faults(f"search: {{{stages}}}")
        assert line.startswith(fault)


def test_a_space_has_a_field() -> None:
    assert faults("search: {coarse: {space: {}}, fine: {space: {}}}") == [
        "1:26: search.coarse.space is a mapping; it must be at least 1 item long",
        "1:45: search.fine.space is a mapping; it must be at least 1 item long",
    ]
