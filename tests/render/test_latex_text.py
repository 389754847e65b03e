"""Text for LaTeX: escaped, minus signs only in numbers, long words that may be broken."""

import pytest

from cifarmlp.render.latex_text import breakable, escape_latex


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        (r"a_b 5 % & # $ {x} \y", r"a\_b 5 \% \& \# \$ \{x\} \textbackslash{}y"),
        ("~ ^", r"\textasciitilde{} \textasciicircum{}"),
        ("0.5 ± 0.1 × λ η σ −1 –", r"0.5 $\pm$ 0.1 $\times$ $\lambda$ $\eta$ $\sigma$ $-$1 --"),
        ("é ﬁ 中", "é fi {[}U+4E2D{]}"),
        ("--repeats", "{-}{-}repeats"),
    ],
)
def test_latex_is_escaped(text: str, escaped: str) -> None:
    assert escape_latex(text) == escaped


@pytest.mark.parametrize(
    ("text", "escaped_text"),
    [
        ("[20, 20]", "{[}20, 20{]}"),
        ("*", "{*}"),
        ("-0.5 to -.3", "$-$0.5 to $-$.3"),
        ("1e-05", "1e$-$05"),
        ("[-0.5, +1e-5] (n = 3)", "{[}$-$0.5, +1e$-$5{]} (n = 3)"),
        ("run-1e-5 of 2026-11-28", "run{-}1e{-}5 of 2026{-}11{-}28"),
        ("ąęłđ ŋ", "aełd ng"),
        ("a\x1b\x00b\u202e", "a{[}U+001B{]}{[}U+0000{]}b{[}U+202E{]}"),
        ("report-2-001, a - b", "report{-}2{-}001, a {-} b"),
    ],
)
def test_what_latex_would_take_for_an_argument_or_a_hyphen(text: str, escaped_text: str) -> None:
    assert escape_latex(text) == escaped_text


def test_a_long_word_may_be_broken_after_its_signs_or_anywhere() -> None:
    assert breakable("0123456789abcdef a-b", 10).split("\u200b") == ["0123456789", "abcdef a-b"]
    assert escape_latex(breakable("runs/fine-001", 5)) == (r"runs/\allowbreak{}fine{-}\allowbreak{}001")
