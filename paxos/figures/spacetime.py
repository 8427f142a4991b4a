"""The space-time diagram: time runs down, a line for each node, a slanted arrow for each message.

On the left, what happened in words. On the right, what each acceptor holds, which is what
everything hangs on. Long silences are shortened and crowded moments stretched, so that every
change has room for its text; the order is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ..outcome import broken, chosen
from ..protocol.acceptor import Acceptor
from ..protocol.events import Decide, Propose, Send, Timeout
from ..protocol.messages import Accept, Prepare
from ..trace import Crash, Cut, Heal, Lost, Open, Step, Trace, bare, kept, kind, text
from .parting import Parting
from .theme import KINDS, Drawing, Figure, fit, text_width, wrap

SCALE, GAP = 44.0, 1.4  # px for one message delay; a longer silence is cut to this many delays
NOTE, LANE, HOLD, LINE = 152.0, 52.0, 80.0, 15.0  # widths of the three parts; height of a text
TOP, TALL = 74.0, 3600.0
HOLDS = "what each acceptor holds"


@dataclass(frozen=True)
class Note:
    """A line in words, beside the moment it speaks of."""

    at: int
    words: str
    badge: str = ""
    mark: str = ""  # star, knows or wrong


@dataclass(frozen=True)
class Held:
    """An acceptor's memory changed: it promised, or it voted."""

    at: int
    node: str
    words: str
    voted: bool


def draw(trace: Trace, wrong: Parting | None = None) -> Figure:
    """The space-time diagram of one run, or of as much of a long one as can be read.

    A red ring is drawn around a step that is `wrong`, and the rule is written beside it.
    """
    whole, trace = trace, beginning(trace)
    notes, held = list(told(trace, wrong)), list(memory(trace))
    nodes = [name for name, _ in trace.header.nodes]
    y = clock(trace, notes, held)
    x = {name: NOTE + 34 + LANE * number for number, name in enumerate(nodes)}
    right = max(x.values()) + 44
    holds = {name: right + HOLD * number for number, name in enumerate(trace.of("acceptor"))}
    bottom = max(y.values()) + 22
    shown = set(_shown(trace))
    kinds = [name for name in (*KINDS, "chosen", "knows", "crash") if name in shown]
    width = right + max(HOLD * len(holds), text_width(HOLDS, 12)) + 10
    desc = "; ".join(f"at {note.at / trace.header.tick:.1f} {note.words}" for note in notes)
    sheet = Drawing(
        width, bottom + 40, f"A run of {trace.header.protocol} Paxos in time", desc + "."
    )
    silence(sheet, trace, x, y, bottom)
    lifelines(sheet, trace, x, y, bottom)
    for one in chosen(trace):
        sheet.line(
            NOTE, y[one.at], width - 10, y[one.at], "gold", 2.6 if one.news == "chosen" else 1.2
        )
    messages(sheet, trace, x, y, bottom)
    write_notes(sheet, notes, y)
    for bad in trace.records[wrong.number : wrong.number + 1] if wrong else ():
        ring(sheet, x[getattr(bad, "node", "")], y[bad.at])
    hold(sheet, held, holds, y, bottom)
    for name in nodes:
        sheet.node(x[name], TOP - 26, name, trace.role(name), 40)
    below = sheet.legend(NOTE + 10, bottom + 20, kinds, width - NOTE - 20)
    if rest := len(whole.records) - len(trace.records):
        words = f"The run goes on: {rest} more records are not drawn."
        sheet.text(NOTE + 10, below + 12, words, "ink", 13, "bold")
        below += 22
    sheet.height = below + 6
    return sheet.figure()


def beginning(trace: Trace) -> Trace:
    """As much of a run as has room on a sheet that can still be read."""
    y = clock(trace, list(told(trace)), list(memory(trace)))
    fits = [record for record in trace.records if y[record.at] <= TALL]
    return replace(trace, records=tuple(fits)) if len(fits) < len(trace.records) else trace


def told(trace: Trace, wrong: Parting | None = None) -> Iterator[Note]:
    """What happened, in words; who was told what only where not all of it is true."""
    lies = bool(broken(trace))
    instants = chosen(trace)
    for index, record in enumerate(trace.records):
        match record:
            case Step(node=node, event=Propose(value)):
                yield Note(record.at, f"{node} wants {value}")
            case Step(node=node, event=Timeout()):
                yield Note(record.at, f"{node} tries again")
            case Crash(at, node):
                yield Note(at, f"{node} crashes")
            case Open(at, node) if index >= len(trace.header.nodes):
                yield Note(at, f"{node} is back")
            case Cut(at, groups):
                yield Note(at, "network splits: " + " | ".join(" ".join(group) for group in groups))
            case Heal(at):
                yield Note(at, "network is whole again")
        if isinstance(record, Step):
            yield from asked(trace, record)
            yield from heard(record) if lies else ()
        if wrong and index == wrong.number and isinstance(record, Open | Step):
            yield Note(record.at, f"the rule for {record.node}: {wrong.rule}", mark="wrong")
        for one in (one for one in instants if one.index == index):
            where = "" if one.slot is None else f" in slot {one.slot}"
            words = f"{text(one.proposal.value)} is {one.news}{where}, in {trace.short(one.proposal.ballot)}"
            yield Note(one.at, words, mark="star")


def asked(trace: Trace, step: Step) -> Iterator[Note]:
    """The two questions that a proposer asks."""
    for effect in step.effects[: step.done]:
        if isinstance(effect, Send) and effect.to == "acceptors":
            slot, message = bare(effect.message)
            where = "" if slot is None else f", slot {slot}"
            match message:
                case Prepare(ballot):
                    yield Note(
                        step.at, f"{step.node} prepares {trace.short(ballot)}{where}", "prepare"
                    )
                case Accept(ballot, value):
                    words = f"{step.node} asks for {text(value)}, {trace.short(ballot)}{where}"
                    yield Note(step.at, words, "accept")


def heard(step: Step) -> Iterator[Note]:
    """What the user is told."""
    for effect in step.effects[: step.done]:
        if isinstance(effect, Decide):
            yield Note(step.at, f"{step.node} is told {text(effect.value)}", mark="knows")


def memory(trace: Trace) -> Iterator[Held]:
    """Every change of what an acceptor holds."""
    before: dict[str, object] = {}
    for record in trace.records:
        if not isinstance(record, Step | Open) or trace.role(record.node) != "acceptor":
            continue
        old, now = before.get(record.node), record.state
        if now == old or (isinstance(record, Step) and not kept(record)):
            continue
        before[record.node] = now
        if isinstance(record, Open):
            if old is not None:  # no acceptor that saves ever does
                yield Held(record.at, record.node, "forgot", False)
            continue
        slot, request = bare(record.event)
        its: Acceptor = now if slot is None else now.at(slot)
        where = "" if slot is None else f"#{slot} "
        if isinstance(request, Accept) and its.vote is not None:
            yield Held(
                record.at,
                record.node,
                f"{where}{trace.short(its.vote.ballot)} {text(its.vote.value)}",
                True,
            )
        else:
            yield Held(record.at, record.node, f"{where}≥ {trace.short(its.promised)}", False)


def clock(trace: Trace, notes: list[Note], held: list[Held]) -> dict[int, float]:
    """Where each moment is on the sheet: at least a line below what it would be written over."""
    times = sorted({0, *(record.at for record in trace.records)})
    room: dict[str, float] = {}
    y = {times[0]: TOP + 6}
    for number, now in enumerate(times):
        if number:
            gap = (now - times[number - 1]) / trace.header.tick
            y[now] = y[times[number - 1]] + SCALE * min(gap, GAP)
        here = [(note.words, "note", len(note_lines(note))) for note in notes if note.at == now]
        here += [(one.words, one.node, 1) for one in held if one.at == now]
        for column in {column for _, column, _ in here}:
            y[now] = max(y[now], room.get(column, 0))
        for _, column, lines in here:
            room[column] = max(room.get(column, 0), y[now]) + LINE * lines + 1
    last = times[-1]
    y[last + 1] = max([y[last], *room.values()])  # the sheet ends below the last text
    return y


def note_lines(note: Note) -> list[str]:
    """The words of a note, wrapped."""
    return wrap(note.words, NOTE - (44 if note.badge or note.mark else 20), 12)


def write_notes(sheet: Drawing, notes: list[Note], y: dict[int, float]) -> None:
    """The words on the left, each at its moment or right under the one before."""
    below = 0.0
    for note in notes:
        at = max(y[note.at], below)
        if note.badge:
            sheet.badge(15, at, note.badge)
        elif note.mark == "star":
            sheet.star(15, at)
        elif note.mark == "knows":
            sheet.knows(15, at)
        elif note.mark == "wrong":
            ring(sheet, 15, at, 6)
        for number, words in enumerate(note_lines(note)):
            font = "bold" if note.mark else "regular"
            left = 32 if note.badge or note.mark else 6
            colour = "ink" if left == 32 else "muted"
            colour = "refused" if note.mark == "wrong" else colour
            sheet.text(left, at + 4 + LINE * number, words, colour, 12, font)
        below = at + LINE * len(note_lines(note)) + 1


def ring(sheet: Drawing, x: float, y: float, size: float = 8) -> None:
    """A step that breaks a rule."""
    sheet.rect(x - size, y - size, 2 * size, 2 * size, "refused", None, size, 2.4)


def lifelines(
    sheet: Drawing, trace: Trace, x: dict[str, float], y: dict[int, float], bottom: float
) -> None:
    """A line for each node, dotted while the node is down."""
    for name in x:
        since, up = TOP - 13.0, True
        for record in trace.records[len(trace.header.nodes) :]:
            if isinstance(record, Crash | Open) and record.node == name:
                sheet.line(x[name], since, x[name], y[record.at], *_life(up))
                if isinstance(record, Crash):
                    sheet.crash(x[name], y[record.at])
                since, up = y[record.at], isinstance(record, Open)
        sheet.line(x[name], since, x[name], bottom, *_life(up))


def _life(up: bool) -> tuple[str, float, str]:
    return ("muted", 1.2, "") if up else ("lost", 1.2, "1 5")


def silence(
    sheet: Drawing, trace: Trace, x: dict[str, float], y: dict[int, float], bottom: float
) -> None:
    """A shade while the network is split."""
    left, right = min(x.values()) - 20, max(x.values()) + 20
    changes = [record for record in trace.records if isinstance(record, Cut | Heal)]
    for change, after in pairwise([*changes, None]):
        if isinstance(change, Cut):
            end = y[after.at] if after else bottom
            sheet.rect(left, y[change.at], right - left, end - y[change.at], None, "panel")


def messages(
    sheet: Drawing, trace: Trace, x: dict[str, float], y: dict[int, float], bottom: float
) -> None:
    """Each copy of each message, from where it was sent to where it arrived or was lost."""
    sent = {one.id: (step, one) for step in trace.steps() for one in step.sent}
    ends: set[int] = set()
    for record in trace.records:
        number = record.received if isinstance(record, Step) else getattr(record, "id", None)
        if number is None:
            continue
        step, one = sent[number]
        start, stop = (x[step.node], y[step.at]), (x[one.to], y[record.at])
        ends.add(number)
        if isinstance(record, Lost) and record.why == "lost":
            stop = ((start[0] + stop[0]) / 2, stop[1])
        sheet.message(*start, *stop, kind(one.message), isinstance(record, Lost))
    for step, one in (sent[number] for number in sent if number not in ends):  # still under way
        look = KINDS[kind(one.message)]
        part = 0.3 * (x[one.to] - x[step.node])
        end = min(bottom, y[step.at] + 0.6 * SCALE)
        sheet.line(
            x[step.node], y[step.at], x[step.node] + part, end, look.name, look.width, look.dash
        )
    for step in trace.steps():
        if any(isinstance(effect, Decide) for effect in step.effects[: step.done]):
            sheet.knows(x[step.node], y[step.at])


def hold(
    sheet: Drawing, held: list[Held], x: dict[str, float], y: dict[int, float], bottom: float
) -> None:
    """A bar for each acceptor: what it holds, from when on."""
    sheet.text(min(x.values()) + 4, TOP - 54, HOLDS, "muted", 12)
    for name, left in x.items():
        sheet.node(left + HOLD / 2, TOP - 26, name, "acceptor", HOLD - 16)
        changes = [one for one in held if one.node == name]
        tops: list[float] = []
        for one in changes:  # two in one instant stand one below the other
            tops.append(max(y[one.at], tops[-1] + LINE + 1 if tops else 0))
        voted = False
        for one, (top, end) in zip(changes, pairwise([*tops, bottom]), strict=True):
            voted = (voted or one.voted) and one.words != "forgot"
            colour = "accepted" if one.voted else "promise"
            sheet.rect(
                left + 4, top - 7, HOLD - 8, end - top, None, "panel" if voted else "paper", 0
            )
            sheet.line(left + 5, top - 7, left + 5, end - 7, "accepted" if voted else "promise", 3)
            sheet.line(left + 4, top - 7, left + HOLD - 4, top - 7, "line", 1)
            font = "bold" if one.voted else "regular"
            words = fit(one.words, HOLD - 20, 12, font)
            sheet.text(left + 12, top + 6, words, colour, 12, font)


def _shown(trace: Trace) -> Iterator[str]:
    """What the legend must explain."""
    if chosen(trace):
        yield "chosen"
    for record in trace.records:
        if isinstance(record, Lost):
            yield "lost"
        elif isinstance(record, Crash):
            yield "crash"
        elif isinstance(record, Step):
            yield from (kind(one.message) for one in record.sent)
            if any(isinstance(one, Decide) for one in record.effects[: record.done]):
                yield "knows"
