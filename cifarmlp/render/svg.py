"""Figures as SVG to stand within a page: small, in the page's font, readable on a dark and a light ground.

The same figure gives the same bytes.
"""

import io
import re
import warnings
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
from matplotlib.figure import Figure

XLINK = "{http://www.w3.org/1999/xlink}href"
COLOUR = re.compile(r"#([0-9a-f]{6})\b")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
STRONG = 0.30  # the luminance that a colour needs on a dark ground: 4.5 to 1 and more


def inline(figure: Figure, prefix: str, alt: str) -> str:
    """An <svg> whose ids begin with `prefix`; black is the text's colour in it, and white that of --paper.

    Every other colour #rrggbb is the variable --ink-rrggbb, so that a page may change it; see `night`.
    """
    root = ElementTree.fromstring(draw(figure, "svg", "none"))
    _rename(root, prefix)
    _clear(root)
    _shorten(root)
    _lift_style(root)
    _unwrap(root)
    _frame(root, alt)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def draw(figure: Figure, form: str, fonttype: str = "path") -> bytes:
    """The file that a figure makes, with nothing in it that changes from day to day; form: svg or pdf."""
    file = io.BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    clear = fonttype == "none"
    with (
        matplotlib.rc_context({"svg.fonttype": fonttype, "svg.hashsalt": "cifarmlp", "pdf.fonttype": 42}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font lacks; the caption has it
        figure.savefig(file, format=form, metadata=date, transparent=clear)
    return file.getvalue()


def colours_in(text: str) -> list[str]:
    """The colours rrggbb that the pictures of a page use."""
    return sorted(set(re.findall(r"var\(--ink-([0-9a-f]{6})", text)))


def dark_colour(ink: str) -> str:
    """The colour rrggbb for a dark ground: with as much white as it takes to be seen there."""
    rgb = [int(ink[i : i + 2], 16) for i in (0, 2, 4)]
    while _luminance(rgb) < STRONG:
        rgb = [min(255, part + 1 + (255 - part) // 10) for part in rgb]
    return "".join(f"{part:02x}" for part in rgb)


def _luminance(rgb: list[int]) -> float:
    # relative luminance, WCAG 2
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _rename(root: Element, prefix: str) -> None:
    """Keep the ids that something refers to, under short names of this picture alone."""
    ids = [each.get("id", "") for each in root.iter()]
    used = {
        name for each in root.iter() for value in each.attrib.values() for name in REFERENCE.findall(value)
    }
    used |= {each.get(XLINK, "")[1:] for each in root.iter()}
    names = {name: f"{prefix}.{n}" for n, name in enumerate(filter((used - {""}).__contains__, ids), 1)}
    for each in root.iter():
        each.tag = _name(each)
        target, own = each.attrib.pop(XLINK, ""), each.attrib.pop("id", "")
        if target:
            each.set("href", f"#{names[target[1:]]}" if target[0] == "#" else target)
        if own in names:
            each.set("id", names[own])
        for key, value in each.attrib.items():
            each.set(key, REFERENCE.sub(lambda found: f"url(#{names[found[1]]})", value))


def _clear(root: Element) -> None:
    """Without metadata, and without a style that would be the whole page's."""
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in ("metadata", "style")]:
            parent.remove(child)


def _shorten(root: Element) -> None:
    """Two decimals, no spaces that mean nothing, and the page's font; colours by their variables."""
    for each in root.iter():
        each.text = each.text if each.tag in ("text", "tspan") and not len(each) else None
        each.tail = None
        for key in set(each.attrib) & {"d", "x", "y", "width", "height", "transform", "points"}:
            each.set(key, re.sub(r"-?\d+\.\d+", _rounded, each.attrib[key]))
        if "d" in each.attrib:
            each.set("d", re.sub(r"\s*([A-Za-z])\s*", r"\1", each.attrib["d"]).strip())
        if each.get("transform", "").startswith("rotate(-0 "):
            del each.attrib["transform"]
        style = _style(each.attrib.pop("style", ""))
        if style:
            each.set("style", style)


def _style(style: str) -> str:
    kept = [part.replace(": ", ":") for part in style.split("; ") if not part.startswith("font-family")]
    named = ";".join(kept).replace("#000000", "currentColor").replace("#ffffff", "var(--paper,#fff)")
    return COLOUR.sub(r"var(--ink-\1,#\1)", named)


def _rounded(number: re.Match[str]) -> str:
    short = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short


def _lift_style(root: Element) -> None:
    """What all marks of a line have in common, once."""
    for group in root.iter("g"):
        styles = {child.get("style") for child in group}
        if len(group) > 1 and len(styles) == 1 and {child.tag for child in group} == {"use"}:
            style = styles.pop()
            if style and not group.get("style"):
                group.set("style", style)
                for child in group:
                    del child.attrib["style"]


def _unwrap(element: Element) -> None:
    """Groups that say nothing give way to what is in them."""
    for child in element:
        _unwrap(child)
    element[:] = [inner for child in element for inner in _within(child)]


def _within(element: Element) -> Iterator[Element]:
    if element.tag == "g" and not element.attrib:
        yield from element
    elif len(element) or element.get("style") != "fill:none":  # a ground that is not there
        yield element


def _frame(root: Element, alt: str) -> None:
    """As wide as the page lets it be, but not so small that nobody can read it."""
    width = float(root.attrib["viewBox"].split()[2])
    size = f"max-width:{width * 4 / 3:.0f}px;min-width:{width * 0.85:.0f}px"
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {
        "viewBox": box, "style": size, "role": "img", "aria-label": alt, "fill": "currentColor",
    }  # fmt: skip
    root.set("xmlns", "http://www.w3.org/2000/svg")
