"""Values, names and numbers as text."""

import pytest

from cifarmlp import text


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", "'plain'"),
        ("\x1b[2J\n", r"'\x1b[2J\n'"),
        ("x" * 61, "'" + "x" * 60 + "'…"),
        ([1, "a b", None], '[1, "a b", null]'),
        (list(range(99)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1…"),
    ],
)
def test_a_quoted_value_is_one_short_printable_line(value: object, quoted: str) -> None:
    assert text.quote(value) == quoted


def test_nothing_in_escaped_text_moves_the_cursor() -> None:
    assert text.escape("é\x1b[2J\r\u202e") == r"é\x1b[2J\r\u202e"


def test_a_long_path_keeps_its_end() -> None:
    assert text.shorten("a" * 200) == "a" * 200
    assert text.shorten("a" * 200 + "/c.yaml") == "…" + "a" * 193 + "/c.yaml"


def test_names_are_sorted_by_their_numbers() -> None:
    names = ["b", "a-2", "a-10", "a-1-b", "10", "9"]
    assert sorted(names, key=text.natural_key) == ["9", "10", "a-1-b", "a-2", "a-10", "b"]


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [
        (0.04, "0.0 s", "1 s"),
        (59.9, "59.9 s", "60 s"),
        (89.6, "1 min 30 s", "90 s"),
        (3599.7, "1 h 0 min", "60 min"),
        (5400, "1 h 30 min", "1 h 30 min"),
    ],
)
def test_durations(seconds: float, exact: str, rough: str) -> None:
    assert (text.duration(seconds), text.rough_duration(seconds)) == (exact, rough)
