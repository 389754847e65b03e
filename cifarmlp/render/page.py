"""A Page as one self-contained HTML file: no network, no script, no other file."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cifarmlp import __version__
from cifarmlp.render import svg
from cifarmlp.render.document import (
    Link,
    Listing,
    Page,
    Picture,
    Table,
    Text,
    Verdict,
    blocks,
    numeric,
    relative_href,
    unique_slugs,
    words,
)

STAMP = b'<meta name="generator" content="cifarmlp'  # marks a page as ours: it may be overwritten
TEMPLATES = Path(__file__).parent / "templates"


def render_html(page: Page) -> str:
    """Return the whole file. The same page gives the same text."""
    anchors = unique_slugs(section.title for section in page.sections)
    parts = list(zip(anchors, page.sections, strict=True))
    pictures = list(_pictures(page))
    inks = {ink: svg.dark_colour(ink) for ink in svg.colours_in("".join(pictures))}
    template = _environment().get_template("page.html")
    return template.render(page=page, parts=parts, pictures=iter(pictures), inks=inks, version=__version__)


def _pictures(page: Page) -> Iterator[Markup]:
    """Yield the pictures in the order in which the template takes them."""
    drawn = [block for block in blocks(page) if isinstance(block, Picture)]
    for number, picture in enumerate(drawn, 1):
        yield Markup(svg.inline(picture.draw(), f"f{number}", picture.alt))


def _environment() -> Environment:
    kinds = {
        "text": Text, "table": Table, "picture": Picture, "listing": Listing, "verdict": Verdict, "link": Link
    }  # fmt: skip
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, kind in kinds.items():
        environment.tests[name] = lambda value, kind=kind: isinstance(value, kind)
    environment.filters |= {"href": relative_href, "numeric": numeric, "words": words, "next": next}
    return environment
