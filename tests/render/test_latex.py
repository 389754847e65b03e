"""Tables as LaTeX: they compile, with any letters, and fit the text however wide they are."""

from pathlib import Path

from helpers.latex import log_of, needs_latex
from helpers.pages import HOSTILE, table

from cifarmlp.render.document import Link, Table, Verdict
from cifarmlp.render.latex import latex
from cifarmlp.render.latex_text import LACKING, LETTERS

ODD = "".join(LETTERS) + LACKING + "é ﬁ 中 [1] *" + HOSTILE
LONG = "a text of many words that has to be set in several lines of its column, or it would not fit"
WIDE = Table(
    "wide", "Many columns.", ("run", "what", *(f"training.schedule.eta_{i}" for i in range(12)), "verdict"),
    tuple(
        (f"run-{n}", LONG, *["0.5304 ± 0.0019"] * 12, Verdict("holds with every seed", "good"))
        for n in range(3)
    ),
)  # fmt: skip


@needs_latex
def test_tables_of_all_letters_and_of_many_columns_compile_and_fit(tmp_path: Path) -> None:
    odd = table((ODD, "0.5 ± 0.1", ODD, Link("run", ODD)), caption=ODD)
    checksum = Table("checksum", "c", ("what", "value"), (("SHA-256", "0123456789abcdef" * 4), ("a", LONG)))
    log = log_of([odd, WIDE, checksum, table()], tmp_path)
    assert "Overfull \\hbox" not in log


def test_columns_that_do_not_fit_follow_below_after_the_first() -> None:
    text = latex(WIDE)
    parts = text.count(r"\hline") // 3
    assert parts > 1
    assert text.count("run{-}2 &") == parts
    assert text.count("verdict") == 1
    assert r"0.5304\\$\pm$ 0.0019" in text


def test_texts_stand_left_and_numbers_right() -> None:
    rows = (("1-2", "50-50", "-0.5 ± 0.1"), ("a", "20", "-"))
    assert r"\begin{tabular}{llr}" in latex(Table("t", "c", ("run", "hidden", "difference"), rows))
