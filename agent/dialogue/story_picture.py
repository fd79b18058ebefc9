"""The tree of stories as an SVG picture, which any browser shows without a network."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from agent.dialogue.story_graph import Node

_ROW, _HEIGHT, _GAP, _MARGIN = 30, 22, 34, 16
_CHAR, _LONGEST = 7.2, 40
_FILL = {
    "start": "#444444",
    "user": "#dbeafe",
    "action": "#dcfce7",
    "slot": "#fef3c7",
    "loop": "#ede9fe",
    "checkpoint": "#e5e7eb",
}
_LEGEND = ("user", "action", "slot", "loop", "checkpoint")


@dataclass(slots=True)
class _Canvas:
    """Boxes and lines, and how far they reach."""

    root: ElementTree.Element = field(default_factory=lambda: ElementTree.Element("svg"))
    width: float = 0.0
    row: int = 0

    def box(self, x: float, y: float, label: str, kind: str) -> float:
        """Draw a box with its left middle at (x, y); where its right edge is."""
        shown = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
        width = len(shown) * _CHAR + 16 if label else 12
        group = ElementTree.SubElement(self.root, "g")
        ElementTree.SubElement(group, "title").text = f"{kind}: {label}" if label else kind
        round_ = str(_HEIGHT / 2 if kind == "user" else 4)
        place = {"x": _n(x), "y": _n(y - _HEIGHT / 2), "width": _n(width), "height": _n(_HEIGHT)}
        look = {"rx": round_, "fill": _FILL[kind], "stroke": "#888888"}
        ElementTree.SubElement(group, "rect", place | look)
        if shown:
            self.text(x + 8, y, shown, parent=group)
        self.width = max(self.width, x + width)
        return x + width

    def text(
        self, x: float, y: float, words: str, *, parent: ElementTree.Element | None = None
    ) -> None:
        """Write words that begin at x, their middle at y."""
        place = {"x": _n(x), "y": _n(y + 4)}
        ElementTree.SubElement(self.root if parent is None else parent, "text", place).text = words
        self.width = max(self.width, x + len(words) * _CHAR)

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A curve from one box to the next."""
        middle = _n((x1 + x2) / 2)
        path = f"M{_n(x1)},{_n(y1)} C{middle},{_n(y1)} {middle},{_n(y2)} {_n(x2)},{_n(y2)}"
        look = {"d": path, "fill": "none", "stroke": "#888888"}
        self.root.insert(0, ElementTree.Element("path", look))


def svg_picture(trees: Mapping[str, Node]) -> str:
    """The trees below each other, each under its title, as an SVG document."""
    canvas = _Canvas()
    x = float(_MARGIN)
    for kind in _LEGEND:
        x = canvas.box(x, _ROW / 2 + _MARGIN, kind, kind) + 8
    canvas.row = 1
    for title, tree in trees.items():
        canvas.text(_MARGIN, _y(canvas.row), title)
        canvas.row += 1
        _draw(canvas, tree, _MARGIN)
        canvas.row += 1
    size = {"width": _n(canvas.width + _MARGIN), "height": _n(canvas.row * _ROW + _MARGIN)}
    root = canvas.root
    root.attrib |= {"xmlns": "http://www.w3.org/2000/svg", **size}
    root.attrib |= {"font-family": "monospace", "font-size": "12"}
    ground = {"width": "100%", "height": "100%", "fill": "white"}
    root.insert(0, ElementTree.Element("rect", ground))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def html_page(name: str, picture: str) -> str:
    """The picture in a page of its own."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}'
        f"</title></head>\n<body>\n{picture}</body></html>\n"
    )


def _draw(canvas: _Canvas, start: Node, x: float) -> None:
    """A tree with each way in a row of its own; without recursion, for stories may be long."""
    waiting: list[tuple[Node, float, tuple[float, float] | None, bool]] = [(start, x, None, False)]
    while waiting:
        node, left, before, new_row = waiting.pop()
        canvas.row += new_row
        y = _y(canvas.row)
        if before is not None:
            canvas.line(*before, left, y)
        right = canvas.box(left, y, node.label, node.kind)
        if node.stories:
            canvas.text(right + 6, y, "■ " + ", ".join(node.stories))
        # What follows a story's end starts below it, so that nothing covers its name.
        children = list(node.children.values())
        for i in reversed(range(len(children))):
            below = i > 0 or bool(node.stories)
            waiting.append((children[i], right + _GAP, (right, y), below))
    canvas.row += 1


def _y(row: int) -> float:
    return row * _ROW + _ROW / 2 + _MARGIN


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


__all__ = ["html_page", "svg_picture"]
