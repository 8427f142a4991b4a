"""The activity diagram of Static Paxos, in UML, from the transitions that the code really takes.

Nothing here knows the protocol. An action is a `case` that ran, a diamond is an event for which
several cases ran, an arrow is a message or a wait that one case asked for and another one answered.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal

from ..protocol.events import Decide, Propose
from ..trace import Trace
from . import clients, lanes, render
from .cases import Case, all_cases, watch, watched
from .lanes import Edge, Node, Sheet
from .story import Story, Transition, read
from .theme import Figure

Part = Literal["main", "retry"]
ROLES = ("proposer", "acceptor", "learner")
ROOM = {"proposer": 24, "acceptor": 20, "learner": 13}  # characters of a guard in one line
CONNECTORS = "The circles P and R lead to the other figure."
MOST = 16  # actions in one figure; more is a wall, not a picture


def transitions(traces: Iterable[Trace]) -> tuple[Transition, ...]:
    """The aggregated table, in the order of the roles and of their source."""
    story = read(traces)
    rows = [replace(one, count=count) for one, count in story.taken.items()]
    return tuple(sorted(rows, key=lambda row: (ROLES.index(row.case.role), row)))


def untaken(traces: Iterable[Trace]) -> list[str]:
    """The cases that no step of these runs took."""
    runs = tuple(traces)
    rules = watched(*{trace.header.protocol for trace in runs})
    for trace in runs:
        deque(watch(trace, rules), maxlen=0)
    every = (case for case in all_cases(rules) if case not in rules.taken)
    return [f"{case.role}: {case.label}" for case in every]


def dot(traces: Iterable[Trace], part: Part = "main") -> str:
    """The diagram as DOT text. Every position is in it; any graphviz draws it."""
    runs = tuple(traces)
    if of_lists(runs):
        sheet = clients.main(clients.read(runs)) if part == "main" else Sheet(clients.LANES)
    else:
        story = read(runs)
        if not story.taken:
            raise ValueError(
                "no steps: the diagram needs at least one run in which something happened"
            )
        sheet = {"main": _main, "retry": _retry}[part](story)
    actions = [node for node in sheet.nodes.values() if node.look.startswith("action")]
    if len(actions) > MOST:
        raise ValueError(f"{len(actions)} actions in one figure; more than {MOST} cannot be read")
    if not actions:
        raise ValueError(
            f"nothing for the part {part!r} happened in these runs; try more seeds or faults"
        )
    lanes.place(sheet)
    return lanes.dot(sheet, f"activity_{part}")


def of_lists(traces: Sequence[Trace]) -> bool:
    """Are these runs of a client and its lists? Then it is another diagram."""
    return bool(traces) and traces[0].header.protocol == "passive"


TITLES: dict[Part, str] = {
    "main": "What each role of Static Paxos does, step by step",
    "retry": "What each role of Static Paxos does when it is refused, hears nothing or crashes",
}


def figure(traces: Iterable[Trace], part: Part = "main") -> Figure:
    """The diagram, drawn. Needs the program `dot`."""
    runs = tuple(traces)
    title = clients.TITLE if of_lists(runs) else TITLES[part]
    return render.figure(dot(runs, part), title, description(runs, part))


def caption(traces: Iterable[Trace], part: Part = "main") -> str:
    """What the diagram was drawn from, in numbers, and what is not in it."""
    runs = tuple(traces)
    if of_lists(runs):
        return clients.caption(clients.read(runs))
    story = read(runs)
    drawn = f"Drawn from {story.steps:,} calls of `step` in {_plural(story.runs, 'run')}"
    if part == "main":
        idle = sorted(story.idle().items(), key=lambda pair: (-pair[1], pair[0]))
        parts = "; ".join(f"{case.role}, {case.label}: {count:,}" for case, count in idle)
        rest = f"{sum(count for _, count in idle):,} changed nothing and are not shown"
        how = "At a bar a counted answer waits for the one that completes the quorum."
        return f"{drawn}; {rest}{f' ({parts})' if idle else ''}. {how} {CONNECTORS}"
    again = [case for case in story.drawn() if story.retries(case)]
    counts = [f"{sum(story.taken[t] for t in story.of(case)):,} × {case.label}" for case in again]
    backs: Counter[str] = Counter()
    for back, many in story.backs.items():
        backs[back.role] += many
    counts += [f"{_plural(backs[role], role)} back from a crash" for role in ROLES if backs[role]]
    return f"{drawn}: {'; '.join(counts) or 'nothing was refused or repeated'}. {CONNECTORS}"


def description(traces: Iterable[Trace], part: Part = "main") -> str:
    """The diagram in words, for those who cannot see it: who does what, on which event, and when."""
    runs = tuple(traces)
    if of_lists(runs):
        return clients.description(clients.read(runs))
    story = read(runs)
    said = []
    for case in sorted(story.drawn(), key=lambda case: ROLES.index(case.role)):
        if story.retries(case) == (part == "retry"):
            guard = f" if {case.guard}" if case.guard else ""
            does = ", ".join(story.does(case)) or "no effect but to remember it"
            on = " or ".join(story.events(case))
            said.append(f"{case.role}, on {on}{guard}: {case.label} ({does})")
    if part == "retry":
        said += sorted(
            {f"{back.role} after a crash: comes back with {back.keeps}" for back in story.backs}
        )
    return f"Activity diagram with one lane for each role. {'. '.join(said)}."


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# The first figure: what happens when nothing goes wrong.


def _id(case: Case, what: str = "do") -> str:
    return f"{what}_{case.role}_{case.number}"


def _box(story: Story, case: Case, column: int = 0, row: int = 0) -> Node:
    """The action of a case: its comment, and what it asks for in order."""
    does = story.does(case)
    asks = [(what, len(list(same))) for what, same in groupby(effect.split()[0] for effect in does)]
    below = ", ".join(f"{what} ×{many}" if many > 1 else what for what, many in asks)
    words = f"{case.label}\n{below}" if below else case.label
    look = "action chosen" if "Decide" in does else "action"
    size = lanes.action(case.label, below)
    return Node(_id(case), look, ROLES.index(case.role), column, row, words, *size)


def _guard(case: Case, limit: int = 0, other: bool = True) -> tuple[str, ...]:
    """The guard in brackets, as UML wants it, in lines of about `limit` characters."""
    if not case.guard:
        return ("[else]",) if other else ()
    return lanes.wrapped(f"[{case.guard}]", limit or ROOM[case.role])


def _main(story: Story) -> Sheet:
    sheet = Sheet(ROLES)
    cases = story.drawn()
    doors: dict[tuple[str, str], str] = {}  # (role, event) -> where the arrow goes
    for role in ROLES:
        mine = [case for case in cases if case.role == role]
        for event in dict.fromkeys(event for case in mine for event in story.events(case)):
            if event in ("Timeout", "Refused"):
                continue
            group = [case for case in mine if event in story.events(case)]
            doors[role, event] = _choice(sheet, story, role, event, group)
    for case in cases:
        if _id(case) in sheet.nodes:
            _outgoing(sheet, story, case, doors)
    return sheet


def _choice(sheet: Sheet, story: Story, role: str, event: str, group: list[Case]) -> str:
    """One event and the cases that answer it: a diamond, if there is anything to decide."""
    lane, keep = ROLES.index(role), [case for case in group if not story.retries(case)]
    first = next((case for case in keep if not story.counts(case)), group[0])
    if event == Propose.__name__ or (len(group) == 1 and not first.guard):
        box = sheet.add(_box(story, first))
        if event == Propose.__name__:
            sheet.add(Node("start", "initial", lane, words=event))
            sheet.edges.append(Edge("start", box.name, "down", _guard(first, other=False)))
        return box.name
    door = sheet.add(Node(f"on_{role}_{event}", "decision", lane, width=30, height=30)).name
    aside = [case for case in keep if case is not first]
    if first in keep:
        _branches(sheet, story, door, first, aside)
    if len(keep) < len(group):
        out = Node(f"out_{role}_{event}", "connector", lane, len(aside) + 1, 0, "R", 20, 20)
        refuser = next(case for case in group if case not in keep)
        sheet.edges.append(Edge(door, sheet.add(out).name, "level", _guard(refuser, 10), drop=0))
    if story.rejoins(role, event):
        again = sheet.add(Node(f"again_{role}_{event}", "connector", lane, 0, 0, "P", 20, 20))
        sheet.edges.append(Edge(again.name, door, "down"))
    return door


def _branches(sheet: Sheet, story: Story, door: str, first: Case, aside: list[Case]) -> None:
    """The way straight on, through a bar if others wait for it; and those others."""
    waits = [case for case in aside if story.counts(case) and story.then[case, first]]
    sheet.add(_box(story, first))
    into = _id(first)
    if waits:
        bar = Node(f"join_{door}", "bar", ROLES.index(first.role), height=5)
        bar.spans = (door, *map(_id, waits))
        into = sheet.add(bar).name
        sheet.edges.append(Edge(into, _id(first), "down"))
    sheet.edges.append(Edge(door, into, "down", _guard(first)))
    for column, case in enumerate(aside, 1):
        sheet.add(_box(story, case, column))
        sheet.edges.append(Edge(door, _id(case), "side", _guard(case, 10)))
        if case in waits:
            sheet.edges.append(Edge(_id(case), into, "down"))


def _outgoing(sheet: Sheet, story: Story, case: Case, doors: dict[tuple[str, str], str]) -> None:
    """Where it goes from an action: to the end, or to those who get its messages."""
    lane, start = ROLES.index(case.role), _id(case)
    if story.done[case, Decide.__name__]:
        end = sheet.add(Node(_id(case, "end"), "final", lane, 0, 0, "●", 22, 22)).name
        sheet.edges.append(Edge(start, end, "down"))
    sends = [(door, many) for door, many in story.arrived(case).items() if door in doors]
    sends.sort(key=lambda one: ROLES.index(one[0][0]))
    level = len({role for (role, _), _ in sends}) > 1
    if level or any(many > 1 for _, many in sends):
        bar = Node(_id(case, "fork"), "bar", lane, width=72, height=5)
        if not level:
            bar = Node(_id(case, "fork"), "bar", lane, width=5, height=34, beside=start)
        sheet.edges.append(
            Edge(start, sheet.add(bar).name, "down" if level else "level", drop=int(level))
        )
        start = bar.name
    for (role, kind), many in sends:
        to = doors[role, kind]
        below = level or sheet.nodes[to].look != "decision"
        sheet.edges.append(
            Edge(
                start, to, "message", kind=kind.lower(), many=1 if below else many, drop=int(below)
            )
        )


# The second figure: refused, nobody answers, a crash.


def _retry(story: Story) -> Sheet:
    sheet = Sheet(ROLES, clear=18)
    cases = story.drawn()
    again = [case for case in cases if story.retries(case)]
    _patience(sheet, story, cases)
    for case in again:
        if case.role == "acceptor":
            sheet.add(Node("in_R", "connector", 1, 0, 1, "R", 20, 20))
            sheet.add(_box(story, case))
            sheet.edges.append(Edge("in_R", _id(case), "down"))
    _refused(sheet, story, again)
    _crash(sheet, story)
    return sheet


def _patience(sheet: Sheet, story: Story, cases: Sequence[Case]) -> None:
    """The waits for answers, and what happens when one is over."""
    late = next((case for case in cases if "Timeout" in story.events(case)), None)
    if late is None:
        return
    askers = [case for case in cases if story.waits[case, "answers", late] and case != late]
    for column, case in zip((1, 0, *range(2, MOST)), askers, strict=False):
        sheet.add(_box(story, case, column))
        sheet.add(Node("wait_answers", "time", 0, 1, 0, "wait: answers", 20, 24))
        sheet.edges.append(Edge(_id(case), "wait_answers", "down" if column == 1 else "drop"))
    sheet.add(_box(story, late))
    merge = sheet.add(Node("over", "decision", 0, width=26, height=26)).name
    if askers:
        sheet.edges.append(Edge("wait_answers", merge, "drop"))
    sheet.edges.append(Edge(merge, _id(late), "down", _guard(late, other=False)))
    _ask_again(sheet, _id(late), story.arrived(late))


def _ask_again(sheet: Sheet, start: str, sends: dict[tuple[str, str], int]) -> None:
    """A new ballot goes on as in the first figure, if an acceptor ever heard of it."""
    if sends:
        bar = sheet.add(Node(f"{start}_fork", "bar", 0, width=5, height=34, beside=start)).name
        sheet.edges.append(Edge(start, bar, "level", drop=0))
    for (role, kind), many in sends.items():
        out = Node(f"{start}_P", "connector", ROLES.index(role), 0, 0, "P", 20, 20)
        sheet.edges.append(
            Edge(bar, sheet.add(out).name, "message", kind=kind.lower(), many=many, drop=0)
        )


def _refused(sheet: Sheet, story: Story, again: Sequence[Case]) -> None:
    """A refusal reaches a proposer, who steps back."""
    heard = sorted({(it.case, case) for it, case in story.heard if it.kind == "Refused"})
    for refuser, case in heard:
        if refuser not in again or case not in again:
            continue
        box = sheet.add(_box(story, case))
        guard = _guard(case, other=False)
        sheet.edges.append(Edge(_id(refuser), box.name, "message", guard, "refused"))
        for effect in dict.fromkeys(story.does(case)):
            if effect.startswith("Wait") and story.done[case, effect]:
                _, why = effect.split()
                wait = Node(f"wait_{why}", "time", 0, 0, 0, f"wait: {why}", 20, 24)
                sheet.edges.append(Edge(box.name, sheet.add(wait).name, "down"))
                if any(story.waits[case, why, late] for late in again):
                    sheet.edges.append(Edge(wait.name, "over", "down"))


def _crash(sheet: Sheet, story: Story) -> None:
    """A crash may come at any moment; what the node comes back with was seen in the runs."""
    lanes.rows(sheet)
    base = max((node.row for node in sheet.nodes.values()), default=-1) + 1
    sheet.parts = [base] if base else []
    for lane, role in enumerate(ROLES):
        kept = story.keeps(role)
        if not kept:
            continue
        fall = sheet.add(Node(f"crash_{role}", "signal", lane, 0, base, "crash", 74, 26)).name
        words = f"come back\nwith {kept}"
        size = lanes.action("come back", f"with {kept}")
        back = sheet.add(Node(f"back_{role}", "action", lane, 0, base + 1, words, *size)).name
        sheet.edges.append(Edge(fall, back, "down"))
        first = min((case for case in story.again if case.role == role), default=None)
        if first:
            box = _box(story, first, 0, base + 2)
            box.name += "_again"
            sheet.edges.append(Edge(back, sheet.add(box).name, "down", _guard(first, other=False)))
            _ask_again(sheet, box.name, story.arrived(first, again=True))
