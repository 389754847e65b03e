"""Figures as SVG inside a page: small, in the page's font and colours, light or dark.

    Figure -> Matplotlib's SVG -> _rename, _clear, _shorten, _lift_style, _unwrap, _frame -> <svg>

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

from cifarmlp.files import own_settings

XLINK = "{http://www.w3.org/1999/xlink}href"
COLOUR = re.compile(r"#([0-9a-f]{6})\b")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
STRONG = 0.30  # luminance that a colour needs for a contrast above 4.5 : 1 on a dark page


def inline(figure: Figure, prefix: str, alt: str) -> str:
    """Return a figure as <svg>, with ids that begin with `prefix` and `alt` as its description.

    Black becomes currentColor, white var(--paper), and any other colour #rrggbb var(--ink-rrggbb), so that a
    dark page can set its own; see `dark_colour`.
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
    """Return a figure as a file, without a date in it. form: svg or pdf."""
    file = io.BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    with (
        own_settings(),
        matplotlib.rc_context({"svg.fonttype": fonttype, "svg.hashsalt": "cifarmlp", "pdf.fonttype": 42}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph")  # missing in the font; the caption has it
        figure.savefig(file, format=form, metadata=date, transparent=fonttype == "none")
    return file.getvalue()


def colours_in(text: str) -> list[str]:
    """Return the colours rrggbb that pictures use, sorted.

    >>> colours_in("stroke:var(--ink-1f5fa8,#1f5fa8);fill:currentColor")
    ['1f5fa8']
    """
    return sorted(set(re.findall(r"var\(--ink-([0-9a-f]{6})", text)))


def dark_colour(ink: str) -> str:
    """Return a colour rrggbb lightened until it is legible on a dark page.

    >>> dark_colour("1f5fa8"), dark_colour("d9d9d9")
    ('6f98c8', 'd9d9d9')
    """
    rgb = [int(ink[i : i + 2], 16) for i in (0, 2, 4)]
    while _luminance(rgb) < STRONG:
        rgb = [min(255, part + 1 + (255 - part) // 10) for part in rgb]
    return "".join(f"{part:02x}" for part in rgb)


def _luminance(rgb: list[int]) -> float:
    """Relative luminance, 0 to 1, of a colour in sRGB; WCAG 2."""
    red, green, blue = (_linear(part / 255) for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(c: float) -> float:
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


def _rename(root: Element, prefix: str) -> None:
    """Give the ids that something refers to short names with this prefix, and remove the others.

    Tags and attributes lose their namespaces.
    """
    used = _targets(root)
    ids = [name for element in root.iter() if (name := element.get("id")) in used]
    names = {name: f"{prefix}.{n}" for n, name in enumerate(ids, 1)}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        target, name = element.attrib.pop(XLINK, ""), element.attrib.pop("id", "")
        if target:
            element.set("href", f"#{names[target[1:]]}" if target[0] == "#" else target)
        if name in names:
            element.set("id", names[name])
        for key, value in element.attrib.items():
            element.set(key, REFERENCE.sub(lambda match: f"url(#{names[match[1]]})", value))


def _targets(root: Element) -> set[str]:
    """Return the ids that a url(#id) or a link refers to."""
    links = {element.get(XLINK, "")[1:] for element in root.iter()}
    values = [value for element in root.iter() for value in element.attrib.values()]
    return links.union(*map(REFERENCE.findall, values)) - {""}


def _clear(root: Element) -> None:
    """Remove metadata, and style sheets, which would apply to the whole page."""
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in ("metadata", "style")]:
            parent.remove(child)


def _shorten(root: Element) -> None:
    """Round to two decimals, drop needless spaces and the font family, name colours by their variables."""
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
    """Move a style that all marks of a line share to their group."""
    for group in root.iter("g"):
        styles = {child.get("style") for child in group}
        if len(group) > 1 and len(styles) == 1 and {child.tag for child in group} == {"use"}:
            style = styles.pop()
            if style and not group.get("style"):
                group.set("style", style)
                for child in group:
                    del child.attrib["style"]


def _unwrap(element: Element) -> None:
    """Replace groups without attributes by their children."""
    for child in element:
        _unwrap(child)
    element[:] = [inner for child in element for inner in _within(child)]


def _within(element: Element) -> Iterator[Element]:
    if element.tag == "g" and not element.attrib:
        yield from element
    elif len(element) or element.get("style") != "fill:none":  # an invisible background
        yield element


def _frame(root: Element, alt: str) -> None:
    """Keep only the view box of the root; set max-width and min-width, description and colour."""
    box = root.attrib["viewBox"]
    width = float(box.split()[2])
    size = f"max-width:{width * 4 / 3:.0f}px;min-width:{width * 0.85:.0f}px"
    root.attrib.clear()
    root.attrib |= {
        "viewBox": box, "style": size, "role": "img", "aria-label": alt, "fill": "currentColor",
    }  # fmt: skip
    root.set("xmlns", "http://www.w3.org/2000/svg")
