"""The contents of a report: columns of numbers, names fit for files, links that lead nowhere outside."""

import re

from cifarmlp.render.document import Table, numeric, relative_href, unique_slugs


def test_a_link_to_a_path_with_odd_letters_is_quoted() -> None:
    assert relative_href('../a b/"c#d?e%') == "../a%20b/%22c%23d%3Fe%25"


def test_numbers_stand_flush_right_and_words_do_not() -> None:
    rows = [("a", "0.53 ± 0.01", "+0.1 to +0.2", "holds"), ("b", "-", "-", "1 of them")]
    assert numeric(Table("n", "c", ("a", "b", "c", "d"), tuple(rows))) == [False, True, True, False]
    assert numeric(Table("n", "c", ("a",), ())) == [False]


def test_names_are_fit_for_files_and_never_twice() -> None:
    texts = ["a/b", "a b", "A-B", "../..", "", "a-b-2", "x" * 300]
    found = list(unique_slugs(texts))
    assert found[:5] == ["a-b", "a-b-2", "a-b-3", "part", "part-2"]
    assert len(set(found)) == len(texts)
    assert all(re.fullmatch(r"[\w-]{1,70}", name) for name in found)
