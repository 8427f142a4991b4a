"""Lists side by side: what came to stand in each, what the fold took, and what its readers see.

A list is a strip that is open below, where it grows. Entries stand in their order in that list; the
order between two lists is nobody's to know. An entry that the fold takes has a whole outline. One
that it refuses is dashed and crossed. One that never arrived has no number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..outcome import chosen
from ..protocol import lists
from ..protocol.events import Decide, Propose
from ..protocol.kinds import PROTOCOLS
from ..protocol.messages import Accept, Append, Prepare, Refused
from ..protocol.votes import Votes
from ..trace import Open, Step, Trace, bare, kind, text
from .theme import Drawing, Figure, fit, text_width, wrap

PAD, GAP = 6.0, 6.0  # px: around all, between two lists
HEAD, ENTRY, LINE = 36.0, 23.0, 14.0  # heights: of a name, of an entry, of a line of small text
LEAST, MOST, STEP = 76.0, 200.0, 4.0  # width of an entry; how far authors are apart
BADGE, SIGN = 26.0, 17.0  # room in an entry: for its badge, for a cross or a star
SMALL = 11.5
NARROW = 300.0  # the least width of a sheet
NEVER = "never arrived"


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry. `taken` by the fold, refused, or (None) it never arrived."""

    label: str
    author: str
    kind: str  # of `theme.KINDS`
    taken: bool | None = True
    chosen: bool = False
    note: str = ""  # a second, small line


@dataclass(frozen=True, slots=True)
class View:
    """What a reader saw in one list, and after how many of the entries that are drawn."""

    text: str
    upto: int


@dataclass(frozen=True, slots=True)
class Column:
    """One list. `views`: what each of its readers saw; a reader that is not named did not look."""

    name: str
    entries: tuple[Mark, ...] = ()
    views: Mapping[str, View] = field(default_factory=dict)


Told = Mapping[str, tuple[str, bool | None]]  # reader -> (words, true? None: it was told nothing)


@dataclass(frozen=True, slots=True)
class Room:
    """What is how wide, in px."""

    gutter: float  # for the numbers, left of a list
    entry: float
    indent: Mapping[str, float]  # by author

    @property
    def across(self) -> float:
        return self.entry + max(self.indent.values(), default=0)

    @property
    def pitch(self) -> float:
        return self.gutter + self.across + GAP


def columns(rows: Iterable[tuple[str, Iterable[Any], Mapping[str, Any]]]) -> tuple[Column, ...]:
    """Columns from plain tuples, each in the order of the fields above."""
    return tuple(
        Column(
            name,
            tuple(Mark(*one) for one in entries),
            {reader: View(*one) for reader, one in views.items()},
        )
        for name, entries, views in rows
    )


def draw(lists: Sequence[Column], told: Told, title: str) -> Figure:
    """The lists, and under them for each reader what it saw and what it was told."""
    space = room(lists)
    tall = max((height(one) for one in lists), default=0) + 12
    wide = max(2 * PAD + space.pitch * len(lists) - GAP + 2, NARROW)
    sheet = Drawing(wide, 0, title, describe(lists, told))
    for number, one in enumerate(lists):
        strip(sheet, one, PAD + space.pitch * number + space.gutter, space, tall)
    below = PAD + HEAD + tall + 12
    for reader, (words, true) in told.items():
        below = reading(sheet, lists, reader, below, space)
        below = verdict(sheet, words, true, below)
    sheet.height = legend(sheet, lists, told, below + 12) + 2
    return sheet.figure()


def room(lists: Sequence[Column]) -> Room:
    """As wide as the words of the entries ask for, within limits."""
    marks = [mark for one in lists for mark in one.entries]
    words = [text_width(mark.label, SMALL, "bold") + BADGE + SIGN + 1 for mark in marks]
    words += [text_width(note_of(mark), SMALL) + 14 for mark in marks]
    authors = list(dict.fromkeys(mark.author for mark in marks))
    step = min(STEP, 3 * STEP / max(len(authors) - 1, 1))
    most = max((len(one.entries) for one in lists), default=0)
    return Room(
        text_width(str(most), 11) + 7,
        min(max([LEAST, *words]), MOST),
        {author: step * number for number, author in enumerate(authors)},
    )


def note_of(mark: Mark) -> str:
    """The small line of an entry."""
    return mark.note or (NEVER if mark.taken is None else "")


def describe(lists: Sequence[Column], told: Told) -> str:
    """The same in words."""
    ends = {True: "", False: ", refused", None: f", {NEVER}"}
    out = []
    for one in lists:
        entries = (
            f"{mark.kind} {mark.label}{ends[mark.taken]}{', chosen' * mark.chosen}"
            for mark in one.entries
        )
        out.append(f"List {one.name}: {'; '.join(entries) or 'empty'}.")
    for reader, (words, true) in told.items():
        seen = (f"{one.views[reader].text} in {one.name}" for one in lists if reader in one.views)
        lie = ", which is not chosen" if true is False else ""
        out.append(f"{reader} reads {', '.join(seen) or 'nothing'}, and {words}{lie}.")
    return " ".join(out)


# One list.


def tall_of(mark: Mark) -> float:
    """The height of an entry, with the space below it."""
    return ENTRY + (LINE if note_of(mark) else 0) + 4


def height(one: Column) -> float:
    """The height of all entries of a list, and of what tells how far it was read."""
    stops = {view.upto for view in one.views.values()}
    return sum(map(tall_of, one.entries)) + (LINE + 4) * len(stops)


def strip(sheet: Drawing, one: Column, x: float, space: Room, tall: float) -> None:
    """One list with its entries."""
    y, across = PAD + HEAD, space.across
    sheet.rect(x - 4, PAD + 26, across + 8, y + tall - PAD - 26, None, "panel", 0)
    for side in (x - 4, x + across + 4):
        sheet.line(side, PAD + 26, side, y + tall, "muted", 1.4)
    sheet.line(x - 4, y + tall, x + across + 4, y + tall, "muted", 1.4, "2 4")
    head(sheet, x - 4, PAD, one.name, across + 8)
    number = 0
    for place in range(len(one.entries) + 1):
        readers = [who for who, view in one.views.items() if view.upto == place]
        if readers:
            stop(sheet, readers, x, y, across)
            y += LINE + 4
        if place < len(one.entries):
            mark = one.entries[place]
            if mark.taken is not None:
                number += 1
                sheet.text(x - 7, y + 15, str(number), "muted", 11, anchor="end")
            entry(sheet, mark, x + space.indent[mark.author], y, space.entry)
            y += tall_of(mark)


def head(sheet: Drawing, x: float, y: float, name: str, wide: float) -> None:
    """The shape of a list, and its name."""
    sheet.shape(x, y, wide, 26, "list")
    words = fit(name, wide - 28, 13, "bold")
    sheet.text(x + 5 + wide / 2, y + 17.6, words, "ink", 13, "bold", "middle")


def entry(sheet: Drawing, mark: Mark, x: float, y: float, wide: float) -> None:
    """One entry: taken, refused or lost."""
    tall = tall_of(mark) - 4
    look: dict[bool | None, tuple[str, str, str]] = {
        True: (mark.kind, "", "ink"),
        False: ("refused", "2 3", "muted"),
        None: ("lost", "1 4", "lost"),
    }
    stroke, dash, colour = look[mark.taken]
    sheet.rect(x, y, wide, tall, stroke, "paper" if mark.taken else None, 3, 1.5, dash)
    sheet.badge(x + 13, y + ENTRY / 2, mark.kind)
    words = fit(mark.label, wide - BADGE - SIGN, SMALL, "bold")
    sheet.text(x + BADGE, y + 15.4, words, colour, SMALL, "bold" if mark.taken else "regular")
    if mark.chosen:
        sheet.star(x + wide - 9, y + ENTRY / 2, 6)
    elif not mark.taken:
        sheet.cross(x + wide - 9, y + ENTRY / 2, size=3.6)
    if note := note_of(mark):
        sheet.text(x + 8, y + ENTRY + 8, fit(note, wide - 12, SMALL), colour, SMALL)


def stop(sheet: Drawing, readers: Sequence[str], x: float, y: float, across: float) -> None:
    """So far a list was read."""
    sheet.line(x - 4, y, x + across + 4, y, "ink", 1)
    words = fit(" and ".join(readers), across - 16, SMALL)
    arrow(sheet, x + 5, y)
    sheet.text(x + 13, y + 11, words, "ink", SMALL)


def arrow(sheet: Drawing, x: float, y: float) -> None:
    """It points at the end of what was read."""
    sheet.polygon([(x, y + 2), (x + 4, y + 9), (x - 4, y + 9)], None, "ink")


# What a reader makes of them.


def reading(sheet: Drawing, lists: Sequence[Column], reader: str, top: float, space: Room) -> float:
    """What a reader saw in each list. Returns the y below."""
    sheet.line(PAD, top, sheet.width - PAD, top, "line", 1)
    wide = text_width(reader, 13, "bold") + 22
    sheet.node(PAD + wide / 2 + 1, top + 22, reader, "client")
    sheet.text(PAD + wide + 10, top + 26.4, "reads", "muted", 12)
    rows = 1
    for number, one in enumerate(lists):
        view = one.views.get(reader)
        lines = wrap(view.text, space.across, 12, "bold") if view else ["–"]
        middle = PAD + space.pitch * number + space.gutter + space.across / 2
        rows = max(rows, len(lines))
        for row, words in enumerate(lines):
            look = ("ink", 12, "bold") if view else ("muted", 12, "regular")
            sheet.text(middle, top + 54 + 16 * row, words, *look, anchor="middle")
    return top + 54 + 16 * (rows - 1)


def verdict(sheet: Drawing, words: str, true: bool | None, top: float) -> float:
    """What it was told, and is it so? Returns the y below."""
    left, font = PAD + (22 if true is not None else 4), "bold" if true else "regular"
    words += ": not chosen" if true is False else ""
    lines = wrap(words, sheet.width - left - PAD, 13, font)
    if true is not None:
        sheet.knows(PAD + 8, top + 20)
    if true is False:
        sheet.rect(PAD, top + 12, 16, 16, "refused", None, 8, 2.4)
    for row, line in enumerate(lines):
        colour = "refused" if true is False else "ink" if true else "muted"
        sheet.text(left, top + 24.5 + 17 * row, line, colour, 13, font)
    return top + 24.5 + 17 * (len(lines) - 1) + 12


def legend(sheet: Drawing, lists: Sequence[Column], told: Told, top: float) -> float:
    """What is in the figure, from the tables that draw it."""
    marks = [mark for one in lists for mark in one.entries]
    names = [kind for kind in ("prepare", "accept") if any(m.kind == kind for m in marks)]
    names += ["refused"] * any(mark.taken is False for mark in marks)
    names += ["lost"] * any(mark.taken is None for mark in marks)
    names += ["chosen"] * any(mark.chosen for mark in marks)
    names += ["knows"] * any(true is not None for _, true in told.values())
    sheet.line(PAD, top - 12, sheet.width - PAD, top - 12, "line", 1)
    below = sheet.legend(PAD, top + 4, names, sheet.width - 2 * PAD)
    if any(one.views for one in lists):
        arrow(sheet, PAD + 7, below - 2)
        sheet.text(PAD + 18, below + 7, "so far it was read", "muted", 12)
        below += 16
    return below


# From a trace.


def of_trace(trace: Trace, at: int | None = None, readers: Sequence[str] | None = None) -> Figure:
    """The lists of a run of Passive Paxos, at its end or as they were at a moment.

    `readers`: whose views are drawn; those who asked for something, unless given.
    """
    now = replace(trace, records=tuple(r for r in trace.records if at is None or r.at <= at))
    asked = (one.node for one in now.steps() if isinstance(one.event, Propose))
    wanted = list(dict.fromkeys(asked)) if readers is None else list(readers)
    columns = [column(now, name, wanted) for name in trace.of("list")]
    return draw(columns, {who: outcome(now, who) for who in wanted}, "What stands in the lists")


def column(trace: Trace, name: str, readers: Iterable[str]) -> Column:
    """One list of a run: each append to it, as the fold takes it."""
    blank = PROTOCOLS[trace.header.protocol].memory()
    won = {(one.slot, one.proposal) for one in chosen(trace)}
    view, marks, places = lists.View(lists.Genesis("", ()), blank), [], []
    for thing, arrived in appends(trace, name):
        if isinstance(thing, lists.Genesis):
            view = replace(view, genesis=thing)
        elif not arrived:
            marks.append(mark(trace, thing, None))
        view, replies = lists.read(view, view.end, (thing,)) if arrived else (view, None)
        if replies is not None and not isinstance(thing, lists.Genesis):
            refused = not replies or isinstance(bare(replies[0])[1], Refused)
            new = mark(trace, thing, not refused)
            slot, content = bare(getattr(thing, "content", None))
            said = new.note or ("" if replies else "repeated")
            new = replace(new, chosen=not refused and (slot, content) in won, note=said)
            marks.append(new)
        places += [len(marks)] * arrived  # how many are drawn once so many things stand there
    seen = {who: client(trace, who).view(name) for who in readers}
    views = {
        who: View(vote_in(trace, one), places[one.end - 1])
        for who, one in seen.items()
        if one.things
    }
    return Column(name, tuple(marks), views)


def appends(trace: Trace, name: str) -> Iterator[tuple[Any, bool]]:
    """What was to be added to a list, in order, and whether it was."""
    before: tuple[Any, ...] = ()
    for record in trace.records:
        if getattr(record, "node", "") != name:
            continue
        things = getattr(getattr(record, "state", None), "things", before)
        yield from ((one, True) for one in things[len(before) :])
        before = things
        match record:
            case Step(event=lists.Amiss(Append(thing))):
                yield thing, False


def mark(trace: Trace, thing: Any, taken: bool | None) -> Mark:
    """An entry of a run."""
    if not isinstance(thing, lists.Entry):
        return Mark("not ours", "", "lost", False)
    slot, content = bare(thing.content)
    if not isinstance(content, Prepare | Accept):
        return Mark("newer version", "", "lost", False)
    label, note = trace.short(content.ballot), ""
    if isinstance(content, Accept) and slot is None:
        label = f"{label} {text(content.value)}"
    elif isinstance(content, Accept):
        label, note = f"#{slot} {label}", text(content.value)
    author = trace.names.get(thing.author, thing.author[:6])
    return Mark(label, author, kind(thing.content), taken, note=note)


def client(trace: Trace, who: str) -> Any:
    """The last state of a client."""
    states = (one for one in trace.records if isinstance(one, Open | Step) and one.node == who)
    return [one.state for one in states][-1]


def vote_in(trace: Trace, view: lists.View) -> str:
    """The vote that a reader finds in a list: the last one of a log."""
    memory = view.memory
    if isinstance(memory, Votes):
        says = [
            f"#{slot} {trace.short(vote.ballot)} {text(vote.value)}" for slot, vote in memory.votes
        ]
        return says[-1] if says else "no vote"
    last = getattr(memory, "vote", None)
    return f"{trace.short(last.ballot)} {text(last.value)}" if last else "no vote"


def outcome(trace: Trace, who: str) -> tuple[str, bool | None]:
    """What a client was told."""
    won = {(one.slot, one.proposal.value) for one in chosen(trace)}
    steps = [one for one in trace.steps() if one.node == who]
    told = [one for step in steps for one in step.effects[: step.done] if isinstance(one, Decide)]
    if not told:
        return "is told nothing yet", None
    values = ", ".join(dict.fromkeys(text(one.value) for one in told))  # told again after a crash
    return f"is told {values}", all(bare(one.value) in won for one in told)
