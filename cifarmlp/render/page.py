"""A document as one HTML file that needs nothing but itself: no network, no script, no other file."""

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

STAMP = b'<meta name="generator" content="cifarmlp'  # so that a page may take the place of an earlier one
TEMPLATES = Path(__file__).parent / "templates"


def render_html(page: Page) -> str:
    """The whole file. The same page gives the same text."""
    anchors = unique_slugs(section.title for section in page.sections)
    parts = list(zip(anchors, page.sections, strict=True))
    pictures = list(_pictures(page))
    inks = {ink: svg.dark_colour(ink) for ink in svg.colours_in("".join(pictures))}
    template = _environment().get_template("page.html")
    return template.render(page=page, parts=parts, pictures=iter(pictures), inks=inks, version=__version__)


def _pictures(page: Page) -> Iterator[Markup]:
    """In the order in which the template comes to them."""
    drawn = [block for block in blocks(page) if isinstance(block, Picture)]
    for number, picture in enumerate(drawn, 1):
        yield Markup(svg.inline(picture.draw(), f"f{number}", picture.alt))


def _environment() -> Environment:
    kinds = {"text": Text, "table": Table, "picture": Picture, "listing": Listing}
    cells = {"verdict": Verdict, "link": Link}
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, kind in {**kinds, **cells}.items():
        environment.tests[name] = lambda value, kind=kind: isinstance(value, kind)
    environment.filters |= {
        "href": relative_href,
        "numeric": numeric,
        "words": words,
        "next": next,
    }
    return environment
