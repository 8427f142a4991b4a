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


KINDS = {
    kind.name: kind
    for kind in (
        Kind("prepare", "1a", 1.6, "", "may I lead this ballot?"),
        Kind("promise", "1b", 1.6, "6 3", "yes; my last vote, if any"),
        Kind("accept", "2a", 2.6, "", "vote for this value"),
        Kind("accepted", "2b", 2.6, "7 4", "I voted"),
        Kind("refused", "", 1.6, "2 3", "no, a promise stands in the way"),
        Kind("lost", "", 1.4, "1 4", "never arrives"),
    )
}

# Advance widths in thousandths of the size, of the bundled font (IBM Plex Sans, here named Paxos
# Sans; Mono is 600 throughout), for U+0020 to U+007E and SPECIAL. A test compares with the file.
SPECIAL = "→←≥≤×–—“”‘’…·′•"
_REGULAR = """236 284 419 713 598 927 694 242 335 335 450 600 272 399 272 383 600 600 600 600 600 600
600 600 600 600 292 292 600 600 600 477 891 641 653 621 671 583 559 695 707 400 510 634 501 812 707
708 606 708 640 581 572 678 609 891 613 593 580 317 383 317 600 565 600 534 580 503 580 549 324 528
568 250 250 527 272 873 568 560 580 580 367 487 351 568 492 768 507 499 464 343 314 343 600
820 820 600 600 600 588 780 475 474 273 273 803 326 242 396"""
_BOLD = """236 309 471 656 600 960 713 260 337 337 556 600 298 402 298 437 600 600 600 600 600 600 600
600 600 600 318 318 600 600 600 493 899 672 663 642 689 600 577 712 719 423 545 678 521 816 719 712
641 712 664 611 580 690 638 949 655 632 599 329 437 329 600 559 600 559 600 513 600 558 350 545 588
276 276 562 294 888 588 563 600 600 393 499 374 588 524 819 544 524 502 363 376 363 600
876 876 600 600 600 588 780 517 517 292 292 868 350 260 420"""
_CHARACTERS = [chr(code) for code in range(0x20, 0x7F)] + list(SPECIAL)
WIDTHS = {
    "regular": dict(zip(_CHARACTERS, map(int, _REGULAR.split()), strict=True)),
    "bold": dict(zip(_CHARACTERS, map(int, _BOLD.split()), strict=True)),
    "mono": dict.fromkeys(_CHARACTERS, 600),
}
FONTS = {
    "regular": "font-family:'Paxos Sans','IBM Plex Sans',sans-serif",
    "bold": "font-family:'Paxos Sans','IBM Plex Sans',sans-serif;font-weight:600",
    "mono": "font-family:'Paxos Mono','IBM Plex Mono',monospace",
}
ASCENT, DESCENT = 0.78, 0.24  # of the size: what a line of text really covers


def text_width(words: str, size: float, font: str = "regular") -> float:
    """The length of a text in px. A character that the font lacks counts as a wide one."""
    return sum(WIDTHS[font].get(one, 700) for one in words) * size / 1000


def fit(words: str, width: float, size: float, font: str = "regular") -> str:
    """The text, or as much of it as there is room for."""
    if text_width(words, size, font) <= width:
        return words
    while words and text_width(words + "…", size, font) > width:
        words = words[:-1]
    return words.rstrip() + "…"


def wrap(words: str, width: float, size: float, font: str = "regular") -> list[str]:
    """The text in lines of at most `width`, broken between words."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size, font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fit(line, width, size, font) for line in lines]


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
            size = 6 + look.width
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
        left, right, top, bottom = x - wide / 2, x + wide / 2, y - 13, y + 13
        if role == "proposer":
            self.rect(left, top, wide, 26, radius=13)
        elif role == "learner":
            cut = [(left + 8, top), (right - 8, top), (right, y), (right - 8, bottom)]
            self.polygon([*cut, (left + 8, bottom), (left, y)], "ink", "paper")
        else:
            self.rect(left, top, wide, 26, fill="panel", radius=2)
        self.text(x, y + 4.6, name, "ink", 13, "bold", "middle")
        return wide

    def legend(self, x: float, y: float, names: Iterable[str], width: float) -> float:
        """What lines and marks mean, from the tables that draw them. Returns the y below it."""
        marks = {"chosen": self.star, "knows": self.knows, "crash": self.crash}
        at = x
        for name in names:
            look = KINDS.get(name)
            badge = look.badge if look else ""
            start = (60 if badge else 34) if look else 18
            wide = start + text_width(name, 12) + 20
            if at > x and at + wide > x + width:
                at, y = x, y + 22
            if look is None:
                marks[name](at + 7, y)
            else:
                self.line(
                    at, y, at + (20 if name == "lost" else 28), y, name, look.width, look.dash
                )
            if name == "lost":
                self.cross(at + 24, y, size=4)
            if badge:
                self.badge(at + 45, y, name)
            self.text(at + start, y + 4.2, name, "muted", 12)
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
