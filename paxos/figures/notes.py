"""The words on the left of a space-time diagram, each at its moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..outcome import broken, chosen
from ..protocol.events import Decide, Distrust, Propose, Timeout
from ..protocol.lists import Amiss
from ..protocol.messages import Accept, Prepare
from ..trace import Crash, Cut, Heal, Open, Step, Trace, bare, text
from .parting import Parting
from .theme import Drawing, wrap
from .words import Sense, Senses, senses

NOTE, LINE = 152.0, 15.0  # the width of the words; the height of a line


@dataclass(frozen=True)
class Note:
    """A line in words, beside the moment it speaks of."""

    at: int
    words: str
    badge: str = ""
    mark: str = ""  # star, knows or wrong


def told(trace: Trace, wrong: Parting | None = None) -> Iterator[Note]:
    """What happened, in words; who was told what only where not all of it is true."""
    lies, means, instants = bool(broken(trace)), senses(trace), chosen(trace)
    online, known = dict[str, bool](), set[Any]()
    for index, record in enumerate(trace.records):
        match record:
            case Crash(at, node) if trace.role(node) in ("disk", "list"):
                yield Note(at, f"{node} is out of reach")
            case Crash(at, node):
                yield Note(at, f"{node} crashes")
            case Open(at, node) if node in online:
                yield Note(at, f"{node} is back")
            case Cut(at, groups):
                yield Note(at, "network splits: " + " | ".join(" ".join(group) for group in groups))
            case Heal(at):
                yield Note(at, "network is whole again")
            case Step():
                yield from wishes(record, means, online.get(record.node, False))
                yield from amiss(record, means.heard.get(index))
                yield from asked(trace, record, means, known)
                yield from heard(record) if lies else ()
        if isinstance(record, Open | Step):
            online[record.node] = getattr(record.state, "online", False)
        if wrong and index == wrong.number and isinstance(record, Open | Step):
            yield Note(record.at, f"the rule for {record.node}: {wrong.rule}", mark="wrong")
        for one in (one for one in instants if one.index == index):
            where = "" if one.slot is None else f" in slot {one.slot}"
            words = f"{text(one.proposal.value)} is {one.news}{where}, in {trace.short(one.proposal.ballot)}"
            yield Note(one.at, words, mark="star")


def wishes(step: Step, means: Senses, online: bool) -> Iterator[Note]:
    """What a user wants, and whether a client can do it."""
    if isinstance(step.event, Propose):
        waits = getattr(step.state, "wishes", ()) and ", and must wait"
        yield Note(step.at, f"{step.node} wants {step.event.value}{waits or ''}")
    if getattr(step.state, "online", online) != online:
        yield Note(step.at, f"{step.node} is {'offline' if online else 'online'}")
    asks = any(means.of(one.id).kind == "prepare" for one in step.sent)
    if isinstance(step.event, Timeout) and asks:
        yield Note(step.at, f"{step.node} tries again")


def amiss(step: Step, mean: Sense | None) -> Iterator[Note]:
    """What is wrong with a list, and who noticed."""
    if mean and isinstance(step.event, Amiss):
        yield Note(step.at, f"{step.node} {mean.words}")
    for effect in step.effects[: step.done]:
        if isinstance(effect, Distrust):
            yield Note(step.at, f"{step.node} uses {effect.name} no more: {effect.why}")


def asked(trace: Trace, step: Step, means: Senses, known: set[Any]) -> Iterator[Note]:
    """The two questions that a proposer asks, of whoever remembers: once, if it asks again."""
    said = dict.fromkeys(one for its in step.sent for one in means.of(its.id).said)
    for one in [one for one in said if (step.node, one) not in known]:
        known.add((step.node, one))
        slot, message = bare(one)
        where = "" if slot is None else f", slot {slot}"
        match message:
            case Prepare(ballot):
                yield Note(step.at, f"{step.node} prepares {trace.short(ballot)}{where}", "prepare")
            case Accept(ballot, value):
                words = f"{step.node} asks for {text(value)}, {trace.short(ballot)}{where}"
                yield Note(step.at, words, "accept")


def heard(step: Step) -> Iterator[Note]:
    """What the user is told."""
    for effect in step.effects[: step.done]:
        if isinstance(effect, Decide):
            yield Note(step.at, f"{step.node} is told {text(effect.value)}", mark="knows")


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
