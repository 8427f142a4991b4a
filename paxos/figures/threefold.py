"""The same decision, carried out against different memories, side by side on one time axis.

Everything is read from the traces: what is asked and answered, when each phase ends, and how many
round trips had to follow one another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..outcome import Chosen, chains, decision
from ..protocol.events import Answer, Decide, Propose
from ..protocol.kinds import PROTOCOLS
from ..trace import Sent, Step, Trace, kind, text
from .theme import KINDS, Drawing, Figure, text_width
from .words import senses

TRIP, LANE, GUTTER, AXIS, TOP = 88.0, 31.0, 92.0, 30.0, 96.0
SAYS = {
    "acceptor": "acceptors answer",
    "disk": "disks store blocks",
    "list": "lists only grow",
}


@dataclass(frozen=True)
class Leg:
    """A message between the client and one memory, on its way from one time to another."""

    sent: float  # in round trips after the wish
    heard: float
    memory: str
    asks: bool  # from the client; an answer otherwise
    kind: str  # how it is drawn
    word: str  # what it is called


@dataclass(frozen=True)
class Side:
    """One decision: from the wish to the moment when the client is told."""

    trace: Trace
    client: str
    legs: tuple[Leg, ...]
    turn: float  # when phase 2 begins
    chosen: float
    end: float
    trips: float  # round trips that had to follow one another

    @property
    def memories(self) -> list[str]:
        return self.trace.of(PROTOCOLS[self.trace.header.protocol].remembers)

    @property
    def says(self) -> str:
        """What is particular about its memory."""
        known = any(getattr(one.state, "conditional", False) for one in self.trace.steps())
        words = SAYS[PROTOCOLS[self.trace.header.protocol].remembers]
        return "lists whose end is known" if known else words


def side(trace: Trace) -> Side:
    """What is drawn of a trace. Raises ValueError where nobody is told of a decision."""
    won: Chosen = decision(trace)
    told = [
        (index, step)
        for index, step in enumerate(trace.records)
        if isinstance(step, Step)
        and any(isinstance(one, Decide) for one in step.effects[: step.done])
    ]
    if not told:
        raise ValueError("nobody is told of the decision in this run")
    end, last = told[0]
    wishes = [
        (index, step)
        for index, step in enumerate(trace.records)
        if isinstance(step, Step) and step.node == last.node and isinstance(step.event, Propose)
    ]
    if not wishes:
        raise ValueError(f"{last.node} is told first, but wished for nothing")
    begin, wish = wishes[-1]
    depth, trip = chains(trace), 2 * trace.header.tick
    legs = tuple(leg for leg in legs_of(trace, wish, last) if leg.sent * trip < last.at - wish.at)
    turn = min((leg.sent for leg in legs if leg.kind == "accept"), default=0.0)
    when = (won.at - wish.at) / trip
    trips = (depth[end] - depth[begin]) / 2
    return Side(trace, last.node, legs, turn, when, (last.at - wish.at) / trip, trips)


def legs_of(trace: Trace, wish: Step, last: Step) -> Iterator[Leg]:
    """Every message between the client and a memory, from the wish on."""
    sent: dict[int, tuple[Step, Sent]] = {}
    means, trip = senses(trace), 2 * trace.header.tick
    for index, step in enumerate(trace.records):
        if not isinstance(step, Step) or step.at > last.at:
            continue
        sent.update((one.id, (step, one)) for one in step.sent)
        if step.received is None:
            continue
        source, one = sent[step.received]
        asks = source.node == last.node
        if source.at < wish.at or not (asks or step.node == last.node):
            continue
        mean = means.of(one.id)
        if isinstance(step.event, Answer) and one.id not in means.sent:
            mean = means.heard.get(index, mean)
        look = mean.kind if mean.kind in KINDS else "plain"
        times = ((source.at - wish.at) / trip, (step.at - wish.at) / trip)
        yield Leg(*times, step.node if asks else source.node, asks, look, kind(one.message))


def draw(*traces: Trace) -> Figure:
    """Protocols side by side. Raises ValueError unless all of them carry out the same decision."""
    sides = [side(trace) for trace in traces]
    values = {text(decision(trace).proposal.value) for trace in traces}
    if len(values) != 1:
        raise ValueError(f"not the same decision: {', '.join(sorted(values))}")
    longest = max(one.end for one in sides)
    bottom = TOP + TRIP * longest
    wide = GUTTER + 54 + LANE * max(len(one.memories) for one in sides)
    width = AXIS + wide * len(sides) + 6
    names = ", ".join(one.trace.header.protocol for one in sides)
    desc = f"{values.pop()} is decided by one proposer and {len(sides[0].memories)} memories. "
    desc += " ".join(map(told, sides))
    sheet = Drawing(width, bottom + 90, f"The same decision: {names}", desc)
    for trips in range(int(longest) + 1):
        y = TOP + TRIP * trips
        sheet.line(AXIS - 6, y, width - 6, y, "line", 1)
        sheet.text(AXIS - 10, y + 4, str(trips), "muted", 12, "bold", "end")
    sheet.text(4, TOP - 22, "round", "muted", 11)
    sheet.text(4, TOP - 10, "trips", "muted", 11)
    for number, one in enumerate(sides):
        panel(sheet, one, AXIS + 4 + wide * number, wide)
    shown = {leg.kind for one in sides for leg in one.legs} | {"chosen", "knows"}
    kinds = [name for name in (*KINDS, "chosen", "knows") if name in shown]
    sheet.height = sheet.legend(AXIS, bottom + 64, kinds, width - AXIS - 10) + 6
    return sheet.figure()


def told(one: Side) -> str:
    """One protocol in words."""
    steps = [leg.word for leg in firsts(one) if leg.asks]
    return (
        f"{one.trace.header.protocol}: {', then '.join(steps)}; "
        f"{one.trips:g} round trips, {len(one.legs)} messages."
    )


def firsts(one: Side) -> list[Leg]:
    """The first question and the last answer of each kind in each phase: they stand for all."""
    found: dict[tuple[Any, ...], Leg] = {}
    for leg in sorted(one.legs, key=lambda leg: leg.sent if leg.asks else -leg.heard):
        found.setdefault((leg.sent < one.turn, leg.asks, leg.kind, leg.word), leg)
    return sorted(found.values(), key=lambda leg: leg.sent if leg.asks else leg.heard)


def panel(sheet: Drawing, one: Side, left: float, width: float) -> None:
    """One protocol: its phases as bands, its messages, and what they are called."""
    turn, end = TOP + TRIP * one.turn, TOP + TRIP * one.end
    lines: list[tuple[float, str, Leg | None]] = []
    for top, bottom, name in ((TOP, turn, "phase 1"), (turn, end, "phase 2")):
        sheet.rect(left, top + 2, width - 8, bottom - top - 4, None, "panel", 8)
        lines.append((top + 48, name, None))
    sheet.text(left + 2, 18, f"{one.trace.header.protocol.capitalize()} Paxos", "ink", 15, "bold")
    sheet.text(left + 2, 36, one.says, "muted", 12.5)
    lane = {one.client: left + GUTTER + 14}
    lane |= {name: left + GUTTER + 54 + LANE * n for n, name in enumerate(one.memories)}
    for name, x in lane.items():
        sheet.line(x, TOP - 19, x, end + 8, "muted", 1.2)
        wide = 38 if name == one.client else 27
        sheet.shape(x - wide / 2, TOP - 43, wide, 24, one.trace.role(name))
        sheet.text(
            x + 4 * (one.trace.role(name) == "list"), TOP - 27, name, "ink", 12, "bold", "middle"
        )
    gold = TOP + TRIP * one.chosen
    sheet.line(left + GUTTER - 6, gold, left + width - 14, gold, "gold", 2.6)
    for leg in sorted(one.legs, key=lambda leg: leg.kind != "plain"):
        ends = (lane[one.client], lane[leg.memory])
        start, stop = ends if leg.asks else ends[::-1]
        sheet.message(start, TOP + TRIP * leg.sent, stop, TOP + TRIP * leg.heard, leg.kind)
    for leg in firsts(one):  # under the moment it is sent, or above the one it is heard
        if leg.asks or leg.kind != "plain":  # that something was stored goes without saying
            y = 17 + TRIP * leg.sent if leg.asks else TRIP * leg.heard - 9
            lines.append((TOP + y, leg.word, leg))
    below = write(sheet, sorted(lines, key=lambda line: line[0]), left + 8)
    sheet.star(left + width - 14, gold, 7)
    sheet.knows(lane[one.client], end)
    words, foot = f"{one.trips:g} round trips", max(end + 26, below + 18)
    sheet.text(left + 8, foot, words, "ink", 14, "bold")
    far = left + 8 + text_width(words, 14, "bold") + 8
    sheet.text(far, foot, f"{len(one.legs)} messages", "muted", 12.5)


def write(sheet: Drawing, lines: Sequence[tuple[float, str, Leg | None]], left: float) -> float:
    """The words of a panel, each at its moment or right under the one before. Returns the last y."""
    below = 0.0
    for y, words, leg in lines:
        below = max(y, below + 17)
        badge = KINDS[leg.kind].badge if leg else ""
        if leg is None:
            sheet.text(left, below, words, "muted", 12, "bold")
            continue
        if badge:
            sheet.badge(left + 11, below - 4, leg.kind)
        sheet.text(left + 27, below, words, leg.kind if badge else "muted", 12)
    return below
