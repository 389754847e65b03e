"""A document printed: a page that needs nothing but itself, tables and figures for other documents."""

import html.parser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from cifarmlp.render import document, page, svg, tables
from cifarmlp.render.document import Link, Listing, Page, Picture, Section, Table, Text, Verdict
from cifarmlp.report import write

HOSTILE = "<script>alert(1)</script> \" ' & ]]> --> </style>"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "link", "br", "hr", "img", "input"}


def figure() -> Figure:
    """Four panels of sixty points each."""
    drawn = Figure(figsize=(9, 6), layout="constrained")
    for panel in drawn.subplots(2, 2).ravel():
        panel.plot(range(60), [i % 7 for i in range(60)], ".-", color="#1f5fa8", label="train <b>")
        panel.plot(range(60), [i % 5 for i in range(60)], ".--", color="#d9730d", label="validation")
        panel.set(xlabel="step", ylabel=r"$10^{2}$")
        panel.legend()
    return drawn


def table(*rows: tuple[document.Cell, ...], name: str = "a table", caption: str = "Words.") -> Table:
    return Table(name, caption, ("name", "accuracy", "verdict", "where"), rows)


WIDE = Table(
    "wide", "Wide.", tuple(f"column {i}" for i in range(40)), (tuple("0.1234 ± 0.0001" for _ in range(40)),)
)
ROW = ("report-2/figure-1", "0.5304 ± 0.0019", Verdict("holds", "good"), Link("run", "runs/a b/c"))


def full() -> Page:
    """Everything that a document may hold, names with mischief in them, titles that are the same."""
    blocks = (
        Text(HOSTILE),
        Text(HOSTILE, "note"),
        Text("cifarmlp train " + "x" * 300, "command"),
        table(
            ROW,
            (HOSTILE, "-", Verdict("fails", "bad"), Link(HOSTILE, "javascript:alert(1)")),
            caption=HOSTILE,
        ),
        WIDE,
        Picture("p", HOSTILE, figure, HOSTILE),
        Picture("p", HOSTILE, figure, HOSTILE),
        Listing(HOSTILE, f"{HOSTILE}\n" + "y" * 300),
    )
    sections = [Section("Results", blocks), Section("Results", blocks)]
    sections += [Section(title, ()) for title in (HOSTILE, "w" * 200, "", "contents")]
    return Page(HOSTILE, (Text("What it came to."),), tuple(sections))


@pytest.fixture(scope="module")
def printed() -> str:
    return page.render_html(full())


class Tags(html.parser.HTMLParser):
    """Every tag with its attributes, and whether they close in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.unclosed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def values(self, *names: str) -> Iterator[str]:
        """Of these attributes, wherever they are."""
        return (
            value or "" for _, attributes in self.tags for key, value in attributes.items() if key in names
        )


# The page


def test_what_names_hold_is_never_markup(printed: str) -> None:
    parsed = Tags(printed)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert [key for _, attributes in parsed.tags for key in attributes if key.startswith("on")] == []
    assert printed.count("</style>") == 1


def test_every_tag_is_closed_and_every_id_unique(printed: str) -> None:
    parsed = Tags(printed)
    ids = list(parsed.values("id"))
    assert parsed.unclosed == []
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)


def test_every_anchor_leads_somewhere(printed: str) -> None:
    parsed = Tags(printed)
    ids = set(parsed.values("id"))
    anchors = [target[1:] for target in parsed.values("href") if target.startswith("#")]
    assert {"results", "results-2"} <= set(anchors)
    used = [*re.findall(r"url\(#([^)]*)\)", printed), *parsed.values("aria-labelledby")]
    assert used
    assert {*anchors, *used} <= ids


def test_nothing_is_fetched_from_anywhere(printed: str) -> None:
    parsed = Tags(printed)
    assert not list(parsed.values("src", "srcset", "action", "data"))
    assert not [target for target in parsed.values("href") if re.match(r"[\w+.-]+:|/", target)]
    assert not re.search(r"url\((?!#)|@import", printed)
    assert "default-src 'none'; style-src 'unsafe-inline'" in printed


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "http://a/b", "//a/b", "/etc", "\\\\a\\b", "data:x", "http://["]
)
def test_a_link_that_is_no_relative_path_is_words_only(target: str) -> None:
    text = page.render_html(Page("t", (table(("a", "1", "b", Link("the words", target))),), ()))
    assert "the words" in text
    assert not list(Tags(text).values("href"))


def test_a_link_to_a_path_with_odd_letters_is_quoted() -> None:
    assert document.relative_href('../a b/"c#d?e%') == "../a%20b/%22c%23d%3Fe%25"


def test_a_verdict_is_told_in_words_and_by_its_tone(printed: str) -> None:
    assert '<span class="verdict good">holds</span>' in printed
    assert '<span class="verdict bad">fails</span>' in printed


def test_numbers_stand_flush_right_and_words_do_not() -> None:
    rows = [("a", "0.53 ± 0.01", "+0.1 to +0.2", "holds"), ("b", "-", "-", "1 of them")]
    assert document.numeric(Table("n", "c", ("a", "b", "c", "d"), tuple(rows))) == [False, True, True, False]
    assert document.numeric(Table("n", "c", ("a",), ())) == [False]


def test_the_same_document_gives_the_same_page(printed: str) -> None:
    assert page.render_html(full()) == printed


def test_an_empty_document_is_a_page() -> None:
    assert "<nav" not in page.render_html(Page("nothing", (), ()))


def test_names_are_fit_for_files_and_never_twice() -> None:
    texts = ["a/b", "a b", "A-B", "../..", "", "a-b-2", "x" * 300]
    found = list(document.unique_slugs(texts))
    assert found[:5] == ["a-b", "a-b-2", "a-b-3", "part", "part-2"]
    assert len(set(found)) == len(texts)
    assert all(re.fullmatch(r"[\w-]{1,70}", name) for name in found)


# Figures within the page


def test_a_figure_is_small_well_formed_xml_with_its_words_as_text() -> None:
    text = svg.inline(figure(), "f1", HOSTILE)
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == HOSTILE
    assert root.get("role") == "img"
    assert "train <b>" in {"".join(each.itertext()) for each in root.iter()}
    assert len(text) < 60_000
    assert "<style" not in text
    assert "metadata" not in text


def test_two_figures_share_no_id() -> None:
    first, second = (set(re.findall(r' id="([^"]+)"', svg.inline(figure(), p, ""))) for p in ("f1", "f2"))
    assert first
    assert not first & second


def test_a_figure_takes_the_pages_colours_and_others_are_changed_for_the_night() -> None:
    text = svg.inline(figure(), "f1", "")
    assert "#000000" not in text
    assert "currentColor" in text
    assert {"1f5fa8", "d9730d"} <= set(svg.colours_in(text))
    assert not re.search(r"(?<!,)#[0-9a-f]{6}", text)


def test_a_colour_of_the_night_can_be_seen_on_a_dark_ground() -> None:
    def luminance(ink: str) -> float:
        parts = [int(ink[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ink in ("000001", "1f5fa8", "d9730d", "7b3fa0", "ffffff", "ff0000"):
        assert (luminance(svg.dark_colour(ink)) + 0.05) / (luminance("14181d") + 0.05) > 4.5
    assert svg.dark_colour("d9d9d9") == "d9d9d9"


# Tables and figures as files


def test_markdown_is_escaped() -> None:
    text = tables.markdown(
        table(("a|b `c` *d* _e_ f_g <b>\n[x](y) \\", "1", Verdict("holds", "good"), Link("run", "a b")))
    )
    row = text.splitlines()[-1]
    assert r"a\|b \`c\` \*d\* \_e\_ f_g \<b\> \[x\](y) \\" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "[run](../a%20b)" in row
    assert "javascript" not in tables.markdown(table(("a", "1", "b", Link("run", "javascript:alert(1)"))))


def test_latex_is_escaped() -> None:
    assert tables.escape_latex(r"a_b 5 % & # $ ~ ^ {x} \y") == (
        r"a\_b 5 \% \& \# \$ \textasciitilde{} \textasciicircum{} \{x\} \textbackslash{}y"
    )
    assert (
        tables.escape_latex("0.5 ± 0.1 × λ η σ −1 –")
        == r"0.5 $\pm$ 0.1 $\times$ $\lambda$ $\eta$ $\sigma$ $-$1 --"
    )
    assert tables.escape_latex("é ﬁ 中") == "é fi [U+4E2D]"
    assert tables.escape_latex("--repeats") == "{-}{-}repeats"


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
    written = [*write.write_tables(short, tmp_path, "md"), *write.write_figures(short, tmp_path)]
    names = {str(path.relative_to(tmp_path)) for path in written}
    assert names == {"tables/a-table.md", "tables/a-table-2.md", "figures/curves.svg", "figures/curves.pdf"}
    before = {path: path.read_bytes() for path in written}
    assert write.write_figures(short, tmp_path) == sorted(
        path for path in written if path.parent.name == "figures"
    )
    assert {path: path.read_bytes() for path in written} == before
    assert before[tmp_path / "figures/curves.pdf"].startswith(b"%PDF")
    assert b"currentColor" not in before[tmp_path / "figures/curves.svg"]


# In a browser

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
MEASURE = """<script>addEventListener('load', () => parent.postMessage({
  width: innerWidth, needed: document.documentElement.scrollWidth,
  requests: performance.getEntriesByType('resource').map(entry => entry.name),
  ground: getComputedStyle(document.body).backgroundColor,
}, '*'))</script>"""
COLLECT = """<!DOCTYPE html><pre></pre><script>addEventListener('message', told => {
  document.querySelector('pre').append(JSON.stringify(told.data) + '\\n')})</script>"""


def chromium(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", "--no-first-run"]
    command += [f"--user-data-dir={file.parent / 'profile'}", "--enable-logging=stderr", "--v=0"]
    command += ["--virtual-time-budget=2000", *options, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@needs_chromium
def test_the_browser_has_no_complaint(printed: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(printed)
    done = chromium(file)
    assert "What it came to." in done.stdout
    assert complaints(done) == []


@needs_chromium
def test_the_browser_would_have_complained(printed: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(printed.replace("</main>", "<img src='missing.png'><script>1</script></main>"))
    assert complaints(chromium(file))


@needs_chromium
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_wide_and_narrow_windows_and_fetches_nothing(
    printed: str, tmp_path: Path, dark: bool
) -> None:
    (tmp_path / "page.html").write_text(re.sub(r"<meta http-equiv[^>]*>", MEASURE, printed))
    frames = "".join(f'<iframe src="page.html" style="width:{w}px;border:0"></iframe>' for w in (1280, 400))
    file = tmp_path / "frames.html"
    file.write_text(COLLECT + frames)
    done = chromium(file, "--blink-settings=preferredColorScheme=0") if dark else chromium(file)
    found = [json.loads(line) for line in re.findall(r"\{.*\}", done.stdout.split("<script>")[0])]
    assert {each["width"] for each in found} == {1280, 400}
    for each in found:
        assert each["needed"] <= each["width"]
        assert each["requests"] == []
        assert each["ground"] == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
