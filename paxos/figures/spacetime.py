"""The space-time diagram: time runs down, a line for each node, a slanted arrow for each message.

On the left, what happened in words. On the right, what each acceptor holds, which is what
everything hangs on. Long silences are shortened and crowded moments stretched, so that every
change has room for its text; the order is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from ..outcome import chosen
from ..protocol.events import Answer, Decide
from ..protocol.kinds import PROTOCOLS
from ..protocol.lists import Amiss
from ..protocol.messages import Accept, Accepted, Append, Chosen, Refused
from ..trace import Crash, Cut, Heal, Lost, Open, Step, Trace, bare, kept, text
from .notes import LINE, NOTE, Note, note_lines, ring, told, write_notes
from .parting import Parting
from .theme import KINDS, ROLES, Drawing, Figure, fit, text_width
from .words import Sense, senses

SCALE, GAP = 44.0, 1.4  # px for one message delay; a longer silence is cut to this many delays
LANE, HOLD = 52.0, 80.0  # widths of the other two parts
TOP, TALL = 74.0, 3600.0
HOLDS = {
    "acceptor": "what each acceptor holds",
    "disk": "what the blocks of each disk say",
    "list": "what stands in each list (× refused)",
}


@dataclass(frozen=True)
class Held:
    """An acceptor's memory changed: it promised, or it voted."""

    at: int
    node: str
    words: str
    voted: bool
    colour: str = "promise"  # of a change that is no vote


def draw(trace: Trace, wrong: Parting | None = None) -> Figure:
    """The space-time diagram of one run, or of as much of a long one as can be read.

    A red ring is drawn around a step that is `wrong`, and the rule is written beside it.
    """
    whole, trace = trace, beginning(trace)
    notes, held = list(told(trace, wrong)), list(memory(trace))
    nodes, remembers = dict(trace.header.nodes), PROTOCOLS[trace.header.protocol].remembers
    y = clock(trace, notes, held)
    x = {name: NOTE + 34 + LANE * number for number, name in enumerate(nodes)}
    right = max(x.values()) + 44
    holds = {name: right + HOLD * number for number, name in enumerate(trace.of(remembers))}
    bottom = max(y.values()) + 22
    arrows = list(paths(trace, x, y))
    shown = {*_shown(trace), *(one.kind for one in arrows), *nodes.values()}
    kinds = [name for name in (*KINDS, "chosen", "knows", "crash", *ROLES) if name in shown]
    width = right + max(HOLD * len(holds), text_width(HOLDS[remembers], 12)) + 10
    desc = "; ".join(f"at {note.at / trace.header.tick:.1f} {note.words}" for note in notes)
    title = f"A run of {trace.header.protocol} Paxos in time"
    sheet = Drawing(width, bottom + 40, title, desc + ".")
    silence(sheet, trace, x, y, bottom)
    lifelines(sheet, trace, x, y, bottom)
    for one in chosen(trace):
        sheet.line(
            NOTE, y[one.at], width - 10, y[one.at], "gold", 2.6 if one.news == "chosen" else 1.2
        )
    messages(sheet, trace, arrows, x, y, bottom)
    write_notes(sheet, notes, y)
    for bad in trace.records[wrong.number : wrong.number + 1] if wrong else ():
        ring(sheet, x[getattr(bad, "node", "")], y[bad.at])
    sheet.text(right + 4, TOP - 54, HOLDS[remembers], "muted", 12)
    hold(sheet, held, holds, y, bottom, remembers)
    for name in nodes:
        sheet.node(x[name], TOP - 26, name, trace.role(name), 40)
    return foot(sheet, kinds, bottom, len(whole.records) - len(trace.records))


def foot(sheet: Drawing, kinds: list[str], bottom: float, rest: int) -> Figure:
    """The legend, and what is not drawn; then the sheet is done."""
    below = sheet.legend(NOTE + 10, bottom + 20, kinds, sheet.width - NOTE - 20)
    if rest:
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


def memory(trace: Trace) -> Iterator[Held]:
    """Every change of what an acceptor, a disk or a list holds."""
    before: dict[str, object] = {}
    means, remembers = senses(trace), PROTOCOLS[trace.header.protocol].remembers
    for index, record in enumerate(trace.records):
        if not isinstance(record, Step | Open) or trace.role(record.node) != remembers:
            continue
        old, now = before.get(record.node), record.state
        if now == old or (isinstance(record, Step) and not kept(record)):
            continue
        before[record.node] = now
        if isinstance(record, Open):
            if old is not None:  # no acceptor that saves ever does
                yield Held(record.at, record.node, "forgot", False)
        elif remembers == "acceptor":
            yield promised_or_voted(trace, record)
        else:
            yield from written(trace, record, means.heard.get(index, Sense("", "")))


def promised_or_voted(trace: Trace, step: Step) -> Held:
    """What an acceptor holds after it said yes."""
    slot, request = bare(step.event)
    where = "" if slot is None else f"#{slot} "
    if isinstance(request, Accept):
        return Held(step.at, step.node, vote(trace, slot, request), True)
    return Held(step.at, step.node, f"{where}≥ {trace.short(request.ballot)}", False)


def vote(trace: Trace, slot: int | None, its: Accept | Accepted) -> str:
    """A vote in few words. In a log there is room for one more, and the notes name the ballot."""
    what = text(its.value)
    return f"{trace.short(its.ballot)} {what}" if slot is None else f"#{slot} {what}"


def written(trace: Trace, step: Step, mean: Sense) -> Iterator[Held]:
    """What is new in a block, or in a list: there, × marks what its fold refuses."""
    if not mean.said:
        yield Held(step.at, step.node, "skipped", False, "muted")
    for one in mean.said:
        slot, what = bare(one)
        where = "" if slot is None else f"#{slot} "
        match what:
            case Accept() | Accepted():
                yield Held(step.at, step.node, vote(trace, slot, what), True)
            case Refused(ballot):
                yield Held(step.at, step.node, f"× {where}{trace.short(ballot)}", False, "refused")
            case Chosen(_, value):
                yield Held(step.at, step.node, f"knows {text(value)}", False, "ink")
            case _:
                yield Held(step.at, step.node, f"{where}≥ {trace.short(what.ballot)}", False)


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


def lifelines(
    sheet: Drawing, trace: Trace, x: dict[str, float], y: dict[int, float], bottom: float
) -> None:
    """A line for each node, dotted while the node is down."""
    for name in x:
        since, up = TOP - 13.0, True
        for record in trace.records:
            if isinstance(record, Crash | Open) and record.node == name:
                if up and isinstance(record, Open):  # the start
                    continue
                sheet.line(x[name], since, x[name], y[record.at], *_life(up))
                if trace.role(name) in ("disk", "list"):
                    sheet.line(x[name] - 6, y[record.at], x[name] + 6, y[record.at], "muted", 2)
                elif isinstance(record, Crash):
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


@dataclass(frozen=True)
class Path:
    """One copy of one message, from where it was sent to where it arrived or was lost."""

    start: tuple[float, float]
    stop: tuple[float, float]
    kind: str
    lost: bool = False


def paths(trace: Trace, x: dict[str, float], y: dict[int, float]) -> Iterator[Path]:
    """All that arrived or was lost, each in the colour of what it means to the one who hears it."""
    sent = {one.id: (step, one) for step in trace.steps() for one in step.sent}
    means = senses(trace)
    for index, record in enumerate(trace.records):
        number = record.received if isinstance(record, Step) else getattr(record, "id", None)
        if number is None:
            continue
        step, one = sent[number]
        mean, lost = means.of(number), isinstance(record, Lost)
        if (
            isinstance(record, Step)
            and isinstance(record.event, Answer)
            and number not in means.sent
        ):
            mean = means.heard.get(index, mean)
        if isinstance(record, Step) and isinstance(record.event, Amiss):
            lost = isinstance(record.event.request, Append)  # it arrived, and is gone all the same
        start, stop = (x[step.node], y[step.at]), (x[one.to], y[record.at])
        if isinstance(record, Lost) and record.why == "lost":
            stop = ((start[0] + stop[0]) / 2, stop[1])
        yield Path(start, stop, mean.kind if mean.kind in KINDS else "plain", lost)


def messages(
    sheet: Drawing,
    trace: Trace,
    arrows: list[Path],
    x: dict[str, float],
    y: dict[int, float],
    bottom: float,
) -> None:
    """Every message; over those that say nothing of Paxos, those that do."""
    for one in sorted(arrows, key=lambda one: one.kind != "plain"):
        sheet.message(*one.start, *one.stop, one.kind, one.lost)
    ends = {getattr(one, "received", getattr(one, "id", None)) for one in trace.records}
    means = senses(trace)
    for step in trace.steps():
        for its in step.sent:
            if its.id not in ends:  # still under way
                look = KINDS.get(means.of(its.id).kind, KINDS["plain"])
                part = 0.3 * (x[its.to] - x[step.node])
                end = min(bottom, y[step.at] + 0.6 * SCALE)
                where = (x[step.node], y[step.at], x[step.node] + part, end)
                sheet.line(*where, look.name, look.width, look.dash)
        if any(isinstance(effect, Decide) for effect in step.effects[: step.done]):
            sheet.knows(x[step.node], y[step.at])


def hold(
    sheet: Drawing,
    held: list[Held],
    x: dict[str, float],
    y: dict[int, float],
    bottom: float,
    role: str,
) -> None:
    """A bar for each of those who remember: what it holds, from when on."""
    for name, left in x.items():
        sheet.node(left + HOLD / 2, TOP - 26, name, role, HOLD - 16)
        changes = [one for one in held if one.node == name]
        tops: list[float] = []
        for one in changes:  # two in one instant stand one below the other
            tops.append(max(y[one.at], tops[-1] + LINE + 1 if tops else 0))
        voted = False
        for one, (top, end) in zip(changes, pairwise([*tops, bottom]), strict=True):
            voted = (voted or one.voted) and one.words != "forgot"
            colour = "accepted" if one.voted else one.colour
            sheet.rect(
                left + 4, top - 7, HOLD - 8, end - top, None, "panel" if voted else "paper", 0
            )
            sheet.line(left + 5, top - 7, left + 5, end - 7, "accepted" if voted else "promise", 3)
            sheet.line(left + 4, top - 7, left + HOLD - 4, top - 7, "line", 1)
            font = "bold" if one.voted else "regular"
            words = fit(one.words, HOLD - 20, 12, font)
            sheet.text(left + 12, top + 6, words, colour, 12, font)


def _shown(trace: Trace) -> Iterator[str]:
    """What the legend must explain, beside messages that arrived and roles."""
    if chosen(trace):
        yield "chosen"
    means = senses(trace)
    for record in trace.records:
        if isinstance(record, Lost) or isinstance(getattr(record, "event", None), Amiss):
            yield "lost"
        elif isinstance(record, Crash) and trace.role(record.node) not in ("disk", "list"):
            yield "crash"
        elif isinstance(record, Step):
            yield from (means.of(one.id).kind for one in record.sent)
            if any(isinstance(one, Decide) for one in record.effects[: record.done]):
                yield "knows"
