"""DOT text to a figure: `dot` says where things go, and `theme` draws them as in every figure."""

import json
import math
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .lanes import CODE, SMALL, Point
from .theme import COLOURS, KINDS, Drawing, Figure, text_width

MARGIN = 1.0
NO_DOT = (
    "there is no `dot` to lay the graph out: install the extra: "
    "pip install '.[book]' in the clone, or write the .dot file instead"
)


class RenderError(OSError):
    """`dot` is missing, or did not like the text."""


def figure(dot_text: str, title: str, desc: str, legend: Sequence[str] = ()) -> Figure:
    """Lay a graph out with `dot` and draw it. Classes in the DOT choose shape and colour.

    The legend names what lines and marks mean, below the graph.
    """
    graph = layout(dot_text)
    nodes = {node["_gvid"]: node for node in graph.get("objects", ()) if "pos" in node}
    edges = [edge for edge in graph.get("edges", ()) if "pos" in edge and not _hidden(edge)]
    left, top, right, bottom = _bounds(nodes.values(), edges)
    sheet = Sheet(right - left + 2 * MARGIN, bottom - top + 2 * MARGIN, title, desc)
    sheet.shift = MARGIN - left, MARGIN - top
    if legend:
        below = sheet.drawing.height
        sheet.drawing.height = sheet.drawing.legend(8, below + 24, legend, right - left - 8)
    for node in sorted(nodes.values(), key=lambda one: not _is(one, "lane")):
        sheet.node(node)
    for edge in edges:
        sheet.edge(edge)
    return sheet.drawing.figure()


def find_dot() -> Path:
    """The `dot` of this Python's own environment first: it is the same on every machine."""
    own = str(Path(sys.executable).parent)
    places = [(name, path) for path in (own, None) for name in ("graphviz-pure", "dot")]
    return Path(next(filter(None, (shutil.which(name, path=path) for name, path in places)), "dot"))


def layout(dot_text: str) -> dict[str, Any]:
    """What `dot` makes of the text, as JSON."""
    try:
        import graphviz  # here, not above: without it, everything but this still works

        graphviz.backend.dot_command.DOT_BINARY = find_dot()
        found: dict[str, Any] = json.loads(
            graphviz.pipe("dot", "json", dot_text.encode(), quiet=True)
        )
    except ModuleNotFoundError:
        raise RenderError(NO_DOT) from None
    except graphviz.ExecutableNotFound:
        raise RenderError(NO_DOT) from None
    except graphviz.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise RenderError(f"dot cannot read this graph: {said}") from None
    except json.JSONDecodeError:
        raise RenderError("dot cannot read this graph: there is none in it") from None
    return found


def _hidden(edge: Mapping[str, Any]) -> bool:
    """An edge that is there for the layout only."""
    return "invis" in str(edge.get("style", ""))


def _is(thing: Mapping[str, Any], word: str) -> bool:
    return word in str(thing.get("class", "")).split()


def _at(words: str) -> Point:
    """A position; y grows downwards here."""
    x, y = words.split(",")[-2:]
    return round(float(x), 1), -round(float(y), 1)


def _size(node: Mapping[str, Any]) -> Point:
    return round(float(node["width"]) * 72, 1), round(float(node["height"]) * 72, 1)


def _path(pos: str) -> tuple[list[Point], bool]:
    """The control points of an edge, its tip last, and whether it has one."""
    words = pos.split(";")[0].split()
    tips = [_at(word) for word in words if word.startswith("e,")]
    return [_at(word) for word in words if word[0] not in "se"] + tips, bool(tips)


def _lines(label: str) -> list[tuple[str, str]]:
    """DOT's lines: each with how it is set (n centred, l left, r right)."""
    found = re.findall(r"(.*?)(?:\\([nlr])|\n|$)", label.replace('\\"', '"'))
    return [(words, side or "n") for words, side in found if words]


def _bounds(
    nodes: Iterable[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]]
) -> tuple[float, float, float, float]:
    points: list[Point] = []
    for node in nodes:
        (x, y), (wide, tall) = _at(node["pos"]), _size(node)
        points += [(x - wide / 2, y - tall / 2), (x + wide / 2, y + tall / 2)]
    for edge in edges:
        points += _path(edge["pos"])[0]
        if "lp" in edge:
            (x, y), words = _at(edge["lp"]), [line for line, _ in _lines(edge["label"])]
            wide = max(text_width(line, CODE, "mono") for line in words)
            points += [(x - wide / 2, y - 7.5 * len(words)), (x + wide / 2, y + 7.5 * len(words))]
    xs, ys = [x for x, _ in points] or [0], [y for _, y in points] or [0]
    return min(xs), min(ys), max(xs), max(ys)


class Sheet:
    """A drawing that knows the shapes of a graph."""

    def __init__(self, width: float, height: float, title: str, desc: str) -> None:
        self.drawing = Drawing(width, height, title, desc)
        self.shift: Point = (0, 0)

    def place(self, point: Point) -> Point:
        return point[0] + self.shift[0], point[1] + self.shift[1]

    def node(self, node: Mapping[str, Any]) -> None:
        (x, y), (wide, tall) = self.place(_at(node["pos"])), _size(node)
        look = next(iter(str(node.get("class", "")).split()), "plain")
        draw = getattr(self, f"draw_{look}", None)
        label = str(node.get("xlabel") or node.get("label", r"\N")).replace(
            r"\N", str(node["name"])
        )
        if draw is None:
            self.plain(x, y, wide, tall, label, node)
        else:
            draw(x, y, wide, tall, label)
            if _is(node, "chosen") and look == "place":
                self.drawing.star(x + wide / 2 + 2, y)  # arrows come in at the corners
            elif _is(node, "chosen"):
                self.drawing.star(x + wide / 2 - 1, y - tall / 2 + 1)

    def plain(
        self, x: float, y: float, wide: float, tall: float, label: str, node: Mapping[str, Any]
    ) -> None:
        """A state of a graph: round if DOT says so, in a colour of the palette if its class does."""
        names = str(node.get("class", "")).split()
        colour = next((name for name in names if name in COLOURS), "ink")
        radius = tall / 2 if node.get("shape", "ellipse") in ("ellipse", "circle") else 4
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, colour, "panel", radius)
        self.block(x, y, _lines(label), 12, "regular", "ink")

    def block(
        self, x: float, y: float, lines: list[tuple[str, str]], size: float, font: str, colour: str
    ) -> None:
        """Lines of text around a centre."""
        step = 15.0
        half = max((text_width(words, size, font) for words, _ in lines), default=0) / 2
        for number, (words, side) in enumerate(lines):
            base = y + (number - (len(lines) - 1) / 2) * step + 0.34 * size
            anchor, at = {"n": ("middle", x), "l": ("start", x - half), "r": ("end", x + half)}[
                side
            ]
            self.drawing.text(at, base, words, colour, size, font, anchor)

    # The shapes of a map.

    def draw_place(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        """A state of a world: the steps that were taken, each in its colour."""
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, "ink", "panel", 5, 1.2)
        lines = [words for words, _ in _lines(label)]
        left = x - max((text_width(words, CODE, "mono") for words in lines), default=0) / 2
        colours = {look.badge: look.name for look in KINDS.values() if look.badge}
        for number, words in enumerate(lines):
            base = y + (number - (len(lines) - 1) / 2) * 15.0 + 0.34 * CODE
            for it in re.finditer(r"\S+", words):
                at = left + text_width(words[: it.start()], CODE, "mono")
                colour = colours.get(it[0], "muted")
                self.drawing.text(at, base, it[0], colour, CODE, "mono")

    def draw_row(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        self.drawing.text(x - wide / 2, y + 4.2, label, "muted", SMALL)

    # The shapes of UML.

    def draw_lane(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        left, top = x - wide / 2, y - tall / 2
        self.drawing.rect(left, top, wide, tall, "line", "paper", 0, 1.2)
        self.drawing.rect(left, top, wide, 32, "line", "panel", 0, 1.2)
        self.drawing.text(x, top + 21, label, "ink", 14, "bold", "middle")
        for edge in (left, left + wide):
            self.drawing.lines.append((edge, top, edge, top + tall))

    def draw_action(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        lines = [words for words, _ in _lines(label)]
        badge, _, words = lines[0].rpartition(": ")
        kind = next((look for look in KINDS.values() if badge and look.badge == badge), None)
        words = words if kind else lines[0]
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, "ink", "panel", 12)
        base = y - 3 if len(lines) > 1 else y + 4.6
        length = text_width(words, 13, "bold") + (28 if kind else 0)
        if kind:
            self.drawing.badge(x - length / 2 + 11, base - 4.6, kind.name)
        self.drawing.text(x + length / 2, base, words, "ink", 13, "bold", "end")
        for words in lines[1:]:
            self.drawing.text(x, y + 14, words, "muted", CODE, "mono", "middle")

    def draw_decision(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        corners = [(x, y - tall / 2), (x + wide / 2, y), (x, y + tall / 2), (x - wide / 2, y)]
        self.drawing.polygon(corners, "ink", "panel")

    def draw_bar(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, None, "ink", 1)

    def draw_initial(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, None, "ink", wide / 2)
        self.drawing.text(x + wide / 2 + 7, y + 4.2, label, "muted", SMALL)

    def draw_final(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, "ink", "paper", wide / 2)
        self.drawing.rect(
            x - wide / 4 - 1,
            y - tall / 4 - 1,
            wide / 2 + 2,
            tall / 2 + 2,
            None,
            "ink",
            wide / 4 + 1,
        )

    def draw_connector(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        self.drawing.rect(x - wide / 2, y - tall / 2, wide, tall, "ink", "paper", wide / 2)
        self.drawing.text(x, y + 4.2, label, "ink", 12, "bold", "middle")

    def draw_time(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        """An hourglass: a wait that will be over."""
        left, right, top, foot = x - wide / 2, x + wide / 2, y - tall / 2, y + tall / 2
        self.drawing.polygon(
            [(left, top), (right, top), (left, foot), (right, foot)], "ink", "panel"
        )
        self.drawing.text(left - 6, y + 4.2, label, "muted", SMALL, "regular", "end")

    def draw_signal(self, x: float, y: float, wide: float, tall: float, label: str) -> None:
        """Something that comes from outside: a flag with a notch."""
        left, right, top, foot = x - wide / 2, x + wide / 2, y - tall / 2, y + tall / 2
        notch = (left + 9, y)
        self.drawing.polygon(
            [(left, top), (right, top), (right, foot), (left, foot), notch], "refused", "panel"
        )
        self.drawing.text(x + 4, y + 4.6, label, "refused", 13, "bold", "middle")

    # Arrows.

    def edge(self, edge: Mapping[str, Any]) -> None:
        points, tipped = _path(edge["pos"])
        points = [self.place(point) for point in points]
        names = str(edge.get("class", "")).split()
        kind = next((KINDS[name] for name in names if name in KINDS), None)
        colour, thick = (kind.name, kind.width) if kind else ("ink", 1.4)
        self.curve(points, tipped, colour, thick, kind.dash if kind else "")
        if "lp" in edge:
            x, y = self.place(_at(edge["lp"]))
            self.block(x, y, _lines(edge["label"]), CODE, "mono", "ink")
        if "xlp" in edge:
            x, y = self.place(_at(edge["xlp"]))
            self.block(x, y, _lines(edge["xlabel"]), SMALL, "regular", colour)

    def curve(
        self, points: list[Point], tipped: bool, colour: str, thick: float, dash: str
    ) -> None:
        """Cubic curves through every third point, then perhaps a head at the last one."""
        body = points[:-1] if tipped else points
        self.drawing.lines += list(_pieces(body))
        shape = f"M{_n(body[0])}"
        for one, two, three in zip(body[1::3], body[2::3], body[3::3], strict=False):
            shape += f"C{_n(one)} {_n(two)} {_n(three)}"
        paint = f'stroke-width="{thick:g}"' + (f' stroke-dasharray="{dash}"' if dash else "")
        self.drawing.parts.append(
            f'<path d="{shape}" {self.drawing.css("s-" + colour, "f-none")} {paint}/>'
        )
        if tipped:
            (x1, y1), (x2, y2) = body[-1], points[-1]
            far = math.hypot(x2 - x1, y2 - y1) or 1
            dx, dy, wing = (x2 - x1) / far, (y2 - y1) / far, 4.0
            head = [(x1 - dy * wing, y1 + dx * wing), (x1 + dy * wing, y1 - dx * wing)]
            self.drawing.polygon([(x2, y2), *head], None, colour)


def _n(point: Point) -> str:
    return ",".join(f"{round(one, 1) + 0.0:g}" for one in point)


def _pieces(body: list[Point]) -> Iterable[tuple[float, float, float, float]]:
    """A chain of cubic curves as short straight pieces, to see what it runs across."""
    for start in range(0, len(body) - 3, 3):
        a, b, c, d = body[start : start + 4]
        before = a
        for part in range(1, 9):
            t = part / 8
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            x, y = (
                sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True))
                for axis in (0, 1)
            )
            yield before[0], before[1], x, y
            before = x, y
