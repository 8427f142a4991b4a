"""The look of every figure: one palette, one grammar, one font, one way to set text.

A colour and a shape mean the same thing in every figure. A figure is a file of its own: literal
light colours in classes and one dark media block, because PDF tools paint CSS variables black.
Inside the site the same classes are coloured by `site_css()`, which knows the reader's choice.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .fonts import ASCENT as ASCENT
from .fonts import DESCENT as DESCENT
from .fonts import FONTS as FONTS
from .fonts import WIDTHS as WIDTHS
from .fonts import fit as fit
from .fonts import text_width as text_width
from .fonts import wrap as wrap

# name: (light, dark). Every text colour has a contrast of 4.5 to 1 or more on `paper` and `panel`.
COLOURS = {
    "paper": ("#fffdf8", "#14171d"),
    "panel": ("#f5f1e6", "#1d222b"),
    "line": ("#d9d3c3", "#39414f"),
    "ink": ("#1c2230", "#e8e6df"),
    "muted": ("#596172", "#a3abb8"),
    "prepare": ("#0a5fa8", "#7cc0ff"),
    "promise": ("#0b6f69", "#4fd1c5"),
    "accept": ("#a5480a", "#ffb070"),
    "accepted": ("#7a3e9d", "#cfa8f5"),
    "refused": ("#b3203a", "#ff8593"),
    "lost": ("#666d7a", "#949cab"),
    "plain": ("#9aa0ab", "#5d6675"),  # of lines only
    "gold": ("#f2b705", "#ffd166"),
    "onGold": ("#1c2230", "#1c2230"),
}


@dataclass(frozen=True)
class Kind:
    """How a kind of message is drawn, and which step of the protocol it is."""

    name: str
    badge: str
    width: float
    dash: str
    says: str
    label: str = ""  # in a legend, where its name says too little


KINDS = {
    kind.name: kind
    for kind in (
        Kind("prepare", "1a", 1.6, "", "may I lead this ballot?"),
        Kind("promise", "1b", 1.6, "6 3", "yes; my last vote, if any"),
        Kind("accept", "2a", 2.6, "", "vote for this value"),
        Kind("accepted", "2b", 2.6, "7 4", "I voted"),
        Kind("refused", "", 1.6, "2 3", "no, a promise stands in the way"),
        Kind("plain", "", 0.9, "", "of Paxos a disk or a list knows nothing", "stored, and read"),
        Kind("lost", "", 1.4, "1 4", "never arrives"),
    )
}

# The shape of a role, and what fills it: `panel` those who remember, `paper` all others.
ROLES = {
    "proposer": "paper",
    "acceptor": "panel",
    "learner": "paper",
    "client": "paper",  # a proposer and a learner in one, and so is its shape
    "disk": "panel",
    "list": "panel",
}


@dataclass(frozen=True)
class Figure:
    """A finished drawing. A notebook shows it; `save` writes it."""

    svg: str
    faults: tuple[str, ...] = ()  # what a reader would complain about; empty, or a test fails

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"image/svg+xml": self.svg}

    def save(self, path: str | Path) -> None:
        Path(path).write_text(self.svg, encoding="utf-8")


@dataclass(frozen=True)
class Words:
    """A text as set: its box, and the line that it belongs to, if any."""

    words: str
    left: float
    top: float
    right: float
    bottom: float
    line: int | None


class Drawing:
    """A sheet to draw on. Coordinates are px, from the top left. All text goes through `text`."""

    def __init__(self, width: float, height: float, title: str, desc: str) -> None:
        self.width, self.height, self.title, self.desc = width, height, title, desc
        self.parts: list[str] = []
        self.words: list[Words] = []
        self.lines: list[tuple[float, float, float, float]] = []
        self.classes: set[str] = set()

    def css(self, *names: str) -> str:
        """Use these classes: `s-` strokes and `f-` fills with a colour, `t-` sets a font."""
        self.classes.update(names)
        return f'class="{" ".join("px-" + name for name in names)}"'

    def text(
        self,
        x: float,
        y: float,
        words: str,
        colour: str = "ink",
        size: float = 13,
        font: str = "regular",
        anchor: str = "start",
        line: int | None = None,
    ) -> None:
        """Set one line of text with its baseline at `y`; `line` is the number of its own line."""
        length = text_width(words, size, font)
        left = x - {"start": 0.0, "middle": length / 2, "end": length}[anchor]
        box = Words(words, left, y - ASCENT * size, left + length, y + DESCENT * size, line)
        self.words.append(box)
        style = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.parts.append(
            f'<text x="{_(x)}" y="{_(y)}" font-size="{_(size)}"{style} '
            f"{self.css('f-' + colour, 't-' + font)}>{escape(words, quote=False)}</text>"
        )

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        stroke: str | None = "ink",
        fill: str | None = "paper",
        radius: float = 3,
        thick: float = 1.4,
        dash: str = "",
    ) -> None:
        self.parts.append(
            f'<rect x="{_(x)}" y="{_(y)}" width="{_(width)}" height="{_(height)}" rx="{_(radius)}" '
            f"{self._paint(stroke, fill, thick, dash)}/>"
        )

    def polygon(
        self, points: Sequence[tuple[float, float]], stroke: str | None, fill: str | None
    ) -> None:
        where = " ".join(f"{_(x)},{_(y)}" for x, y in points)
        self.parts.append(f'<polygon points="{where}" {self._paint(stroke, fill, 1.2, "")}/>')

    def path(self, way: str, fill: str | None, stroke: str | None = "ink") -> None:
        """An outline with curves in it."""
        self.parts.append(f'<path d="{way}" {self._paint(stroke, fill, 1.2, "")}/>')

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        colour: str = "line",
        thick: float = 1.2,
        dash: str = "",
    ) -> None:
        """A line that is no message: a life line, a rule, a leader."""
        self.parts.append(
            f'<line x1="{_(x1)}" y1="{_(y1)}" x2="{_(x2)}" y2="{_(y2)}" '
            f"{self._paint(colour, None, thick, dash)}/>"
        )

    def message(
        self, x1: float, y1: float, x2: float, y2: float, kind: str, lost: bool = False
    ) -> int:
        """A message on its way, with its head; a lost one ends in a cross. Returns its number."""
        look = KINDS["lost" if lost else kind]
        self.lines.append((x1, y1, x2, y2))
        self.line(x1, y1, x2, y2, look.name, look.width, look.dash)
        far = math.hypot(x2 - x1, y2 - y1) or 1
        dx, dy = (x2 - x1) / far, (y2 - y1) / far
        if lost:
            self.cross(x2, y2)
        else:
            size = 6 + look.width if look.width > 1 else 5
            back = (x2 - dx * size, y2 - dy * size)
            wing = size * 0.42
            sides = [(back[0] - s * dy * wing, back[1] + s * dx * wing) for s in (1, -1)]
            self.polygon([(x2, y2), *sides], None, look.name)
        return len(self.lines) - 1

    def flow(self, x1: float, y: float, x2: float) -> int:
        """From the user to Paxos, from one phase to the next, and back to the user."""
        self.lines.append((x1, y, x2, y))
        back = 9 if x2 > x1 else -9
        self.line(x1, y, x2 - back / 2, y, "ink", 1.8)
        self.polygon([(x2, y), (x2 - back, y - 4.5), (x2 - back, y + 4.5)], None, "ink")
        return len(self.lines) - 1

    def cross(self, x: float, y: float, colour: str = "refused", size: float = 5) -> None:
        """A message is lost."""
        self.line(x - size, y - size, x + size, y + size, colour, 2)
        self.line(x - size, y + size, x + size, y - size, colour, 2)

    def crash(self, x: float, y: float) -> None:
        """A node stops."""
        self.rect(x - 5, y - 5, 10, 10, None, "refused", 1)

    def knows(self, x: float, y: float) -> None:
        """A node has been told what is chosen."""
        self.rect(x - 5, y - 5, 10, 10, "ink", "gold", 5, 1.2)

    def star(self, x: float, y: float, size: float = 8) -> None:
        """Chosen. The only gold there is."""
        turn = [math.pi * (number / 5 - 0.5) for number in range(10)]
        reach = [size if number % 2 == 0 else size * 0.45 for number in range(10)]
        points = [
            (x + r * math.cos(t), y + r * math.sin(t)) for t, r in zip(turn, reach, strict=True)
        ]
        self.polygon(points, "ink", "gold")

    def badge(self, x: float, y: float, kind: str) -> None:
        """The step of the protocol, in a disc of its message's colour, centred on (x, y)."""
        self.rect(x - 11, y - 8, 22, 16, None, kind, 8)
        self.text(x, y + 3.8, KINDS[kind].badge, "paper", 10.5, "bold", "middle")

    def node(self, x: float, y: float, name: str, role: str, width: float = 0) -> float:
        """A participant, centred on (x, y): its role is its shape. Returns its width."""
        wide = max(width, text_width(name, 13, "bold") + 22)
        self.shape(x - wide / 2, y - 13, wide, 26, role)
        self.text(x, y + 4.6, name, "ink", 13, "bold", "middle")
        return wide

    def shape(self, left: float, top: float, wide: float, tall: float, role: str) -> None:
        """The outline of a role."""
        fill, half, nose = ROLES[role], tall / 2, 0.31 * tall
        right, bottom = left + wide, top + tall
        point = f"H{_(right - nose)}L{_(right)},{_(top + half)}L{_(right - nose)},{_(bottom)}"
        if role == "proposer":
            self.rect(left, top, wide, tall, radius=half, fill=fill)
        elif role == "learner":
            left_point = f"H{_(left + nose)}L{_(left)},{_(top + half)}Z"
            self.path(f"M{_(left + nose)},{_(top)}{point}{left_point}", fill)
        elif role == "client":
            arc = f"H{_(left + half)}A{_(half)} {_(half)} 0 0 1 {_(left + half)},{_(top)}Z"
            self.path(f"M{_(left + half)},{_(top)}{point}{arc}", fill)
        elif role == "disk":
            rim, up, low = 0.14 * tall, top - 0.05 * tall, bottom + 0.05 * tall
            arc = f"A{_(wide / 2)} {_(rim)} 0 0"
            sides = f"V{_(low - rim)}{arc} 1 {_(left)},{_(low - rim)}Z"
            self.path(f"M{_(left)},{_(up + rim)}{arc} 1 {_(right)},{_(up + rim)}{sides}", fill)
            self.path(f"M{_(left)},{_(up + rim)}{arc} 0 {_(right)},{_(up + rim)}", None)
        else:
            self.rect(left, top, wide, tall, fill=fill, radius=2)
        if role == "list":  # its first entries; more at the end, and nowhere else
            for cell in (0.18 * tall, 0.36 * tall):
                self.line(left + cell, top, left + cell, bottom, "ink", 1)

    def legend(self, x: float, y: float, names: Iterable[str], width: float) -> float:
        """What lines and marks mean, from the tables that draw them. Returns the y below it."""
        marks = {"chosen": self.star, "knows": self.knows, "crash": self.crash}
        at = x
        for name in names:
            look = KINDS.get(name)
            badge, label = (look.badge, look.label or name) if look else ("", name)
            start = (60 if badge else 34) if look else 24 if name in ROLES else 18
            wide = start + text_width(label, 12) + 20
            if at > x and at + wide > x + width:
                at, y = x, y + 22
            if name in ROLES:
                self.shape(at, y - 6, 18, 12, name)
            elif look is None:
                marks[name](at + 7, y)
            else:
                self.line(
                    at, y, at + (20 if name == "lost" else 28), y, name, look.width, look.dash
                )
            if name == "lost":
                self.cross(at + 24, y, size=4)
            if badge:
                self.badge(at + 45, y, name)
            self.text(at + start, y + 4.2, label, "muted", 12)
            at += wide
        return y + 18

    def _paint(self, stroke: str | None, fill: str | None, thick: float, dash: str) -> str:
        """Attributes of a shape: a class for each colour, so that a theme can change it."""
        names = [f"s-{stroke}"] * bool(stroke) + [f"f-{fill}" if fill else "f-none"]
        line = f' stroke-width="{_(thick)}"' if stroke else ""
        return self.css(*names) + line + (f' stroke-dasharray="{dash}"' if dash else "")

    def figure(self) -> Figure:
        """The drawing as a file, with what is wrong with it."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_(self.width)} {_(self.height)}" '
            f'width="{_(self.width)}" height="{_(self.height)}" role="img" '
            f'aria-labelledby="title desc">\n<title id="title">{escape(self.title, quote=False)}</title>\n'
            f'<desc id="desc">{escape(self.desc, quote=False)}</desc>\n'
        )
        body = "\n".join(self.parts)
        return Figure(
            f"{head}<style>{css(self.classes)}</style>\n{body}\n</svg>\n", tuple(self.faults())
        )

    def faults(self) -> list[str]:
        """Texts that overlap, stick out of the sheet, or lie across another's message."""
        found = []
        for number, one in enumerate(self.words):
            if one.left < 0 or one.top < 0 or one.right > self.width or one.bottom > self.height:
                found.append(f"{one.words!r} sticks out of the sheet")
            for other in self.words[number + 1 :]:
                apart = one.right <= other.left or other.right <= one.left
                if not (apart or one.bottom <= other.top or other.bottom <= one.top):
                    found.append(f"{one.words!r} overlaps {other.words!r}")
            for which, line in enumerate(self.lines):
                if which != one.line and _crosses(line, one):
                    found.append(f"{one.words!r} lies across a message")
        return found


def css(classes: Iterable[str]) -> str:
    """Rules for these classes in light, and the dark block."""
    return f"{rules(classes, 0)}/*dark*/@media (prefers-color-scheme:dark){{{rules(classes, 1)}}}/*end*/"


def rules(classes: Iterable[str], theme: int, before: str = "") -> str:
    """CSS for `s-`, `f-` and `t-` classes; theme 0 is light, 1 is dark and has only colours."""
    out = []
    for name in sorted(set(classes)):
        what, of = name.split("-")
        rule = f"font-family:{of}"
        if what == "t":
            rule = FONTS[of] if theme == 0 else ""
        elif of == "none":
            rule = "fill:none" if theme == 0 else ""
        else:
            rule = f"{'stroke' if what == 's' else 'fill'}:{COLOURS[of][theme]}"
        if rule:
            out.append(f"{before}.px-{name}{{{rule}}}")
    return "".join(out)


def site_css() -> str:
    """The same classes for figures inside the site, where the reader picks the theme."""
    names = [f"{what}-{colour}" for what in "sf" for colour in COLOURS]
    names += ["f-none", *(f"t-{font}" for font in FONTS)]
    sheets = []
    for before, theme in (
        ("", 0),
        ('html[data-theme="light"] ', 0),
        ('html[data-theme="dark"] ', 1),
    ):
        badges = "".join(
            f"{before}.px-badge.px-{kind.badge}{{border-color:{COLOURS[kind.name][theme]};"
            f"background:{COLOURS[kind.name][theme]};color:{COLOURS['paper'][theme]}}}"
            for kind in KINDS.values()
            if kind.badge
        )
        sheets.append(rules(names, theme, before) + badges + "\n")
    return "".join(sheets)


def _crosses(line: tuple[float, float, float, float], box: Words) -> bool:
    """Does a line cut a box? (Liang and Barsky's clipping.)"""
    x1, y1, x2, y2 = line
    start, end = 0.0, 1.0
    for step, low, high, at in (
        (x2 - x1, box.left, box.right, x1),
        (y2 - y1, box.top, box.bottom, y1),
    ):
        if step == 0:
            if not low < at < high:
                return False
            continue
        near, far = sorted(((low - at) / step, (high - at) / step))
        start, end = max(start, near), min(end, far)
    return start < end


def _(number: float) -> str:
    """A number of px, short, and the same on every machine."""
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
