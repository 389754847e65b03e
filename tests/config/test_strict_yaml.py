"""The YAML reader: values, places, refusals."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarmlp.config.strict_yaml import MAX_VALUES, Fault, Source, parse, to_plain
from cifarmlp.text import yaml_line

HERE = Source(0, "here.yaml")


def messages(text: str) -> list[str]:
    _, faults = parse(text, HERE)
    return [f"{place}: {message}" for place, message in faults]


def value_of(text: str) -> Any:
    root, faults = parse(text, HERE)
    assert faults == []
    assert root is not None
    return to_plain(root)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("+12", 12),
        ("1e-5", 1e-5),
        ("1.0e-5", 1e-5),
        ("1E5", 1e5),
        ("2.0", 2.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("=", "="),
        ("inf", "inf"),
        ("١", "١"),
        ("9" * 5000, "9" * 5000 and float("inf")),
        ('"1"', "1"),
        ("'true'", "true"),
        ('""', ""),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_a_word_means_what_it_looks_like(word: str, value: object) -> None:
    read = value_of(f"key: {word}")["key"]
    assert read == value
    assert type(read) is type(value)


def test_every_key_and_value_knows_its_place() -> None:
    root, _ = parse("a:\n  - 1\n  - {b: xyz}\n", HERE)
    assert root is not None
    inner = root.value["a"].value[1].value["b"]
    assert [str(root.value["a"].key), str(inner.key), str(inner.place)] == [
        "here.yaml:1:1",
        "here.yaml:3:6",
        "here.yaml:3:9",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\na: 2", "2:1: the key 'a' is given twice, first on line 1"),
        ("a: !!str 1", "1:4: tags (words that begin with '!') are not allowed: remove it"),
        (
            'a: !!python/object/apply:os.system ["ls"]',
            "1:4: tags (words that begin with '!') are not allowed",
        ),
        ("a: !x!y 1", "1:4: tags (words that begin with '!') are not allowed: remove it or put it in quotes"),
        ("a: &x 1", "1:4: anchors ('&') are not allowed"),
        ("a: *x", "1:4: aliases ('*') are not allowed: write values out, or share them with 'extends'"),
        ("<<: {a: 1}", "1:1: merge keys ('<<') are not allowed: use 'extends: other.yaml'"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here: a file holds one, so remove '---'"),
        ("a:\nb: 1", "1:3: 'a' has no value: write one (null for none) or remove the line"),
        ("? [a]\n: 1", "1:3: a key must be a word, as in 'seed: 1'"),
        ('"": 1', "1:1: a key must be a word, as in 'seed: 1'"),
        ("a: 1\x00", "1:5: the character '\\x00' is not allowed (is this a text file?): remove it"),
        ("a: \x1b[31m", "1:4: the character '\\x1b' is not allowed"),
        ("a: \ud800", "1:4: the character '\\ud800' is not allowed"),
        ("a:\n\tb: 1", "2:1: a tab stands where only spaces may: indent with spaces"),
        ("a: @x", "1:4: a value cannot start with this character: put it in quotes"),
        ("a: b: c", "1:5: a ':' where no key can be"),
        ("seed 1\nname: x", "2:5: a ':' where no key can be"),
        ("a: 1\nb\n", "2:1: this line lacks its ':', as in 'seed: 1'"),
        ("a:\n  b: 1\n c: 2", "3:2: this line fits nothing above it"),
        ('a: "x\nb: 1', "1:4: a quote is opened and never closed"),
        ("a: [1, 2\nb: 1", "2:2: a ',' or ']' is missing"),
        ("a: {b: 1\nc: 1", "2:2: a ',' or '}' is missing"),
        (r'a: "\q"', "1:6: an unknown escape"),
        (r'a: "\UFFFFFFFF"', "1:7: not valid YAML: the number in an escape is out of range"),
        ("a: " + "[" * 3000, "1:54: nested more than 50 levels deep"),
        ("\n".join(" " * depth + "a:" for depth in range(600)), "51:51: nested more than 50 levels deep"),
        ("- x\n" * (MAX_VALUES + 1), f"{MAX_VALUES}:3: more than {MAX_VALUES} keys and values"),
    ],
)
def test_what_is_refused_and_where(text: str, fault: str) -> None:
    begun = time.process_time()
    assert messages(text)[0].startswith(f"here.yaml:{fault}")
    assert time.process_time() - begun < 1


def test_all_faults_are_told_at_once() -> None:
    places = [place.line for place, _ in parse("a: &x 1\nb: *x\na: 2\nc: !t 3\n<<: 4", HERE)[1]]
    assert places == [1, 2, 3, 4, 5]


def test_an_empty_text_has_no_tree() -> None:
    assert parse("# only a comment\n", HERE) == (None, [])


def test_a_place_can_be_a_whole_source_and_never_moves_the_cursor() -> None:
    _, faults = parse("*x", Source(0, "--set a\x1b=*x", whole=True))
    assert str(faults[0].place) == r"--set a\x1b=*x"


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
)
texts = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), min_size=1, max_size=99)
values = st.recursive(scalars | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


@settings(deadline=1000)
@given(values)
def test_a_written_value_reads_back_the_same_here_and_in_pyyaml(value: object) -> None:
    text = f"key: {yaml_line(value)}\n"
    assert value_of(text) == {"key": value}
    assert yaml.safe_load(text) == {"key": value}


@settings(deadline=1000)
@given(st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True))
def test_a_written_name_stays_text(name: str) -> None:
    text = f"name: {yaml_line(name)}"
    assert value_of(text) == yaml.safe_load(text) == {"name": name}


yaml_like = st.text(alphabet="ab01 :-[]{}!&*#\"'|>%@,?\n\t\\~<.", max_size=300)


@settings(deadline=1000)
@given(st.text(max_size=300) | yaml_like)
def test_garbage_is_read_or_refused_but_never_crashes(text: str) -> None:
    root, faults = parse(text, HERE)
    assert root is None or to_plain(root) is not NotImplemented
    assert all(isinstance(fault, Fault) and "\n" not in f"{fault.place}{fault.message}" for fault in faults)
