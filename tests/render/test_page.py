"""A page that needs nothing but itself, whatever names it has to print."""

import html.parser
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.pages import HOSTILE, figure, table

from cifarmlp.render import page
from cifarmlp.render.document import Link, Listing, Page, Picture, Section, Table, Text, Verdict

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "link", "br", "hr", "img", "input"}


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
    sections = [Section("Results", blocks), Section("Results", blocks[:6])]  # figures take time
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


def test_a_verdict_is_told_in_words_and_by_its_tone(printed: str) -> None:
    assert '<span class="verdict good">holds</span>' in printed
    assert '<span class="verdict bad">fails</span>' in printed


def test_the_same_document_gives_the_same_page(printed: str) -> None:
    assert page.render_html(full()) == printed


def test_an_empty_document_is_a_page() -> None:
    assert "<nav" not in page.render_html(Page("nothing", (), ()))


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
