"""The activity diagram of a client of Passive Paxos, with a list beside it, from what runs did.

A client carries out what the proposer inside it asks for, and gives it the replies that it finds in
the lists. So an action is a `case` of the client, of the list, or of the proposer and the learner
inside the client; a row of diamonds asks in the order of the source.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ..protocol.events import Propose, Send, Timeout, Wait
from ..protocol.messages import Append
from ..trace import Trace
from . import lanes
from .cases import Back, Case, Seen, watch, watched
from .lanes import Edge, Node, Sheet

LANES = ("client", "list")
TITLE = "What a client of Passive Paxos and a list do, step by step"
INSIDE = ("proposer", "learner")  # parts of the client, on its lane
EVENT = re.compile(r"\b(Opened|Propose|Timeout|Promise|Accepted|Refused|Chosen|Appended|Entries)\b")


@dataclass
class Tale:
    """All that the runs tell."""

    ran: Counter[Case] = field(default_factory=Counter)  # and it mattered
    idle: Counter[Case] = field(default_factory=Counter)
    events: dict[Case, Counter[str]] = field(default_factory=dict)
    does: dict[Case, Counter[tuple[str, ...]]] = field(default_factory=dict)
    leads: Counter[tuple[Case, Case]] = field(default_factory=Counter)  # on to a part inside
    pairs: Counter[tuple[Case, Case]] = field(default_factory=Counter)  # in one step
    heard: Counter[tuple[Case, str, Case]] = field(
        default_factory=Counter
    )  # it arrived: the answer
    waits: Counter[tuple[Case, str, Case]] = field(default_factory=Counter)  # asked, why, was over
    runs: int = 0
    steps: int = 0

    def on(self, event: str) -> list[Case]:
        """The cases of the client or a list that answer an event, in their order."""
        return sorted(case for case in self.events if self.events[case][event] and self.ran[case])

    def inside(self, outer: Case | None, *events: str) -> list[Case]:
        """The parts' cases for such an event that a case led to. One told twice is shown once."""
        found = {its for one, its in self.leads if outer in (None, one) and event(its) in events}
        return sorted(
            (case for case in found if not self.told_by_another(case)),
            key=lambda case: (INSIDE.index(case.role), case),
        )

    def told_by_another(self, case: Case) -> bool:
        """Did it never run without a case of the learner that says the same?"""
        twins = (its for its in self.ran if (its.role, its.label) == ("learner", case.label))
        return case.role == "proposer" and any(
            self.pairs[case, twin] == self.ran[case] for twin in twins
        )

    def answer(self, case: Case) -> tuple[str, Case] | None:
        """What it sends, and who mostly takes it when nothing is amiss."""
        found = [
            (count, message, to)
            for (one, message, to), count in self.heard.items()
            if one == case and "Amiss" not in to.pattern
        ]
        return max(found)[1:] if found else None

    def effects(self, case: Case) -> tuple[str, ...]:
        """The effects of a case, in order (the most frequent list)."""
        return max(self.does[case].items(), key=lambda its: (its[1], its[0]))[0]


def event(case: Case) -> str:
    """The kind of event that a case is for, as its pattern says."""
    found = EVENT.search(case.pattern)
    return found[0] if found else ""


def read(traces: Iterable[Trace]) -> Tale:
    """Run every trace again and add up."""
    tale, rules = Tale(), watched("passive")
    for trace in traces:
        tale.runs += 1
        sent: dict[int, tuple[Case, str]] = {}
        asked: dict[str, tuple[Case, str]] = {}  # the last wait of each node
        for one in watch(trace, rules):
            if isinstance(one, Back):
                asked.pop(one.node, None)
                continue
            _add(tale, one, sent)
            if one.event == Timeout.__name__ and one.step.node in asked:
                tale.waits.update((*asked[one.step.node], its) for its in one.inner)
            for effect in one.step.effects[: one.step.done]:
                if isinstance(effect, Wait):
                    asked[one.step.node] = owner(one, effect), effect.why
    return tale


def _add(tale: Tale, one: Seen, sent: dict[int, tuple[Case, str]]) -> None:
    tale.steps += 1
    tale.events.setdefault(one.case, Counter())[one.event] += 1
    (tale.ran if one.busy else tale.idle)[one.case] += 1
    tale.ran.update(one.inner)
    tale.leads.update((one.case, its) for its in one.inner)
    tale.pairs.update({(a, b) for a in one.inner for b in one.inner})
    if one.step.received in sent:
        tale.heard[*sent[one.step.received], one.case] += 1
    owners = [(owner(one, effect), effect) for effect in one.step.effects]
    for case in {one.case, *one.inner}:
        does = tuple(told(effect) for its, effect in owners if its == case)
        tale.does.setdefault(case, Counter())[does] += 1
    said = {id(effect.message): its for its, effect in owners if isinstance(effect, Send)}
    for it in one.step.sent:
        sent[it.id] = said.get(id(it.message), one.case), told(Send(it.to, it.message)).lower()


def owner(one: Seen, effect: Any) -> Case:
    """Whose wish an effect is: a part's inside, if it asked for it or for what is in it."""
    entry = getattr(getattr(effect, "message", None), "entry", None)
    request = getattr(entry, "content", None)
    wanted = (effect, *([Send("acceptors", request)] if request else []))
    return next((case for case, its in reversed(one.said) if {*its} & {*wanted}), one.case)


def told(effect: Any) -> str:
    """An effect in a word or two."""
    match effect:
        case Send(_, Append(entry)):
            return f"Append {type(getattr(entry, 'content', entry)).__name__}"
        case Send(_, message):
            return type(message).__name__
        case Wait(why):
            return f"Wait {why}"
    return type(effect).__name__


# The first figure: a wish, and nothing in its way.


def main(tale: Tale) -> Sheet:
    """One request goes out and comes back by the list; then, what the answer is taken for."""
    sheet = Sheet(LANES)
    begin = min((case for case in tale.inside(None, Propose.__name__)), default=None)
    if begin is None:
        return sheet
    _box(sheet, tale, begin)
    sheet.add(Node("start", "initial", 0, words=Propose.__name__))
    sheet.edges.append(Edge("start", _id(begin), "down", _guard(begin, 30)))
    at, seen = begin, {begin}
    while (step := tale.answer(at)) and step[1] not in seen:
        message, to = step
        _box(sheet, tale, to)
        sheet.edges.append(
            Edge(_fork(sheet, tale, at), _id(to), "message", kind=message, over=True)
        )
        seen.add(to)
        at = to
    asked = tale.inside(at, "Promise", "Accepted")
    last = _chain(sheet, tale, at, asked)
    for case in asked:
        again = tale.answer(case)
        if again and again[1] in seen:
            _send(sheet, tale, case, "A")
            _join(sheet, again[1], "A")
    if tale.leads[at, begin]:  # the wish was kept
        last = _leave(sheet, begin, last or _id(at), "B")
        _join(sheet, begin, "B")
    for case in tale.inside(at, "Refused"):
        _chain(sheet, tale, at, [case], last)
        _again(sheet, tale, case)
    lanes.rows(sheet)
    for edge in sheet.edges:
        if edge.start.startswith("in_"):
            sheet.nodes[edge.start].row = sheet.nodes[edge.end].row
    return sheet


def _id(case: Case, what: str = "do") -> str:
    return f"{what}_{case.role}_{case.number}"


def _box(sheet: Sheet, tale: Tale, case: Case, column: int = 0) -> str:
    """The action of a case: its comment, and what it asks for in order."""
    asks = [(what, len(list(same))) for what, same in groupby(tale.effects(case))]
    below = ", ".join(f"{what} ×{many}" if many > 1 else what for what, many in asks)
    look = "action chosen" if "Decide" in tale.effects(case) else "action"
    words = f"{case.label}\n{below}" if below else case.label
    size = lanes.action(case.label, below)
    return sheet.add(Node(_id(case), look, _lane(case), column, 0, words, *size)).name


def _lane(case: Case) -> int:
    return LANES.index("client" if case.role in INSIDE else case.role)


def _guard(case: Case, limit: int) -> tuple[str, ...]:
    """The event of a case and its guard, in brackets."""
    words = " and ".join(filter(None, (event(case), case.guard)))
    return lanes.wrapped(f"[{words}]", limit)


def _fork(sheet: Sheet, tale: Tale, case: Case) -> str:
    """What a message leaves from: the action, or the bar beside it where it goes to many lists."""
    if max(Counter(tale.effects(case)).values(), default=0) < 2:
        return _id(case)
    bar = Node(_id(case, "fork"), "bar", _lane(case), width=5, height=34, beside=_id(case))
    if bar.name not in sheet.nodes:
        sheet.edges.append(Edge(_id(case), sheet.add(bar).name, "level", drop=0))
    return bar.name


def _again(sheet: Sheet, tale: Tale, case: Case) -> None:
    """A wait, and what was done when it was over."""
    for (one, why, late), _ in sorted(tale.waits.items()):
        if one == case and tale.answer(late):
            wait = sheet.add(
                Node(f"wait_{why}", "time", 0, words=f"wait: {why}", width=20, height=24)
            )
            sheet.edges.append(Edge(_id(case), wait.name, "down"))
            box = _box(sheet, tale, late)
            sheet.edges.append(Edge(wait.name, box, "down", _guard(late, 40)))
            _send(sheet, tale, late, "A")


def _chain(
    sheet: Sheet, tale: Tale, above: Case, cases: Sequence[Case], last: str | None = None
) -> str | None:
    """A diamond for each case, in order, and what it does beside it. Returns the last diamond."""
    before, way = last or _id(above), "down" if last else "side"
    for case in cases:
        door = Node(_id(case, "is"), "decision", 0, 1, 0, width=26, height=26).name
        sheet.add(Node(door, "decision", 0, 1, 0, width=26, height=26))
        sheet.edges.append(Edge(before, door, way))
        sheet.edges.append(Edge(door, _box(sheet, tale, case), "level", _guard(case, 24), drop=0))
        if "Decide" in tale.effects(case):
            end = sheet.add(Node(_id(case, "end"), "final", 0, -1, 0, "●", 22, 22)).name
            sheet.edges.append(Edge(_id(case), end, "level", drop=0))
        before, way = door, "down"
    return before if cases else None


def _join(sheet: Sheet, case: Case, letter: str) -> None:
    """Here goes on what left at this letter."""
    circle = sheet.add(Node(f"in_{letter}", "connector", _lane(case), 1, 0, letter, 20, 20))
    edge = Edge(circle.name, _id(case), "level", drop=0)
    sheet.edges += [edge] * (edge not in sheet.edges)


def _leave(sheet: Sheet, case: Case, before: str, letter: str) -> str:
    """A diamond for a case that is drawn where this letter stands. Returns the diamond."""
    door = sheet.add(Node(_id(case, "is"), "decision", 0, 1, 0, width=26, height=26)).name
    out = sheet.add(Node(_id(case, letter), "connector", 0, 0, 0, letter, 20, 20)).name
    sheet.edges.append(Edge(before, door, "down"))
    sheet.edges.append(Edge(door, out, "level", _guard(case, 24), drop=0))
    return door


def _send(sheet: Sheet, tale: Tale, case: Case, letter: str) -> None:
    """A message to a list, whose way is drawn where this letter stands."""
    answer = tale.answer(case)
    assert answer is not None
    out = sheet.add(Node(_id(case, letter), "connector", 1, 0, 0, letter, 20, 20)).name
    start = _fork(sheet, tale, case)
    sheet.edges.append(Edge(start, out, "message", kind=answer[0], drop=0, over=True))


# What is said about it.


def description(tale: Tale) -> str:
    """The diagram in words, for those who cannot see it."""
    said, sheet = [], main(tale)
    for case in sorted(tale.ran, key=lambda case: (_lane(case), case)):
        if _id(case) in sheet.nodes:
            guard = f" if {case.guard}" if case.guard else ""
            does = ", ".join(tale.effects(case)) or "no effect but to remember it"
            on = " or ".join(sorted(tale.events.get(case, ()))) or event(case)
            said.append(f"{case.role}, on {on}{guard}: {case.label} ({does})")
    return f"Activity diagram with one lane for a client and one for a list. {'. '.join(said)}."


def caption(tale: Tale) -> str:
    """What the diagram was drawn from, in numbers, and what is not in it."""
    doubled = sorted({case.label for case in tale.ran if tale.told_by_another(case)})
    shown, quiet = main(tale).nodes, sum(tale.idle.values())
    rest = [
        f"{tale.ran[case]:,} × {case.label}"
        for case in sorted(tale.ran, key=lambda case: (_lane(case), case))
        if _id(case) not in shown and not tale.told_by_another(case)
    ]
    said = [
        f"Drawn from {tale.steps:,} calls of `step` in {tale.runs:,} runs; {quiet:,} changed nothing",
        f"not shown: {', '.join(rest)}" if rest else "nothing else was done",
    ]
    if doubled:
        said.append(f"{' and '.join(doubled)}: the learner's, which the proposer inside does too")
    return f"{'; '.join(said)}. A letter in a circle goes on where it stands again."
