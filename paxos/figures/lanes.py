"""Swim lanes: where the boxes and arrows of an activity diagram go, written down as DOT.

`dot` orders by edges alone and bends lanes, so the places are worked out here: a lane has columns,
a row is a moment, an arrow is straight or has right angles. The DOT says `layout=nop2` and carries
every position, so each program that reads DOT draws this picture. 1 px is 1 point.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from .theme import text_width

Point = tuple[float, float]
CODE, SMALL = 11.6, 12.5  # a figure of 730 px shown at 700 keeps 11 px
LINE, PAD, CLEAR = 15, 7, 7
BEND, TITLE = 14, 36
GLUE, UNGLUE = {40: "\1", 32: "\2"}, {1: "(", 2: " "}  # a tuple stays in one piece


@dataclass
class Node:
    """A shape: in which lane, column (0 is the main one) and row, and how large."""

    name: str
    look: str  # the class: action, decision, bar, initial, final, connector, time, signal
    lane: int
    column: int = 0
    row: int = 0
    words: str = ""
    width: float = 18
    height: float = 18
    beside: str | None = None  # an upright bar stands right of this node
    spans: tuple[str, ...] = ()  # a level bar reaches over the columns of these nodes


@dataclass
class Edge:
    """An arrow. `way`: down, side (then down), drop (down, then to the side), or message."""

    start: str
    end: str
    way: str
    guard: tuple[str, ...] = ()
    kind: str = ""  # of the message, if it is one
    many: int = 1
    drop: int = 1  # how many rows lower it ends, at least
    over: bool = False  # from a bar: first to the side, then down


@dataclass
class Sheet:
    """A diagram: first what is in it, then where."""

    lanes: tuple[str, ...]
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    x: dict[tuple[int, int], float] = field(default_factory=dict)  # (lane, column) -> centre
    y: list[float] = field(default_factory=list)
    borders: list[float] = field(default_factory=list)
    clear: float = CLEAR  # between two things side by side
    parts: list[int] = field(default_factory=list)  # rows that begin something new

    def add(self, node: Node) -> Node:
        return self.nodes.setdefault(node.name, node)

    def at(self, node: Node) -> Point:
        if node.beside:
            left = self.nodes[node.beside]
            return self.at(left)[0] + left.width / 2 + BEND, self.y[node.row]
        if node.spans:
            over = [self.at(self.nodes[name])[0] for name in node.spans]
            return (min(over) + max(over)) / 2, self.y[node.row]
        return self.x[node.lane, node.column], self.y[node.row]


def action(label: str, below: str = "") -> tuple[float, float]:
    """The size of a box for a label, with its step badge, and a small line below."""
    badge, _, words = label.rpartition(": ")
    wide = text_width(words, 13, "bold") + (28 if badge else 0)
    return round(max(wide, text_width(below, CODE, "mono")) + 20), 44 if below else 28


def wrapped(guard: str, limit: int) -> tuple[str, ...]:
    """A guard in lines of about `limit` characters, broken where it reads well."""
    lines = [""]
    for clause in guard.replace(" and ", "\0and ").split("\0"):
        if len(f"{lines[-1]} {clause}") <= limit:
            lines[-1] = f"{lines[-1]} {clause}".strip()
        else:
            whole = re.sub(r"(?<= )\([^()]*\)", lambda its: its[0].translate(GLUE), clause)
            pieces = whole.replace("(", "(\0").replace(" ", " \0").translate(UNGLUE).split("\0")
            lines.append("")
            for piece in pieces if len(clause) > limit else [clause]:
                if len((lines[-1] + piece).strip()) > limit and lines[-1]:
                    lines.append("")
                lines[-1] += piece
    return tuple(line.strip() for line in lines if line)


def rows(sheet: Sheet) -> None:
    """Give every node its row: an arrow never points up."""
    for _ in sheet.nodes:
        for edge in sheet.edges:
            start, end = sheet.nodes[edge.start], sheet.nodes[edge.end]
            end.row = max(end.row, start.row + edge.drop)


def place(sheet: Sheet) -> None:
    """Rows first, then the height of rows and the width of columns."""
    rows(sheet)
    _heights(sheet)
    _widths(sheet)
    for node in sheet.nodes.values():
        if node.spans:
            over = [sheet.at(sheet.nodes[name])[0] for name in node.spans]
            node.width = round(max(over) - min(over)) + 44


def _heights(sheet: Sheet) -> None:
    each = range(max(node.row for node in sheet.nodes.values()) + 1)
    half = [
        max((n.height for n in sheet.nodes.values() if n.row == row), default=0) / 2 for row in each
    ]
    gap = [22.0] * len(each)
    for edge in sheet.edges:
        start, end, tall = sheet.nodes[edge.start], sheet.nodes[edge.end], len(edge.guard) * LINE
        at = start.row
        if tall and edge.way in ("down", "message"):
            gap[at] = max(gap[at], tall + 18 - (half[at] - start.height / 2))
        above = {"side": tall, "level": tall, "message": LINE + 6 * (edge.many > 1)}.get(
            edge.way, 0
        )
        row = at if edge.way in ("side", "level") or end.row == at else end.row
        if row and edge.way != "down":
            gap[row - 1] = max(gap[row - 1], above + 14)
    for row in sheet.parts:
        gap[row - 1] += 30
    y = TITLE + 14.0
    for row in each:
        y += half[row]
        sheet.y.append(round(y))
        y += half[row] + gap[row]


def reach(sheet: Sheet, node: Node) -> Point:
    """How far a shape reaches to the left and the right of its centre."""
    left = right = node.width / 2
    if node.look == "time":
        left += 6 + text_width(node.words, SMALL)
    if any(one.beside == node.name for one in sheet.nodes.values()):
        right += BEND + 8
    return left, right


def _extents(sheet: Sheet, lane: int) -> dict[tuple[int, float], list[float]]:
    """(column, row or the gap below it as row + 0.5) -> room needed left and right of the centre."""
    found: dict[tuple[int, float], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def need(column: int, band: float, left: float, right: float) -> None:
        has = found[column, band]
        has[0], has[1] = max(has[0], left), max(has[1], right)

    for node in sheet.nodes.values():
        if node.lane == lane and not node.beside:
            wide = (22.0, 22.0) if node.spans else reach(sheet, node)
            need(node.column, node.row, *wide)
    for edge in sheet.edges:
        start, end = sheet.nodes[edge.start], sheet.nodes[edge.end]
        if edge.over and start.beside and start.lane == lane:  # its name stands beside the bar
            left = sheet.nodes[start.beside]
            room = left.width / 2 + BEND + text_width(edge.kind, SMALL) + 10
            need(left.column, start.row, 0, room)
        if edge.way == "side" and end.lane == lane:
            room = start.width / 2 + 4 + words_width(edge.guard)
            need(start.column, start.row, *((room, 0) if lane == 0 else (0, room)))
        if end.lane == lane and edge.way in ("down", "side", "drop", "message"):
            column = start.column if edge.way == "drop" or end.spans else end.column
            for band in range(2 * start.row + (edge.way == "side"), 2 * end.row + 1):
                need(column, band / 2, 1, 1)
            if edge.guard and edge.way in ("down", "message") and end.row > start.row:
                need(column, start.row + 0.5, 1, 6 + words_width(edge.guard))
    return found


def _widths(sheet: Sheet) -> None:
    """Columns as close as their shapes and labels allow. The first lane has its side on the left."""
    border = 0.0
    for lane in range(len(sheet.lanes)):
        room = _extents(sheet, lane)
        columns = sorted({column for column, _ in room}, reverse=lane == 0) or [0]
        done: list[int] = []
        for column in columns:
            mine = {band: sides for (its, band), sides in room.items() if its == column}
            x = border + PAD + max((left for left, _ in mine.values()), default=0)
            for before in done:
                for band, (left, _) in mine.items():
                    if (before, band) in room:
                        x = max(
                            x, sheet.x[lane, before] + room[before, band][1] + sheet.clear + left
                        )
                x = max(x, sheet.x[lane, before] + _level(sheet, lane, {before, column}))
            sheet.x[lane, column] = round(x)
            done.append(column)
        sheet.borders.append(border)
        title = text_width(sheet.lanes[lane], 14, "bold") + 2 * PAD
        ends = [sheet.x[lane, its] + right + PAD for (its, _), (_, right) in room.items()]
        border = round(max(border + title, *ends, border + 60))
    sheet.borders.append(border)


def _level(sheet: Sheet, lane: int, pair: set[int]) -> float:
    """What lies on a level arrow between two columns needs that much distance."""
    found = [0.0]
    for edge in sheet.edges:
        start, end = sheet.nodes[edge.start], sheet.nodes[edge.end]
        inside = start.lane == end.lane == lane and {start.column, end.column} == pair
        if inside and edge.way == "level":
            found.append(start.width / 2 + words_width(edge.guard) + end.width / 2 + 12)
    return max(found)


def words_width(lines: tuple[str, ...]) -> float:
    """The length of the longest line of a guard."""
    return max((text_width(line, CODE, "mono") for line in lines), default=0)


def routes(sheet: Sheet) -> Iterator[tuple[Edge, list[list[Point]], Point, str]]:
    """Each arrow: its lines (several if it goes to many), the centre and the side of its label."""
    for edge in sheet.edges:
        start, end = sheet.nodes[edge.start], sheet.nodes[edge.end]
        lines = _lines(sheet, edge, start, end)
        yield edge, lines, *_label(sheet, edge, start, end, lines)


def _lines(sheet: Sheet, edge: Edge, start: Node, end: Node) -> list[list[Point]]:
    (x1, y1), (x2, y2) = sheet.at(start), sheet.at(end)
    turn = 1 if x2 > x1 else -1
    under, over = y1 + start.height / 2, y2 - end.height / 2
    out, into = x1 + turn * start.width / 2, x2 - turn * end.width / 2
    if edge.way == "down":
        x = x1 if end.spans else x2
        return [[(x, under), (x, over)]]
    if edge.way == "side":
        return [[(out, y1), (x2, y1), (x2, over)]]
    if edge.way == "drop":
        return [[(x1, under), (x1, y2), (into, y2)]]
    if y1 == y2:
        apart = 8 if edge.many > 1 else 0
        slant = {-apart: apart, 0: 0, apart: apart}  # the sides of a diamond recede
        scale = end.width / end.height if end.look == "decision" else 0.35
        return [
            [(out, y1 + dy), (into + turn * back * scale, y1 + dy)] for dy, back in slant.items()
        ]
    if start.look == "bar" and not edge.over:
        x = x1 + turn * start.width / 4
        return [[(x, under), (x, y2), (into, y2)]]
    return [[(out, y1), (x2, y1), (x2, over)]]


def _label(
    sheet: Sheet, edge: Edge, start: Node, end: Node, lines: list[list[Point]]
) -> tuple[Point, str]:
    """Beside what goes down, above what goes across; never on the border of a lane."""
    path = lines[0]
    tall, wide = len(edge.guard) * LINE, words_width(edge.guard)
    if edge.way == "down" or (edge.way == "message" and edge.guard):
        (x, top), (_, foot) = path[-2:]
        middle = (top + foot - 6) / 2 if end.row - start.row == 1 else top + 5 + tall / 2
        return (x + 6 + wide / 2, round(middle)), "l"
    if edge.way in ("side", "level"):
        (x1, y), (x2, _) = path[:2]
        if x2 < x1:
            return (x1 - 4 - wide / 2, y - 4 - tall / 2), "r"
        return (x1 + 4 + wide / 2, y - 4 - tall / 2), "l"
    return (0, 0), "n"


def across(sheet: Sheet, path: list[Point]) -> Point:
    """Where the name of a message goes: above the longest stretch that lies in one lane."""
    found: list[tuple[float, Point]] = []
    for (x1, y1), (x2, y2) in pairwise(path):
        if y1 == y2:
            cuts = sorted({x1, x2, *(b for b in sheet.borders if min(x1, x2) < b < max(x1, x2))})
            found += [(b - a, ((a + b) / 2, y1)) for a, b in pairwise(cuts)]
    return max(found)[1]


def dot(sheet: Sheet, name: str) -> str:
    """The placed sheet as DOT, the same bytes for the same sheet."""
    tall = max(sheet.y) + 34
    out = [
        f"digraph {name} {{",
        f'  graph [layout=nop2, bb="0,0,{sheet.borders[-1]:g},{tall:g}"];',
        '  node [fixedsize=true, fontname="Paxos Sans", fontsize=13, shape=box];',
        f'  edge [fontname="Paxos Mono", fontsize={CODE}];',
    ]
    for number, title in enumerate(sheet.lanes):
        left, right = sheet.borders[number : number + 2]
        where = _where((left + right) / 2, tall / 2, tall)
        size = f"width={_inch(right - left)}, height={_inch(tall)}"
        out.append(f'  lane{number} [class=lane, label="{title}", labelloc=t, {where}, {size}];')
    for node in sheet.nodes.values():
        x, y = sheet.at(node)
        size = f"width={_inch(node.width)}, height={_inch(node.height)}"
        shape = SHAPES.get(node.look.split()[0], "box")
        words = f'class="{node.look}", shape={shape}, label="{escape(node.words)}"'
        if node.look in ("initial", "time"):  # no room inside
            words = words.replace("label=", 'label="", xlabel=')
        if node.look in ("initial", "bar"):
            words += ", style=filled, fillcolor=black"
        out.append(f"  {node.name} [{words}, {_where(x, y, tall)}, {size}];")
    for edge, lines, spot, side in routes(sheet):
        out += _dot_edge(sheet, edge, lines, spot, side, tall)
    return "\n".join([*out, "}", ""])


SHAPES = {
    "decision": "diamond",
    "initial": "circle",
    "final": "circle",
    "connector": "circle",
    "signal": "cds",
    "time": "box",
}


def _dot_edge(
    sheet: Sheet, edge: Edge, lines: list[list[Point]], spot: Point, side: str, tall: float
) -> Iterator[str]:
    """One line of DOT for each line of the arrow; the label is on the first."""
    for number, path in enumerate(lines):
        label = ""
        if edge.kind and number == 0:
            x, y = across(sheet, path)
            label = f', xlabel="{edge.kind}", xlp="{x:g},{tall - y + 11:g}"'
        if edge.guard and number == 0:
            words = "".join(escape(line) + "\\" + side for line in edge.guard)
            label += f', label="{words}", lp="{spot[0]:g},{tall - spot[1]:g}"'
        look = f"message {edge.kind}" if edge.kind else "flow"
        points = [(x, tall - y) for x, y in path]
        yield f'  {edge.start} -> {edge.end} [class="{look}", pos="{_spline(points)}"{label}];'


def _spline(points: list[Point]) -> str:
    """Straight pieces as the cubic curves that DOT knows, with the tip of the arrow at the end."""
    (x1, y1), (x2, y2) = points[-2:]
    far = abs(x2 - x1) + abs(y2 - y1)
    base = (x2 - (x2 - x1) * 8 / far, y2 - (y2 - y1) * 8 / far)
    bends = [points[0]]
    for a, b in zip(points, [*points[1:-1], base], strict=False):
        bends += [a, b, b]
    shown = " ".join(f"{x:g},{y:g}" for x, y in bends)
    return f"e,{x2:g},{y2:g} {shown}"


def _where(x: float, y: float, tall: float) -> str:
    return f'pos="{x:g},{tall - y:g}"'


def _inch(px: float) -> str:
    return f"{px / 72:.5g}"


def escape(words: str) -> str:
    """A text between quotes in DOT."""
    return words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
