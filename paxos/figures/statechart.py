"""The states of a passive client and what leads from one to another, drawn from what runs did.

A client is offline or online; online, it follows or it proposes; proposing, it is in a phase of the
proposer inside. An arrow is there because a run took it, and what it says is the source's own word
for the case that ran. Answers that leave a client where it is are the activity diagram's business.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from ..protocol.events import Opened, Propose, Timeout
from ..protocol.passive import Client
from ..trace import Trace
from .cases import Case, Seen, watch, watched
from .lanes import SMALL, Point
from .theme import KINDS, Drawing, Figure, text_width

PHASES = ("prepare", "decide", "wait")  # of a client that proposes
NEW = "new"  # before it is opened, or opened again after a crash
WORDS = {Opened.__name__: "opened", Propose.__name__: "a wish", Timeout.__name__: "a wait is over"}
ANSWER = "a list answers"
TITLE = "The states of a client of Passive Paxos"
LINE = 15.0


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """From a state to a state: what happened, what the source calls it, and how often in the runs."""

    before: str
    after: str
    event: str
    label: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an arrow goes, and its words: `anchor` says which end of them stands at `words`."""

    path: tuple[Point, ...]
    words: Point
    anchor: str = "start"
    up: bool = False  # the words grow upwards


def state(client: Client) -> str:
    """Where a client stands, in one word."""
    return client.member.proposer.phase if client.state == "proposer" else client.state


def transitions(traces: Iterable[Trace]) -> tuple[Transition, ...]:
    """What happened in these runs, added up, in the order of the states."""
    seen, rules = Counter[Transition](), watched("passive")
    for trace in traces:
        for one in watch(trace, rules):
            if isinstance(one, Seen) and isinstance(one.before, Client):
                seen.update(_transitions(one))
    found = (replace(one, count=count) for one, count in seen.items())
    return tuple(sorted(found, key=lambda one: (*_edge(one), -one.count, one)))


def _transitions(one: Seen) -> Iterable[Transition]:
    before, after = state(one.before), state(one.step.state)
    before = NEW if one.event == Opened.__name__ else before
    event = WORDS.get(one.event, ANSWER)
    if one.busy and (before != after or event != ANSWER):
        yield Transition(before, after, event, _label(one, before, after).label)


def _label(one: Seen, before: str, after: str) -> Case:
    """The case that did it: of the client where it goes on or off, else of a part inside."""
    asks = [case for case in one.inner if case.role == "proposer"]
    kept = before == "offline" != after and not one.before.member.busy  # a wish, perhaps
    if asks and (kept or ("offline" not in (before, after) and after != "follower")):
        return asks[-1]
    return one.case if "offline" in (before, after) or not one.inner else one.inner[-1]


def _edge(one: Transition) -> tuple[str, str]:
    """The arrow that shows it: one for all phases where it leaves them, or comes into them."""
    inside = one.before in PHASES and one.after in PHASES
    ends = (one.before, one.after)
    before, after = ends if inside else ("proposer" if it in PHASES else it for it in ends)
    return before, after


def edges(traces: Iterable[Trace]) -> dict[tuple[str, str], dict[tuple[str, str], int]]:
    """The arrows of the figure: (from, to) -> {(what happened, what it is called): how often}."""
    found: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for one in transitions(traces):
        words = found.setdefault(_edge(one), {})
        key = one.event, one.label
        words[key] = words.get(key, 0) + one.count
    return found


# Where everything stands.

SIZE = (730, 566)
BOXES = {  # left, top, width, height
    "online": (246, 12, 476, 544),
    "proposer": (262, 244, 448, 300),
    "offline": (14, 252, 96, 60),
    "follower": (428, 58, 104, 44),
    "prepare": (284, 320, 92, 40),
    "decide": (608, 320, 84, 40),
    "wait": (452, 470, 76, 40),
}
START: Point = (30, 190)
SLOTS = {
    (NEW, "offline"): Slot(((30, 197), (30, 252)), (14, 160)),
    ("offline", "offline"): Slot(((34, 312), (34, 334), (84, 334), (84, 312)), (14, 352)),
    ("offline", "follower"): Slot(((70, 252), (70, 72), (428, 72)), (256, 63), up=True),
    ("follower", "offline"): Slot(((428, 90), (90, 90), (90, 252)), (256, 107)),
    ("offline", "proposer"): Slot(((110, 268), (262, 268)), (118, 260), up=True),
    ("proposer", "offline"): Slot(((262, 296), (110, 296)), (118, 312)),
    ("follower", "follower"): Slot(((532, 70), (560, 70), (560, 90), (532, 90)), (568, 76)),
    ("follower", "proposer"): Slot(((462, 102), (462, 244)), (454, 168), "end"),
    ("proposer", "follower"): Slot(((498, 244), (498, 102)), (506, 168)),
    ("prepare", "prepare"): Slot(
        ((300, 320), (300, 296), (340, 296), (340, 320)), (284, 289), up=True
    ),
    ("prepare", "decide"): Slot(((376, 332), (608, 332)), (400, 325), up=True),
    ("decide", "prepare"): Slot(((608, 348), (376, 348)), (600, 365), "end"),
    ("prepare", "wait"): Slot(((308, 360), (308, 498), (452, 498)), (316, 516)),
    ("wait", "prepare"): Slot(((452, 482), (352, 482), (352, 360)), (360, 418)),
    ("decide", "wait"): Slot(((650, 360), (650, 490), (528, 490)), (642, 418), "end"),
}


def figure(traces: Iterable[Trace]) -> Figure:
    """The states and the arrows that these runs took. Raises ValueError where there are none."""
    runs = tuple(traces)
    found = edges(runs)
    if not found:
        raise ValueError("no client did anything in these runs: there is nothing to draw")
    sheet = Drawing(*SIZE, TITLE, description(runs))
    for name, (left, top, wide, tall) in BOXES.items():
        outer = name in ("online", "proposer")
        sheet.rect(left, top, wide, tall, "ink", "paper" if outer else "panel", 14, 1.4)
        x, y = (left + wide - 16, top + 24) if outer else (left + wide / 2, top + tall / 2 + 4.6)
        sheet.text(x, y, name, "ink", 13, "bold", "end" if outer else "middle")
    if (NEW, "offline") in found:
        sheet.rect(START[0] - 7, START[1] - 7, 14, 14, None, "ink", 7)
    for edge, words in found.items():
        if edge not in SLOTS:
            raise ValueError(
                f"from {edge[0]} to {edge[1]}: no rule did that when this was laid out"
            )
        _arrow(sheet, SLOTS[edge].path)
        _words(sheet, SLOTS[edge], words)
    return sheet.figure()


def _arrow(sheet: Drawing, path: tuple[Point, ...]) -> None:
    for (x1, y1), (x2, y2) in pairwise(path):
        sheet.line(x1, y1, x2, y2, "ink", 1.4)
        sheet.lines.append((x1, y1, x2, y2))
    (x1, y1), (x2, y2) = path[-2:]
    dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    back = (x2 - 9 * dx, y2 - 9 * dy)
    sides = [(back[0] - side * dy * 4.5, back[1] + side * dx * 4.5) for side in (1, -1)]
    sheet.polygon([(x2, y2), *sides], None, "ink")


def _words(sheet: Drawing, slot: Slot, words: Iterable[tuple[str, str]]) -> None:
    """What happened, then what the source calls it, the most frequent first."""
    lines = list[tuple[str, bool]]()
    for event, label in words:
        lines += [(f"{event}:", False)] * ((f"{event}:", False) not in lines) + [(label, True)]
    x, y = slot.words
    y -= LINE * len(lines) * slot.up
    for number, (line, named) in enumerate(lines):
        y += (LINE if number or slot.up else 0) + (4 if number and not named else 0)
        _line(sheet, x, y, line, slot.anchor, named)


def _line(sheet: Drawing, x: float, y: float, words: str, anchor: str, named: bool) -> None:
    badge, _, rest = words.rpartition(": ")
    kind = next((look for look in KINDS.values() if badge and look.badge == badge), None)
    text, room = (rest, 27) if kind else (words, 0)
    length = text_width(text, SMALL, "bold" if named else "regular")
    left = x if anchor == "start" else x - length - room
    if kind:
        sheet.badge(left + 11, y - 4.2, kind.name)
    sheet.text(
        left + room, y, text, "ink" if named else "muted", SMALL, "bold" if named else "regular"
    )
    if text == "chosen":
        sheet.star(left + length + 12, y - 4)


def description(traces: Iterable[Trace]) -> str:
    """The diagram in words, for those who cannot see it, with the counts."""
    said = [
        f"From {before} to {after}, when {event}: {label} ({_times(count)})"
        for (before, after), words in edges(traces).items()
        for (event, label), count in words.items()
    ]
    return (
        "State diagram. A client is offline or online; online, a follower or a proposer; a proposer "
        f"prepares, decides or waits. {'. '.join(said)}."
    )


def caption(traces: Iterable[Trace]) -> str:
    """What the diagram was drawn from, in numbers."""
    runs = tuple(traces)
    found = transitions(runs)
    changes = sum(one.count for one in found if one.before != one.after)
    return (
        f"Drawn from {len(runs):,} runs, in which clients changed their state {changes:,} times. "
        "After a crash a client begins anew, with a new identity."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
