"""matplotlib's SVG, adapted to dark screens and to a page with a strict Content-Security-Policy.

Colours come in pairs. A file has the light colours, as attributes that every program understands; a style
sheet replaces them on dark screens. The page with the figures has the same style sheet.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"

TEXT, GRID = "#24292f", "#d8dee4"
# Okabe and Ito's palette, which the colour-blind can tell apart, darkened to a contrast of 3 on white.
CATEGORIES = ("#0072b2", "#c44e00", "#007f5c", "#a5478c", "#6f5f00", "#555555")
STEPS = ("#0d0887", "#5402a3", "#8b0aa5", "#b93289", "#d5546e", "#e4683a")  # for what has an order: plasma
_DARK = {
    TEXT: "#e6edf3",
    GRID: "#3a424b",
    **dict(zip(CATEGORIES, ("#56b4e9", "#f09a4a", "#3fcf9f", "#e5a0d0", "#e0d060", "#b8b8b8"), strict=True)),
    **dict(zip(STEPS, ("#b26bd8", "#d95aa8", "#ee7b78", "#f9a24f", "#fcce25", "#f0f9a0"), strict=True)),
}

_RULES = "\n".join(
    f'[stroke="{light}"] {{ stroke: {dark}; }} [fill="{light}"] {{ fill: {dark}; }}'
    for light, dark in _DARK.items()
)
DARK_CSS = f"@media screen and (prefers-color-scheme: dark) {{\n{_RULES}\n}}\n"
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def refine(text: str, name: str) -> tuple[str, str]:
    """The figure for a page, and the same as a file of its own. `name` keeps ids apart within a page."""
    root = ET.fromstring(text)  # noqa: S314 - matplotlib wrote it just now
    for parent in root.iter():
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    for element in root.iter():
        _plain_attributes(element)
        _rename(element, used, name)
    root.set("stroke-linejoin", "round")  # what matplotlib's style sheet said
    root.set("font-family", FONTS)
    ET.register_namespace("", SVG)
    inline = ET.tostring(root, encoding="unicode")
    style = ET.Element(f"{{{SVG}}}style")
    style.text = DARK_CSS
    root.insert(0, style)
    return inline, ET.tostring(root, encoding="unicode", xml_declaration=True)


def _plain_attributes(element: ET.Element) -> None:
    """Styles, which the policy forbids, as attributes of their own; the font is the root's."""
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if value and name.strip() != "font-family":
            element.set(name.strip(), value.strip())


def _rename(element: ET.Element, used: set[str], prefix: str) -> None:
    if XLINK in element.attrib:
        element.set("href", f"#{prefix}-{element.attrib.pop(XLINK)[1:]}")
    for attribute in ("clip-path", "fill"):  # a fill may be a hatch
        if attribute in element.attrib:
            element.set(attribute, element.attrib[attribute].replace("url(#", f"url(#{prefix}-"))
    if (name := element.attrib.pop("id", None)) in used:
        element.set("id", f"{prefix}-{name}")
