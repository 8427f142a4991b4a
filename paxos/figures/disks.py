"""Disks as a grid of blocks over time: a row for each block, time to the right.

A cell is what a block holds, from when on: its promise, and under it its vote. A read takes all
blocks of one disk; its dot is in the row of whoever reads, in the colour of what the answer means.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

from ..outcome import Chosen, chosen
from ..protocol.acceptor import Acceptor
from ..protocol.events import Answer, Decide
from ..protocol.kinds import PROTOCOLS
from ..protocol.messages import Accept, Blocks, Write
from ..trace import Crash, Open, Step, Trace, kept, text
from .theme import KINDS, Drawing, Figure, fit, text_width
from .words import senses

SCALE, GAP = 26.0, 1.6  # px for one message delay; a longer silence is cut to this many delays
ROW, DEED, CELL, WIDEST = 36.0, 24.0, 92.0, 1500.0  # heights of rows; widths of a text, of all
LEFT, TOP = 112.0, 44.0


@dataclass(frozen=True)
class Cell:
    """What one block of one disk holds from a moment on."""

    at: int
    disk: str
    owner: str
    promise: str
    vote: str
    votes: tuple[Accept, ...]  # all of them
    knows: bool  # the owner has put down what is chosen

    @property
    def row(self) -> tuple[str, str]:
        return self.disk, self.owner

    @property
    def wide(self) -> float:
        words = max(text_width(self.promise, 12), text_width(self.vote, 12, "bold"))
        return min(words, CELL) + 16 + 14 * self.knows


@dataclass(frozen=True)
class Look:
    """A disk was read: by whom, and what it meant."""

    at: int
    disk: str
    reader: str
    kind: str

    @property
    def row(self) -> tuple[str, str]:
        return self.disk, ""

    @property
    def wide(self) -> float:
        return text_width(self.reader, 11) + 4


@dataclass(frozen=True)
class Deed:
    """Something a client does: it asks, steps back, crashes, is back, or knows."""

    at: int
    client: str
    mark: str  # prepare, accept, refused, crash or knows

    wide = 25.0

    @property
    def row(self) -> tuple[str, str]:
        return "", self.client


@dataclass(frozen=True)
class Turn:
    """A client or a disk gets out of reach, or is back."""

    at: int
    row: tuple[str, str]

    @property
    def wide(self) -> float:
        return 6.0 * bool(self.row[0])  # of a disk; a client's crash is a deed, and as wide as one


Thing = Cell | Look | Deed | Turn
Mark = TypeVar("Mark", Cell, Look, Deed, Thing)


def grid(trace: Trace) -> Figure:
    """The blocks of every disk over time. Raises ValueError for a run without disks."""
    if PROTOCOLS[trace.header.protocol].remembers != "disk":
        raise ValueError(f"a run of {trace.header.protocol} has no disks")
    whole, trace = trace, beginning(trace)
    x, rows, found = clock(trace), places(trace), list(cells(trace))
    right, bottom = max(x.values()) + 20, max(rows.values()) + 20
    title = f"The disks of a run of {trace.header.protocol} Paxos, block by block"
    sheet = Drawing(max(right + 12, 520), bottom + 60, title, told(trace, found))
    instants = chosen(trace)
    for one in instants:
        thick = 2.6 if one.news == "chosen" else 1.2
        sheet.line(x[one.at], TOP - 16, x[one.at], bottom, "gold", thick)
    outlines(sheet, trace, rows, right)
    for row, y in rows.items():
        mine = list(aside((one for one in found if one.row == row), x))
        ends = [*(at for _, at in mine[1:]), right]
        for (its, at), end in zip(mine, ends[: len(mine)], strict=True):
            block(sheet, its, at, y, end, [won.proposal for won in instants])
    lanes(sheet, trace, x, rows, right)
    for deed, at in aside(deeds(trace), x):
        doing(sheet, deed, at, rows[deed.row] + DEED / 2)
    stars(sheet, instants, x)
    below = legend(sheet, trace, bottom + 20)
    if rest := len(whole.records) - len(trace.records):
        words = f"The run goes on: {rest} more records are not drawn."
        sheet.text(LEFT, below + 10, words, "ink", 13, "bold")
        below += 22
    sheet.height = below + 4
    return sheet.figure()


def places(trace: Trace) -> dict[tuple[str, str], float]:
    """The top of each row: of a client, of a block, and under its blocks of the reads of a disk."""
    rows: dict[tuple[str, str], float] = {}
    writers = {one.owner for one in cells(trace)}
    active = {one.client for one in deeds(trace)} | writers
    y = TOP
    for name in trace.of("client"):
        if name in active:
            rows["", name] = y
            y += DEED
    for disk in trace.of("disk"):
        y += 14
        for owner in sorted(writers):
            rows[disk, owner] = y
            y += ROW
        rows[disk, ""] = y
        y += 18
    return rows


def outlines(
    sheet: Drawing, trace: Trace, rows: dict[tuple[str, str], float], right: float
) -> None:
    """The names of the rows, and a line between two blocks."""
    for (disk, owner), y in rows.items():
        if not disk:
            wide = text_width(owner, 12, "bold") + 20
            sheet.shape(LEFT - 8 - wide, y + 2, wide, 20, "client")
            sheet.text(LEFT - 9 - wide / 2, y + 16, owner, "ink", 12, "bold", "middle")
        elif owner:
            sheet.line(LEFT, y, right, y, "line", 1)
            sheet.text(LEFT - 8, y + 22, owner, "muted", 12, anchor="end")
        else:
            sheet.line(LEFT, y, right, y, "line", 1)
            sheet.text(LEFT - 8, y + 13, "read by", "muted", 11, anchor="end")
            tops = [top for (its, who), top in rows.items() if its == disk and who]
            sheet.node(34, (min(tops, default=y) + y) / 2, disk, "disk", 44)


def block(sheet: Drawing, one: Cell, x: float, y: float, end: float, won: list[Accept]) -> None:
    """What a block holds, until it holds something else; gold if its vote is for what was chosen."""
    golden = any(vote in won for vote in one.votes)
    voted = "accepted" if one.vote else "promise"
    sheet.rect(x, y + 2, end - x - 2, ROW - 4, None, "panel" if one.vote else "paper", 0)
    sheet.line(x + 1.5, y + 2, x + 1.5, y + ROW - 2, voted, 3)
    if golden:
        sheet.rect(x, y + 2, end - x - 2, ROW - 4, "gold", None, 2, 2)
    sheet.text(x + 8, y + (15 if one.vote else 22), fit(one.promise, CELL, 12), "promise", 12)
    if one.vote:
        vote = fit(one.vote, max(CELL, end - x - 14), 12, "bold")
        sheet.text(x + 8, y + 29, vote, "accepted", 12, "bold")
    if one.knows:
        sheet.knows(x + one.wide - 10, y + 11)


def lanes(
    sheet: Drawing,
    trace: Trace,
    x: dict[int, float],
    rows: dict[tuple[str, str], float],
    right: float,
) -> None:
    """When clients are up, and disks within reach; who reads, in the colour of what it meant."""
    things: list[Thing] = [*looks(trace), *turns(trace)]
    places = list(aside(things, x))
    for row, y in rows.items():
        if "" in row:
            ends = [at for one, at in places if isinstance(one, Turn) and one.row == row]
            for number, (start, end) in enumerate(pairwise([LEFT + 6, *ends, right])):
                lane(sheet, row, start, end, y, number % 2 == 0)
    for look, at in places:
        if isinstance(look, Look):
            y, colour = rows[look.row], "muted" if look.kind == "plain" else look.kind
            sheet.line(at, y - 3, at, y + 3, colour, 2)
            sheet.rect(at, y + 4, look.wide - 4, 13, None, "paper", 0)
            sheet.text(at, y + 13, look.reader, colour, 11)


def lane(
    sheet: Drawing, row: tuple[str, str], start: float, end: float, y: float, up: bool
) -> None:
    """A client's lane, dotted while it is down; a disk's, drawn only while it is out of reach."""
    disk, _ = row
    y += 9 if disk else DEED / 2
    if not up:
        sheet.line(start, y, end, y, "lost", 1.2, "1 5")
    elif not disk:
        sheet.line(start, y, end, y, "muted", 1.2)
    for cap in (start, end):
        if disk and not up:
            sheet.line(cap, y - 6, cap, y + 6, "muted", 2)


def doing(sheet: Drawing, deed: Deed, x: float, y: float) -> None:
    """What a client does."""
    if deed.mark in ("prepare", "accept"):
        sheet.badge(x + 11, y, deed.mark)
    elif deed.mark == "refused":
        sheet.rect(x - 2, y - 7, 13, 14, None, "paper", 0)
        sheet.text(x, y + 5, "×", "refused", 15, "bold")
    elif deed.mark == "crash":
        sheet.crash(x + 3, y)
    else:
        sheet.knows(x + 5, y)


def stars(sheet: Drawing, instants: list[Chosen], x: dict[int, float]) -> None:
    """What is chosen, over the line of the moment; in words where there is room for them."""
    stars = [x[one.at] for one in instants]
    for number, one in enumerate(instants):
        what = text(one.proposal.value) if one.slot is None else f"slot {one.slot}"
        words, at = f"{what} is {one.news}", stars[number]
        sheet.star(at, TOP - 24)
        end = at + 12 + text_width(words, 12, "bold")
        if end < min([sheet.width, *(other - 9 for other in stars[number + 1 :])]):
            sheet.text(at + 12, TOP - 20, words, "ink", 12, "bold")


def legend(sheet: Drawing, trace: Trace, y: float) -> float:
    """What the marks and colours mean that are in the grid."""
    shown = {deed.mark for deed in deeds(trace)} | {look.kind for look in looks(trace)}
    shown |= {"chosen"} if chosen(trace) else set()
    shown |= {"promise", "accepted"} & ({"promise"} if list(cells(trace)) else set())
    names = [name for name in (*KINDS, "chosen", "knows", "crash") if name in shown - {"plain"}]
    return sheet.legend(LEFT, y, [*names, "client", "disk"], sheet.width - LEFT - 8)


def told(trace: Trace, found: list[Cell]) -> str:
    """The grid in words."""
    says: list[str] = [
        f"at {one.at / trace.header.tick:.1f} on {one.disk} the block of {one.owner} is "
        + ", ".join(filter(None, [one.promise, one.vote, "and knows" * one.knows]))
        for one in found
    ]
    for won in chosen(trace):
        value, ballot = text(won.proposal.value), trace.short(won.proposal.ballot)
        says.append(f"at {won.at / trace.header.tick:.1f} {value} is {won.news}, in {ballot}")
    return ("; ".join(says) or "No block is written") + "."


def beginning(trace: Trace) -> Trace:
    """As much of a run as has room on a sheet that can still be read."""
    x = clock(trace)
    fits = [record for record in trace.records if x[record.at] <= WIDEST]
    return replace(trace, records=tuple(fits)) if len(fits) < len(trace.records) else trace


def cells(trace: Trace) -> Iterator[Cell]:
    """Every change of every block."""
    before: dict[tuple[str, str], object] = {}
    for step in trace.steps():
        match step.event:
            case Write(owner, block) if trace.role(step.node) == "disk" and kept(step):
                row, now = (step.node, owner), dict(step.state.blocks)[owner]
                if now == block != before.get(row):  # else it came late, or twice
                    before[row] = now
                    promise, vote, votes = words(trace, block.memory)
                    about = (step.node, owner, promise, vote, votes, block.chosen is not None)
                    yield Cell(step.at, *about)


def words(trace: Trace, memory: Any) -> tuple[str, str, tuple[Accept, ...]]:
    """The promise and the last vote of a block, and all its votes."""
    promise = f"≥ {trace.short(memory.promised)}"
    cast: list[tuple[int | None, Accept]] = list(getattr(memory, "votes", ()))
    if isinstance(memory, Acceptor) and memory.vote:
        cast = [(None, memory.vote)]
    says = [
        ("" if slot is None else f"#{slot} ") + f"{trace.short(vote.ballot)} {text(vote.value)}"
        for slot, vote in cast
    ]
    return promise, says[-1] if says else "", tuple(vote for _, vote in cast)


def looks(trace: Trace) -> Iterator[Look]:
    """Every read that was answered, and what the answer meant to the reader when it came."""
    sent = {one.id: (step, one) for step in trace.steps() for one in step.sent}
    means = senses(trace)
    meant: dict[int, str] = {}
    for index, step in enumerate(trace.records):
        if isinstance(step, Step) and isinstance(step.event, Answer) and index in means.heard:
            meant.setdefault(step.received or 0, means.heard[index].kind)
    for step, one in sent.values():
        if isinstance(one.message, Blocks):
            kind = meant.get(one.id, "")
            yield Look(step.at, step.node, one.to, kind if kind in KINDS else "plain")


def deeds(trace: Trace) -> Iterator[Deed]:
    """What the clients do, as marks."""
    means, waits = senses(trace), dict[str, bool]()
    for record in trace.records:
        if getattr(record, "node", None) not in trace.of("client"):
            continue
        if isinstance(record, Crash):
            yield Deed(record.at, record.node, "crash")
        elif isinstance(record, Step):
            kinds = {means.of(one.id).kind for one in record.sent}
            marks: list[str] = [kind for kind in ("prepare", "accept") if kind in kinds]
            waiting = record.state.member.proposer.waits
            if waiting and not waits.get(record.node):
                marks.append("refused")
            waits[record.node] = waiting
            if any(isinstance(one, Decide) for one in record.effects[: record.done]):
                marks.append("knows")
            yield from (Deed(record.at, record.node, mark) for mark in marks)


def turns(trace: Trace) -> Iterator[Turn]:
    """When a client or a disk goes, and when it is back."""
    down = set[str]()
    for record in trace.records:
        if isinstance(record, Crash | Open) and isinstance(record, Open) == (record.node in down):
            down ^= {record.node}
            if record.node in trace.of("disk"):
                yield Turn(record.at, (record.node, ""))
            elif record.node in trace.of("client"):
                yield Turn(record.at, ("", record.node))


def clock(trace: Trace) -> dict[int, float]:
    """Where each moment is on the sheet: far enough from what would be written over."""
    marks: dict[int, list[Thing]] = {}
    found: list[Thing] = [*cells(trace), *looks(trace), *turns(trace), *deeds(trace)]
    for one in found:
        marks.setdefault(one.at, []).append(one)
    times = sorted({0, *(record.at for record in trace.records)})
    x, room = {times[0]: LEFT + 14}, dict[tuple[str, str], float]()
    for before, now in pairwise([times[0], *times]):
        if now > before:
            x[now] = x[before] + SCALE * min((now - before) / trace.header.tick, GAP)
        things = marks.get(now, [])
        x[now] = max([x[now], *(room.get(one.row, 0) for one in things)])
        room |= {one.row: at + one.wide for one, at in aside(things, x)}
    x[times[-1] + 1] = max([x[times[-1]], *room.values()])
    return x


def aside(things: Iterable[Mark], x: dict[int, float]) -> Iterator[tuple[Mark, float]]:
    """Each thing with its place; what one row has of one moment stands side by side."""
    room: dict[tuple[int, tuple[str, str]], float] = {}
    for one in things:
        at = room.get((one.at, one.row), x[one.at])
        room[one.at, one.row] = at + one.wide
        yield one, at
