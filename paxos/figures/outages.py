"""A long run in real time: which services were out of reach, who was killed, and what was decided.

The rows are those of the run: a service is a bar, with gaps where it answered nobody; a client is a
line for each of its lives. Below, one step for each entry that is decided.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..protocol.events import Answer, Decide
from ..protocol.messages import Command
from ..trace import Crash, Open, Record, Step, Trace, bare
from .series import round_up
from .theme import Drawing, Figure, text_width

Span = tuple[float, float]
ROW, BAR, TALL, TOP, RIGHT = 30.0, 13.0, 130.0, 16.0, 22.0
SMALL = 12.0
PATIENCE = 1000  # milliseconds without an answer, though somebody asks, at least: out of reach
TITLE = "Services come and go, clients are killed, and they agree"


@dataclass
class Run:
    """What is drawn. Times are in milliseconds since the beginning."""

    services: dict[str, list[Span]]  # out of reach
    clients: dict[str, list[Span]]  # lives
    killed: dict[str, list[float]]
    decided: list[float]  # when each entry was, as far as anybody was told
    start: float = 0.0
    end: float = 0.0
    names: dict[str, str] = field(default_factory=dict)

    @property
    def long(self) -> float:
        return max(self.end - self.start, 1.0)


def draw(
    *traces: Trace,
    outages: Mapping[str, Sequence[Span]] | None = None,
    names: Mapping[str, str] | None = None,
    width: float = 740,
    title: str = TITLE,
) -> Figure:
    """Draw a whole trace, or those of all clients.

    `outages`: when each list was out of reach, in seconds since the beginning, where that is known; else
    it is told from the trace. `names`: of the services, by list.
    """
    run = seen(traces, dict(names or {}))
    if outages is not None:
        known = {name: [(a * 1000, b * 1000) for a, b in its] for name, its in outages.items()}
        run.services = {name: cut(known.get(name, []), run.long) for name in run.services}
    return picture(run, width, title)


def noted(
    took: float,
    services: Mapping[str, Sequence[Span]],
    clients: Mapping[str, Sequence[tuple[float, float, bool]]],
    decided: Iterable[float],
    width: float = 740,
    title: str = TITLE,
) -> Figure:
    """Draw a run of so many seconds, of which this was noted, in seconds since its beginning.

    `services`: from when to when each was out of reach. `clients`: their lives, and was it killed then?
    `decided`: when each entry was.
    """
    run = Run(
        {name: [(a * 1000, b * 1000) for a, b in its] for name, its in services.items()},
        {name: [(a * 1000, b * 1000) for a, b, _ in sorted(its)] for name, its in clients.items()},
        {name: [b * 1000 for _, b, killed in its if killed] for name, its in clients.items()},
        sorted(one * 1000 for one in decided),
        end=took * 1000,
    )
    return picture(run, width, title)


def picture(run: Run, width: float, title: str) -> Figure:
    """Draw it."""
    sheet = Drawing(width, 100, title, told(run))
    left = 24 + max(text_width(run.names.get(one, one), 13, "bold") + 36 for one in rows(run))
    wide = width - left - RIGHT
    bottom = TOP + ROW * len(rows(run)) + 26

    def at(time: float) -> float:
        return left + wide * time / run.long

    for spans in run.services.values():
        for start, end in spans:
            sheet.rect(at(start), TOP, at(end) - at(start), bottom + TALL - TOP, None, "panel", 0)
    y = TOP + ROW / 2
    for name, spans in run.services.items():
        service(sheet, run.names.get(name, name), left, y, [(at(a), at(b)) for a, b in spans], wide)
        y += ROW
    for name, spans in run.clients.items():
        sheet.node(8 + (left - 24) / 2, y, name, "client", left - 24)
        client(sheet, y, [(at(a), at(b)) for a, b in spans], [at(one) for one in run.killed[name]])
        y += ROW
    curve(sheet, run, left, bottom, wide)
    sheet.height = legend(sheet, 8, bottom + TALL + 42, width) + 4
    return sheet.figure()


def rows(run: Run) -> list[str]:
    """Who has a row, from the top."""
    return [*run.services, *run.clients]


# What is told by traces.


def seen(traces: Sequence[Trace], names: dict[str, str]) -> Run:
    """Services, lives and decisions. Raises ValueError where there are no lists."""
    lists = [name for trace in traces[:1] for name in trace.of("list")]
    records = sorted(
        (one for trace in traces for one in trace.records if hasattr(one, "node")),
        key=lambda one: one.at,
    )
    mine = [one for one in records if getattr(one, "node", "") not in lists]
    if not lists or not mine:
        raise ValueError("no clients of lists did anything in this run")
    start, end = mine[0].at, mine[-1].at
    lives, killed = lived(mine)
    run = Run(
        {},
        {name: [(a - start, b - start) for a, b in its] for name, its in lives.items()},
        {name: [one - start for one in its] for name, its in killed.items()},
        [one - start for one in decisions(mine)],
        start,
        end,
        names,
    )
    asked, answered = heard(mine, lists)
    for name in lists:
        spans = silent(asked[name], answered[name], end)
        run.services[name] = [(a - start, b - start) for a, b in spans]
    return run


def lived(records: Iterable[Record]) -> tuple[dict[str, list[Span]], dict[str, list[float]]]:
    """The lives of each client, and when it was killed: it is, where it opens once more."""
    lives, killed = dict[str, list[Span]](), dict[str, list[float]]()
    last, up = dict[str, float](), dict[str, float]()
    for one in records:
        name = getattr(one, "node", "")
        lives.setdefault(name, [])
        killed.setdefault(name, [])
        if isinstance(one, Crash | Open) and name in up:
            lives[name].append((up.pop(name), last[name]))
            killed[name].append(last[name])
        if isinstance(one, Open):
            up[name] = one.at
        last[name] = one.at
    for name, since in up.items():
        lives[name].append((since, last[name]))
    return lives, killed


def decisions(records: Iterable[Record]) -> list[float]:
    """When somebody was told of each entry for the first time."""
    known, times = set[object](), list[float]()
    for one in records:
        for effect in getattr(one, "effects", ()):
            if isinstance(effect, Decide):
                value = bare(effect.value)[1]
                entries = value if isinstance(value, tuple) else (value,)
                new = [it for it in entries if it not in known and isinstance(it, Command | str)]
                known.update(new)
                times += [one.at] * len(new)
    return times


def heard(
    records: Iterable[Record], lists: Sequence[str]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """When each list was asked something, and when it answered anybody."""
    asked, answered = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for one in records:
        if isinstance(one, Step):
            for it in one.sent:
                asked[it.to].append(one.at)
            if isinstance(one.event, Answer):
                answered[one.event.acceptor].append(one.at)
    return asked, answered


def silent(asked: Sequence[float], answered: Sequence[float], end: float) -> list[Span]:
    """When a list answered nobody, though it was asked: from the first request on.

    Far longer than it mostly takes, or the network is only slow.
    """
    waits, number, last = list[Span](), 0, -math.inf
    for reply in (*answered, end):
        while number < len(asked) and asked[number] <= last:
            number += 1
        if number < len(asked) and asked[number] < reply:
            waits.append((asked[number], reply))
        last = reply
    usual = sorted(b - a for a, b in waits)[len(waits) // 2] if waits else 0
    return [(a, b) for a, b in waits if b - a > max(PATIENCE, 4 * usual)]


def cut(spans: Iterable[Span], end: float) -> list[Span]:
    """The spans as far as the run goes."""
    return [(max(a, 0.0), min(b, end)) for a, b in sorted(spans) if a < end and b > 0]


# The drawing.


def service(
    sheet: Drawing, name: str, left: float, y: float, gaps: Sequence[Span], wide: float
) -> None:
    """A bar while it answers; dots while it does not."""
    sheet.node(8 + (left - 24) / 2, y, name, "list", left - 24)
    at = left
    for start, end in [*gaps, (left + wide, left + wide)]:
        if start > at:
            sheet.rect(at, y - BAR / 2, start - at, BAR, "ink", "line", 2)
        if end > start:
            sheet.line(start + 2, y, end - 2, y, "lost", 1.4, "1 5")
        at = max(at, end)


def client(sheet: Drawing, y: float, lives: Sequence[Span], killed: Sequence[float]) -> None:
    """A line while it is up; a cross where it was killed, a ring where it came back."""
    for start, end in lives:
        sheet.line(start, y, max(end, start + 1), y, "ink", 2)
    for start, _ in lives[1:]:
        sheet.rect(start - 4, y - 4, 8, 8, "ink", "paper", 4, 1.6)
    for at in killed:
        sheet.cross(at, y)


def curve(sheet: Drawing, run: Run, left: float, top: float, wide: float) -> None:
    """How many entries are decided, over time."""
    many = len(run.decided)
    step = max(int(round_up(max(many / 4, 1))), 1)
    most = step * max(-(-many // step), 1)
    for level in range(0, most + 1, step):
        y = top + TALL * (1 - level / most)
        sheet.line(left, y, left + wide, y, "line", 1)
        sheet.text(left - 6, y + 4, f"{level:,}", "muted", 11, anchor="end")
    sheet.text(left, top - 4, "entries decided", "ink", SMALL, "bold")
    for time in moments(run.long, wide):
        x = left + wide * time * 1000 / run.long
        sheet.line(x, top + TALL, x, top + TALL + 4, "muted", 1)
        words = f"{time:g} s"
        x = min(x, sheet.width - text_width(words, 11) / 2 - 2)
        sheet.text(x, top + TALL + 17, words, "muted", 11, anchor="middle")
    way, height, last = f"M{left:.1f},{top + TALL:.1f}", top + TALL, left
    for count, time in enumerate(run.decided, 1):
        x, y = left + wide * time / run.long, top + TALL * (1 - count / most)
        if x - last >= 0.4 or count == many:  # finer than a line is wide
            way += f"H{x:.1f}V{y:.1f}"
            last, height = x, y
    sheet.path(f"{way}H{left + wide:.1f}", None)
    if run.decided:
        sheet.star(last, height, 7)
        sheet.text(last - 11, height - 7, f"{many:,}", "ink", SMALL, "bold", "end")


def moments(long: float, wide: float) -> list[float]:
    """Round numbers of seconds, as many as there is room for."""
    step = round_up(max(long / 1000 / max(int(wide / 64), 1), 0.01) * 1000) / 1000
    return [round(number * step, 3) for number in range(int(long / 1000 / step) + 1)]


def legend(sheet: Drawing, x: float, y: float, width: float) -> float:
    """What the marks mean. Returns the y below it."""

    def bar(at: float) -> None:
        sheet.rect(at, y - 5, 20, 10, "ink", "line", 2)

    def dots(at: float) -> None:
        sheet.line(at, y, at + 20, y, "lost", 1.4, "1 5")

    def life(at: float) -> None:
        sheet.line(at, y, at + 20, y, "ink", 2)

    def kill(at: float) -> None:
        sheet.cross(at + 10, y)

    def ring(at: float) -> None:
        sheet.rect(at + 6, y - 4, 8, 8, "ink", "paper", 4, 1.6)

    at = x
    for mark, words in (
        (bar, "answers"),
        (dots, "out of reach of everybody"),
        (life, "a client at work"),
        (kill, "killed"),
        (ring, "back, as another"),
    ):
        wide = 28 + text_width(words, SMALL) + 16
        if at > x and at + wide > width:
            at, y = x, y + 22
        mark(at)
        sheet.text(at + 28, y + 4.2, words, "muted", SMALL)
        at += wide
    return y + 14


def told(run: Run) -> str:
    """The figure in words."""
    parts = []
    for name, spans in run.services.items():
        shown = ", ".join(f"from {a / 1000:.1f} to {b / 1000:.1f} s" for a, b in spans)
        away = f"out of reach {shown}" if spans else "always within reach"
        parts.append(f"{run.names.get(name, name)} is {away}.")
    for name, times in run.killed.items():
        shown = ", ".join(f"{one / 1000:.1f}" for one in times)
        parts.append(f"{name} is killed at {shown} s." if times else f"{name} is never killed.")
    many = len(run.decided)
    parts.append(f"After {run.long / 1000:.1f} s {many:,} entries are decided.")
    return " ".join(parts)
