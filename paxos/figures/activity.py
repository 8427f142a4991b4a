"""The activity diagram of Static Paxos, in UML, from the transitions that the code really takes.

Nothing here knows the protocol. An action is a `case` that ran, a diamond is an event for which
several cases ran, an arrow is a message or a wait that one case asked for and another one answered.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..protocol.messages import Decide, Propose, Send, Wait
from ..trace import Trace
from . import lanes
from .cases import Back, Case, Seen, all_cases, event_name, phase, watch, watched
from .lanes import Edge, Node, Sheet
from .theme import text_width

Part = Literal["main", "retry"]
ROLES = ("proposer", "acceptor", "learner")
MOST = 16  # actions in one figure; more is a wall, not a picture


@dataclass(frozen=True, slots=True)
class Transition:
    """What a role did, and how often."""

    case: Case
    event: str
    before: str  # the phase
    effects: tuple[str, ...]
    after: str
    changed: bool  # did the state change at all?
    count: int = 0


@dataclass
class Story:
    """All that the runs tell: the table, who sends what to how many, and who came back how."""

    taken: Counter[Transition] = field(default_factory=Counter)
    sends: dict[tuple[Case, str, str], int] = field(default_factory=dict)  # -> most at once
    backs: Counter[Back] = field(default_factory=Counter)
    runs: int = 0

    @property
    def steps(self) -> int:
        return self.taken.total()

    def idle(self) -> Counter[Case]:
        """Steps of the cases that never have an effect and never change anything."""
        busy = {one.case for one in self.taken if one.effects or one.changed}
        found: Counter[Case] = Counter()
        for one, count in self.taken.items():
            if one.case not in busy:
                found[one.case] += count
        return found

    def drawn(self) -> list[Case]:
        idle = self.idle()
        return sorted({one.case for one in self.taken} - idle.keys())

    def of(self, case: Case) -> list[Transition]:
        return [one for one in self.taken if one.case == case]

    def events(self, case: Case) -> list[str]:
        return sorted({one.event for one in self.of(case)})

    def does(self, case: Case) -> tuple[str, ...]:
        """The effects of a case, in order (the longest list, if they differ)."""
        return max((one.effects for one in self.of(case)), key=lambda them: (len(them), them))

    def waits(self, case: Case) -> bool:
        """Does it only count, and leave the phase as it was?"""
        return all(not one.effects and one.before == one.after for one in self.of(case))

    def retries(self, case: Case) -> bool:
        """Does it belong to the second figure: a wait that is over, or a request refused?"""
        sent = {kind for its, kind, _ in self.sends if its == case}
        return sent == {"Refused"} or set(self.events(case)) <= {"Timeout", "Refused"}


def read(traces: Iterable[Trace]) -> Story:
    """Run every trace again and add up."""
    story, rules = Story(), watched()
    for trace in traces:
        story.runs += 1
        for one in watch(trace, rules):
            if isinstance(one, Back):
                story.backs[one] += 1
            else:
                _add(story, one, trace)
    return story


def _add(story: Story, one: Seen, trace: Trace) -> None:
    step = one.step
    effects = tuple(map(_told, step.effects))
    changed = step.state != one.before
    story.taken[
        Transition(one.case, one.event, phase(one.before), effects, phase(step.state), changed)
    ] += 1
    fan = Counter((event_name(sent.message), trace.role(sent.to)) for sent in step.sent)
    for (kind, role), many in fan.items():
        key = one.case, kind, role
        story.sends[key] = max(many, story.sends.get(key, 0))


def _told(effect: object) -> str:
    """An effect in a word or two."""
    match effect:
        case Send(_, message):
            return f"Send {type(message).__name__}"
        case Wait(why):
            return f"Wait {why}"
    return type(effect).__name__


def transitions(traces: Iterable[Trace]) -> tuple[Transition, ...]:
    """The aggregated table, in the order of the roles and of their source."""
    story = read(traces)
    rows = [
        Transition(t.case, t.event, t.before, t.effects, t.after, t.changed, count)
        for t, count in story.taken.items()
    ]
    key = [
        (ROLES.index(t.case.role), t.case.number, t.event, t.before, t.effects, t.after)
        for t in rows
    ]
    return tuple(
        row
        for _, row in sorted(
            zip(key, rows, strict=True), key=lambda pair: (pair[0], pair[1].changed)
        )
    )


def untaken(traces: Iterable[Trace]) -> list[str]:
    """The cases that no step of these runs took."""
    taken = {one.case for one in read(traces).taken}
    return [f"{case.role}: {case.label}" for case in all_cases(watched()) if case not in taken]


def dot(traces: Iterable[Trace], part: Part = "main") -> str:
    """The diagram as DOT text. Every position is in it; any graphviz draws it."""
    story = read(traces)
    if not story.taken:
        raise ValueError("no steps: the diagram needs at least one run in which something happened")
    sheet = {"main": _main, "retry": _retry}[part](story)
    actions = [node for node in sheet.nodes.values() if node.look.startswith("action")]
    if len(actions) > MOST:
        raise ValueError(f"{len(actions)} actions in one figure; more than {MOST} cannot be read")
    lanes.place(sheet)
    return lanes.dot(sheet, f"activity_{part}")


def caption(traces: Iterable[Trace], part: Part = "main") -> str:
    """What the diagram was drawn from, in numbers, and what is not in it."""
    story = read(traces)
    drawn = f"Drawn from {story.steps:,} steps of {_plural(story.runs, 'run')}."
    if part == "main":
        idle = sorted(story.idle().items(), key=lambda pair: (-pair[1], pair[0]))
        parts = ", ".join(f"{count:,} {case.role} '{case.label}'" for case, count in idle)
        rest = f" {sum(count for _, count in idle):,} steps changed nothing and are not shown"
        return drawn + rest + (f": {parts}." if idle else ".")
    again = [case for case in story.drawn() if story.retries(case)]
    counts = [
        f"'{case.label}' ran {sum(story.taken[t] for t in story.of(case)):,} times"
        for case in again
    ]
    backs: Counter[str] = Counter()
    for back, many in story.backs.items():
        backs[back.role] += many
    counts += [
        f"{_plural(backs[role], role)} came back from a crash" for role in ROLES if backs[role]
    ]
    return (
        f"{drawn} {'; '.join(counts)}." if counts else f"{drawn} Nothing was refused or repeated."
    )


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# The first figure: what happens when nothing goes wrong.


def _id(case: Case, what: str = "do") -> str:
    return f"{what}_{case.role}_{case.number}"


def _box(story: Story, case: Case, column: int = 0, row: int = 0) -> Node:
    """The action of a case: its comment, and what it asks for in order."""
    does = story.does(case)
    below = ", ".join(effect.split()[0] for effect in does)
    words = f"{case.label}\n{below}" if below else case.label
    look = "action chosen" if "Decide" in does else "action"
    size = lanes.action(case.label, below)
    return Node(_id(case), look, ROLES.index(case.role), column, row, words, *size)


def _guard(case: Case, limit: float = 160, other: bool = True) -> tuple[str, ...]:
    """The guard in brackets, as UML wants it, in lines no longer than `limit`."""
    if not case.guard:
        return ("[else]",) if other else ()
    lines = [""]
    for word in f"[{case.guard}]".replace(" and ", " and\0").replace("(", "(\1").split("\0"):
        lines = _wrap(lines, word, limit)
    return tuple(line.replace("\1", "") for line in lines)


def _wrap(lines: list[str], words: str, limit: float) -> list[str]:
    """Add words: to the last line if they fit, else on a new one, else word by word."""

    def fits(line: str) -> bool:
        return text_width(line.replace("\1", ""), lanes.GUARD, "mono") <= limit

    *done, last = lines
    if fits(f"{last} {words}".strip()):
        return [*done, f"{last} {words}".strip()]
    if last:
        done.append(last)
    if fits(words):
        return [*done, words]
    for cut in (" ", "\1"):
        if cut in words:
            head, _, tail = words.rpartition(cut)
            return _wrap(_wrap([*done, ""], head, limit), tail, limit)
    return [*done, words]


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
    """One event and the cases that may answer it: a diamond, if there are several."""
    lane, keep = ROLES.index(role), [case for case in group if not story.retries(case)]
    if len(group) == 1:
        box = sheet.add(_box(story, group[0]))
        if event == Propose.__name__:
            sheet.add(Node("start", "initial", lane, words=event))
            sheet.edges.append(Edge("start", box.name, "down", _guard(group[0], other=False)))
        return box.name
    door = sheet.add(Node(f"on_{role}_{event}", "decision", lane, width=30, height=30)).name
    straight = next((case for case in keep if not story.waits(case)), None)
    aside = [case for case in keep if case is not straight]
    waits = [case for case in aside if story.waits(case)]
    if straight:
        sheet.add(_box(story, straight))
        into = _id(straight)
        if waits:
            into = sheet.add(Node(f"join_{role}_{event}", "bar", lane, height=5)).name
            sheet.nodes[into].spans = (door, *map(_id, waits))
            sheet.edges.append(Edge(into, _id(straight), "down"))
        sheet.edges.append(Edge(door, into, "down", _guard(straight)))
        for column, case in enumerate(aside, 1):
            sheet.add(_box(story, case, column))
            sheet.edges.append(Edge(door, _id(case), "side", _guard(case, 80)))
            if case in waits:
                sheet.edges.append(Edge(_id(case), into, "down"))
    for case in group:
        if case not in keep:
            out = Node(f"out_{role}_{event}", "connector", lane, len(aside) + 1, 0, "R", 20, 20)
            sheet.edges.append(Edge(door, sheet.add(out).name, "level", _guard(case, 80), drop=0))
    if role == "acceptor" and event == "Prepare" and len(keep) < len(group):
        sheet.add(Node("again", "connector", lane, 0, 0, "P", 20, 20))
        sheet.edges.append(Edge("again", door, "down"))
    return door


def _outgoing(sheet: Sheet, story: Story, case: Case, doors: dict[tuple[str, str], str]) -> None:
    """Where it goes from an action: to the end, or to those who get its messages."""
    lane, start = ROLES.index(case.role), _id(case)
    if Decide.__name__ in story.does(case):
        end = sheet.add(Node(_id(case, "end"), "final", lane, width=20, height=20)).name
        sheet.edges.append(Edge(start, end, "down"))
    sends = [(kind, role, many) for (its, kind, role), many in story.sends.items() if its == case]
    sends.sort(key=lambda one: ROLES.index(one[1]))
    sends = [one for one in sends if (one[1], one[0]) in doors]
    level = len({role for _, role, _ in sends}) > 1
    if level or any(many > 1 for *_, many in sends):
        bar = Node(_id(case, "fork"), "bar", lane, width=72, height=5)
        if not level:
            bar = Node(_id(case, "fork"), "bar", lane, width=5, height=34, beside=start)
        sheet.edges.append(
            Edge(start, sheet.add(bar).name, "down" if level else "level", drop=int(level))
        )
        start = bar.name
    for kind, role, many in sends:
        to = doors[role, kind]
        sheet.edges.append(
            Edge(
                start, to, "message", kind=kind.lower(), many=1 if level else many, drop=int(level)
            )
        )


# The second figure: refused, nobody answers, a crash.


def _retry(story: Story) -> Sheet:
    sheet = Sheet(ROLES)
    cases = story.drawn()
    again = [case for case in cases if story.retries(case)]
    _patience(sheet, story, cases)
    for case in again:
        if case.role == "acceptor":
            sheet.add(Node("in_R", "connector", 1, 0, 1, "R", 20, 20))
            sheet.add(_box(story, case))
            sheet.edges.append(Edge("in_R", _id(case), "down"))
    for case in again:
        for its, kind, role in story.sends:
            if its == case and kind == "Refused":
                _refused(sheet, story, case, role)
    _crash(sheet, story, cases)
    return sheet


def _patience(sheet: Sheet, story: Story, cases: Sequence[Case]) -> None:
    """The waits, and what happens when one is over."""
    late = next((case for case in cases if "Timeout" in story.events(case)), None)
    if late is None:
        return
    askers = [case for case in cases if "Wait answers" in story.does(case) and case != late]
    for column, case in enumerate(askers):
        sheet.add(_box(story, case, column))
        sheet.add(Node("wait_answers", "time", 0, 0, 0, "wait answers", 20, 24))
        way = "drop" if column else "down"
        sheet.edges.append(Edge(_id(case), "wait_answers", way))
    sheet.add(_box(story, late))
    merge = sheet.add(Node("over", "decision", 0, width=26, height=26)).name
    if askers:
        sheet.edges.append(Edge("wait_answers", merge, "down"))
    sheet.edges.append(Edge(merge, _id(late), "down", _guard(late, other=False)))
    bar = sheet.add(Node(_id(late, "fork"), "bar", 0, width=5, height=34, beside=_id(late))).name
    sheet.edges.append(Edge(_id(late), bar, "level", drop=0))
    for kind, role in sorted({(kind, role) for its, kind, role in story.sends if its == late}):
        out = sheet.add(Node("out_P", "connector", ROLES.index(role), 0, 0, "P", 20, 20)).name
        many = story.sends[late, kind, role]
        sheet.edges.append(Edge(bar, out, "message", kind=kind.lower(), many=many, drop=0))


def _refused(sheet: Sheet, story: Story, refuser: Case, role: str) -> None:
    """A refusal reaches a proposer, who steps back."""
    for case in story.drawn():
        if case.role == role and "Refused" in story.events(case):
            box = sheet.add(_box(story, case, 1))
            guard = _guard(case, 210, other=False)
            sheet.edges.append(Edge(_id(refuser), box.name, "message", guard, "refused"))
            for effect in story.does(case):
                if effect.startswith("Wait"):
                    wait = Node("wait_rival", "time", 0, 1, 0, effect.lower(), 20, 24)
                    sheet.edges.append(Edge(box.name, sheet.add(wait).name, "down"))
                    sheet.edges.append(Edge(wait.name, "over", "drop"))


def _crash(sheet: Sheet, story: Story, cases: Sequence[Case]) -> None:
    """A crash may come at any moment; what the node comes back with was seen in the runs."""
    lanes.place(sheet)
    base = max((node.row for node in sheet.nodes.values()), default=-1) + 1
    for lane, role in enumerate(ROLES):
        keeps = {back.keeps for back in story.backs if back.role == role}
        if not keeps:
            continue
        kept = min(keeps - {"nothing"}, default="nothing")
        fall = sheet.add(Node(f"crash_{role}", "signal", lane, 0, base, "crash", 74, 26)).name
        words = f"come back\nwith {kept}"
        size = lanes.action("come back", f"with {kept}")
        back = sheet.add(Node(f"back_{role}", "action", lane, 0, base + 1, words, *size)).name
        sheet.edges.append(Edge(fall, back, "down"))
        first = next((c for c in cases if c.role == role and "Propose" in story.events(c)), None)
        if first:
            box = _box(story, first, 0, base + 2)
            box.name += "_again"
            sheet.edges.append(Edge(back, sheet.add(box).name, "down", _guard(first, other=False)))
    sheet.x.clear()
    sheet.y.clear()
    sheet.borders.clear()
