"""Tables as Markdown and LaTeX, escaped, and the files of a page's tables and figures."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.pages import figure, table

from cifarmlp.render import tables
from cifarmlp.render.document import Link, Page, Picture, Section, Verdict
from cifarmlp.report import write

ROW = ("report-2/figure-1", "0.5304 ± 0.0019", Verdict("holds", "good"), Link("run", "runs/a b/c"))


def test_markdown_is_escaped() -> None:
    words = "a|b `c` *d* _e_ f_g <b>\n[x](y) \\"
    text = tables.markdown(table((words, "1", Verdict("holds", "good"), Link("run", "a b"))))
    row = text.splitlines()[-1]
    assert r"a\|b \`c\` \*d\* \_e\_ f_g \<b\> \[x\](y) \\" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "[run](../a%20b)" in row
    assert "javascript" not in tables.markdown(table(("a", "1", "b", Link("run", "javascript:alert(1)"))))


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
    assert tables.escape_latex(text) == escaped


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    odd = "".join(tables.LATEX) + "é ﬁ 中"
    (tmp_path / "table.tex").write_text(
        tables.latex(table((odd, "0.5 ± 0.1", odd, Link("run", odd)), caption=odd))
    )
    text = "\\documentclass{article}\n\\begin{document}\n\\input{table}\n\\end{document}\n"
    (tmp_path / "main.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-1500:]


def test_files_are_named_after_their_blocks_and_the_same_each_time(tmp_path: Path) -> None:
    blocks = (table(ROW), table(ROW), Picture("../curves", "c", figure, "a"))
    short = Page("t", (), (Section("s", blocks),))
    figures = write.write_figures(short, tmp_path)
    files = [*write.write_tables(short, tmp_path, "md"), *figures]
    names = {str(path.relative_to(tmp_path)) for path in files}
    assert names == {"tables/a-table.md", "tables/a-table-2.md", "figures/curves.svg", "figures/curves.pdf"}
    before = {path: path.read_bytes() for path in files}
    assert write.write_figures(short, tmp_path) == figures == sorted(figures)
    assert {path: path.read_bytes() for path in files} == before
    assert before[tmp_path / "figures/curves.pdf"].startswith(b"%PDF")
    assert b"currentColor" not in before[tmp_path / "figures/curves.svg"]


@pytest.mark.parametrize(
    ("text", "escaped_text"),
    [
        ("[20, 20]", "{[}20, 20{]}"),
        ("*", "{*}"),
        ("-0.5 to -.3", "$-$0.5 to $-$.3"),
        ("1e-05", "1e$-$05"),
        ("report-2-001, a - b", "report{-}2{-}001, a {-} b"),
    ],
)
def test_what_latex_would_take_for_an_argument_or_a_hyphen(text: str, escaped_text: str) -> None:
    assert tables.escape_latex(text) == escaped_text
