"""Tables as Markdown: escaped, with links that stay inside, and captions that are no headings."""

import re

import pytest
from helpers.pages import table

from cifarmlp.render import markdown
from cifarmlp.render.document import Link, Verdict


def test_markdown_is_escaped() -> None:
    words = "a|b `c` *d* _e_ f_g <b>\n[x](y) \\"
    text = markdown.markdown(table((words, "1", Verdict("holds", "good"), Link("run", "a b"))))
    row = text.splitlines()[-1]
    assert r"a\|b \`c\` \*d\* \_e\_ f_g \<b\> \[x\](y) \\" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "[run](../a%20b)" in row
    assert "javascript" not in markdown.markdown(table(("a", "1", "b", Link("run", "javascript:alert(1)"))))


@pytest.mark.parametrize("caption", ["# 1", "- one", "+ a", "12. runs", "3) runs", "=="])
def test_a_caption_begins_neither_a_heading_nor_a_list(caption: str) -> None:
    first = markdown.markdown(table(caption=caption)).splitlines()[0]
    assert re.match(r"\d*\\[-#+=.)]", first)
    assert first.replace("\\", "") == caption


def test_a_dollar_begins_no_formula() -> None:
    assert r"\$x\$" in markdown.markdown(table(("$x$", "1", "a", "b")))
