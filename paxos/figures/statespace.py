"""The map of a world: every state a place, every move an arrow. A larger world, row by row.

A place is read like a score: a row for each ballot, a column for each of the four steps.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from ..protocol.ballot import Ballot
from ..trace import bare, kind
from . import render
from .lanes import CODE, SMALL, escape
from .theme import KINDS, Drawing, Figure, text_width

STEPS = tuple(look for look in KINDS.values() if look.badge)
MOST = 60  # places in one figure; more is a tangle, not a map
LINE, PAD = 15.0, 8.0  # of a place: px from line to line, and from the text to the border
ROW, BAR = 18.0, 330.0  # of a bar: px from one to the next, and the longest

Move = tuple[int, str, int]  # from this place, what was sent, to that place


@dataclass(frozen=True, slots=True)
class Place:
    """One state of a world: what stands in it, on which row, and whether a value is chosen."""

    lines: tuple[str, ...]
    depth: int  # 1 for the first place, and 1 more for each move
    chosen: bool


class State(Protocol):
    """What the map needs to know of a state of the world."""

    @property
    def sent(self) -> Iterable[object]: ...  # every message sent on the way here
    @property
    def depth(self) -> int: ...
    @property
    def chosen(self) -> bool: ...


def places(states: Iterable[State]) -> list[Place]:
    """States of a world as places of its map, in the same order."""
    known = list(states)
    ballots = sorted({bare(message)[1].ballot for state in known for message in state.sent})
    return [Place(score(state.sent, ballots), state.depth, state.chosen) for state in known]


def score(messages: Iterable[object], ballots: Sequence[Ballot]) -> tuple[str, ...]:
    """What has been sent, as the lines of a place: for each ballot, the steps it has come to."""
    sent = {(bare(one)[1].ballot, kind(one)) for one in messages}
    return tuple(
        " ".join(look.badge if (ballot, look.name) in sent else "· " for look in STEPS)
        for ballot in ballots
    )


def dot(places: Sequence[Place], moves: Iterable[Move]) -> str:
    """The map as DOT text: a row for each depth, the first place on top, `dot` does the rest.

    Where the rules allow no move, the map has a gap, and `dot` must leave room for it.
    """
    arrows = tuple(dict.fromkeys(moves))
    _check(places, arrows)
    rows = sorted({place.depth for place in places})
    out = ["digraph map {", "  graph [nodesep=0.28, ranksep=0.42, outputorder=edgesfirst];"]
    out.append('  node [shape=box, fixedsize=true, fontname="Paxos Mono"];')
    out.append('  start [class=initial, label="start", width=0.2, height=0.2];')
    for depth in rows:
        here = [number for number, place in enumerate(places) if place.depth == depth]
        side = f'row{depth} [class=row, label="depth {depth}", width=0.7, height=0.3]; '
        out.append(f"  {{ rank=same; {side}{' '.join(_place(n, places[n]) for n in here)} }}")
    out += [f"  row{above} -> row{below} [style=invis];" for above, below in pairwise(rows)]
    out += [f"  p{start} -> p{end} [style=invis];" for start, end in gaps(places, arrows)]
    out.append(f"  start -> p{_first(places)} [class=flow];")
    out += [f"  p{start} -> p{end} [class={kind}];" for start, kind, end in arrows]
    return "\n".join([*out, "}\n"])


def gaps(places: Sequence[Place], moves: Iterable[Move]) -> list[tuple[int, int]]:
    """Places that look one step apart, and yet no move leads from the one to the other."""
    joined = {(start, end) for start, _, end in moves}
    return [
        (start, end)
        for start, one in enumerate(places)
        for end, other in enumerate(places)
        if other.depth == one.depth + 1
        and (start, end) not in joined
        and _one_more(one.lines, other.lines)
    ]


def figure(places: Sequence[Place], moves: Iterable[Move], title: str) -> Figure:
    """The map, drawn, with its legend. Needs the program `dot`."""
    arrows = tuple(dict.fromkeys(moves))
    used = {kind for _, kind, _ in arrows}
    legend = [name for name in KINDS if name in used]
    legend += ["chosen"] * any(place.chosen for place in places)
    return render.figure(dot(places, arrows), title, description(places, arrows), legend)


def description(places: Sequence[Place], moves: Sequence[Move]) -> str:
    """The map in words, for those who cannot see it."""
    many = Counter(kind for _, kind, _ in moves)
    by_kind = ", ".join(f"{many[name]} {name}" for name in KINDS if many[name])
    width = Counter(place.depth for place in places)
    rows = ", ".join(str(width[depth]) for depth in sorted(width))
    last = [n for n, place in enumerate(places) if n not in {start for start, _, _ in moves}]
    return (
        f"A map of {len(places)} states in {len(width)} rows of {rows}. {len(moves)} arrows, "
        f"each a message sent, lead from row to row: {by_kind}. A value is chosen in "
        f"{sum(place.chosen for place in places)} states. No arrow leads out of {len(last)}."
    )


def per_depth(counts: Sequence[int], chosen_counts: Sequence[int], title: str) -> Figure:
    """States on each depth of a world, and in gold those in which a value is chosen."""
    if len(counts) != len(chosen_counts) or not any(counts):
        raise ValueError("one count and one count of chosen for each depth, please")
    if any(not 0 <= few <= all_ for few, all_ in zip(chosen_counts, counts, strict=True)):
        raise ValueError("on some depth more states are chosen than there are")
    wide = max(text_width(word, SMALL) for word in ("* chosen", f"{max(counts):,}")) + 20
    start, height = 44 + 2 * wide + 12, 34 + ROW * len(counts) + 14
    sheet = Drawing(start + BAR + 4, height, title, _told(counts, chosen_counts))
    sheet.star(44 + 2 * wide - text_width("chosen", SMALL) - 12, 14, 7)
    for at, words in ((44, "depth"), (44 + wide, "states"), (44 + 2 * wide, "chosen")):
        sheet.text(at, 18, words, "muted", SMALL, "regular", "end")
    sheet.line(6, 26, start + BAR, 26)
    for number, (count, chosen) in enumerate(zip(counts, chosen_counts, strict=True)):
        base = 42 + number * ROW
        for at, words, colour in (
            (44, f"{number + 1}", "muted"),
            (44 + wide, f"{count:,}", "ink"),
            (44 + 2 * wide, f"{chosen:,}" if chosen else "–", "ink" if chosen else "muted"),
        ):
            sheet.text(at, base, words, colour, SMALL, "regular", "end")
        _bar(sheet, start, base - 11, count / max(counts), chosen / count if count else 0)
    return sheet.figure()


def _bar(sheet: Drawing, x: float, y: float, share: float, gold: float) -> None:
    """All states of a depth; the gold part are those in which a value is chosen."""
    length = max(share * BAR, 1.5)
    sheet.rect(x, y, length, ROW - 5, None, "lost", 1)
    if gold:
        sheet.rect(x, y, max(length * gold, 1.5), ROW - 5, None, "gold", 1)


def _told(counts: Sequence[int], chosen: Sequence[int]) -> str:
    rows = "; ".join(
        f"depth {number}: {count:,}, chosen in {few:,}"
        for number, (count, few) in enumerate(zip(counts, chosen, strict=True), 1)
    )
    return f"Bars: states on each depth, {sum(counts):,} in all. {rows}."


def _first(places: Sequence[Place]) -> int:
    return min(range(len(places)), key=lambda number: places[number].depth)


def _one_more(few: tuple[str, ...], more: tuple[str, ...]) -> bool:
    """Do these lines differ by one word, which was still to come?"""
    words = [" ".join(lines).split() for lines in (few, more)]
    changed = [old for old, new in zip(*words, strict=False) if old != new]
    return len(words[0]) == len(words[1]) and changed == ["·"]


def _place(number: int, place: Place) -> str:
    """A box for its text. Every size is said, because the fonts of `dot` are not ours."""
    wide = max((text_width(line, CODE, "mono") for line in place.lines), default=0) + 2 * PAD
    tall = LINE * len(place.lines) + 2 * PAD - 6
    look = f"place{' chosen' * place.chosen}"
    words = escape("\n".join(place.lines))
    size = f"width={wide / 72:.4f}, height={tall / 72:.4f}"
    return f'p{number} [class="{look}", label="{words}", {size}];'


def _check(places: Sequence[Place], moves: Sequence[Move]) -> None:
    """What cannot be drawn, or not be read, is the caller's mistake."""
    if not places:
        raise ValueError("no places: the map needs at least the first")
    if len(places) > MOST:
        raise ValueError(f"{len(places)} places in one map; more than {MOST} cannot be read")
    for start, what, end in moves:
        if not (0 <= start < len(places) and 0 <= end < len(places)):
            raise ValueError(f"a move from {start} to {end}, and only {len(places)} places")
        if what not in KINDS:
            raise ValueError(f"{what!r} is no kind of message; the kinds are {', '.join(KINDS)}")
