"""Which `case` of a role's `step` ran: read from the source, and seen by running it again.

`step` is pure, so a trace is all it takes: give a node its events once more and it does the same.
The copy that runs here is compiled from the same source with one call at the head of every case,
so no tracer is needed and a debugger or a coverage tool is not disturbed.
"""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

from ..protocol import messages
from ..protocol.events import Answer, Propose, Send, Timeout, Wait
from ..protocol.kinds import PROTOCOLS
from ..trace import Crash, Open, Step, Trace

Rule = Callable[[Any, Any], tuple[Any, tuple[Any, ...]]]
MARK = "__case__"


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One rule of a role: its place in the `match`, and what the source says about it."""

    role: str
    number: int
    label: str  # the comment on its line
    guard: str  # as in the source, without the name of the state
    pattern: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of a node, and the case that made it."""

    case: Case
    event: str
    before: Any
    step: Step

    @property
    def busy(self) -> bool:
        return bool(self.step.effects) or self.step.state != self.before


@dataclass(frozen=True, slots=True)
class Back:
    """A node that came back from a crash, and what it came back with."""

    node: str
    role: str
    keeps: str


class Watched:
    """A `step` that tells which of its cases ran. `passes`: the messages of its protocol."""

    def __init__(self, role: str, rule: Rule, passes: Any = messages.Message) -> None:
        source, tree, body, match = _source(role, rule)
        self.cases = tuple(_cases(role, source, body.args.args[0].arg, match))
        self.foreign = {
            case
            for case, its in zip(self.cases, match.cases, strict=True)
            if (named := _messages(its.pattern)) and not named & set(get_args(passes))
        }
        self.ran: list[int] = []
        for number, case in enumerate(match.cases):
            mark = ast.Call(ast.Name(MARK, ast.Load()), [ast.Constant(number)], [])
            case.body.insert(0, ast.Expr(mark))
        body.returns, body.decorator_list = None, []
        for argument in body.args.args:
            argument.annotation = None
        names = {**getattr(rule, "__globals__", {}), MARK: self.ran.append}
        exec(compile(ast.fix_missing_locations(tree), "<step, watched>", "exec"), names)
        self.rule: Rule = names[body.name]

    def step(self, state: Any, event: Any) -> tuple[Case, tuple[Any, tuple[Any, ...]]]:
        self.ran.clear()
        result = self.rule(state, event)
        return self.cases[self.ran[0]], result


def _source(role: str, rule: Rule) -> tuple[str, ast.Module, ast.FunctionDef, ast.Match]:
    """The text of a `step`, its tree, and the one `match` in it."""
    try:
        source = textwrap.dedent(inspect.getsource(rule))
        tree = ast.parse(source)
    except (OSError, SyntaxError):
        source, tree = "", ast.parse("")
    for body in tree.body[:1]:
        if isinstance(body, ast.FunctionDef) and body.name == getattr(rule, "__name__", ""):
            matches = [one for one in body.body if isinstance(one, ast.Match)]
            if len(matches) == 1:
                return source, tree, body, matches[0]
    raise ValueError(
        f"the step of the {role} cannot be read as one `match` with a case for each rule. "
        "If its file changed after it was imported, start Python again."
    )


def watched() -> dict[str, Watched]:
    """The three roles of Static Paxos, as their source is now."""
    kind = PROTOCOLS["static"]
    return {role: Watched(role, rule, kind.messages) for role, rule in kind.steps.items()}


def _cases(role: str, source: str, state: str, match: ast.Match) -> Iterator[Case]:
    lines = io.StringIO(source).readline
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(lines)
        if token.type == tokenize.COMMENT
    }
    for number, case in enumerate(match.cases):
        pattern = " ".join((ast.get_source_segment(source, case.pattern) or "").split())
        guard = ast.get_source_segment(source, case.guard) if case.guard else ""
        guard = re.sub(rf"\b{state}\.", "", " ".join((guard or "").split()))
        first, last = case.pattern.lineno, case.body[0].end_lineno or case.body[0].lineno
        label = next((comments[at] for at in range(first, last + 1) if at in comments), pattern)
        yield Case(role, number, label, guard, pattern)


def _messages(pattern: ast.pattern) -> set[type]:
    """The kinds of messages that a pattern names."""
    named = {ast.unparse(one.cls) for one in ast.walk(pattern) if isinstance(one, ast.MatchClass)}
    return {kind for kind in get_args(messages.Message) if kind.__name__ in named}


def watch(trace: Trace, rules: dict[str, Watched]) -> Iterator[Seen | Back]:
    """Run a trace again: every step with its case, and every return from a crash."""
    if trace.header.protocol != "static":
        raise ValueError(
            f"the activity diagram is drawn from runs of 'static', not of {trace.header.protocol!r}"
        )
    states: dict[str, Any] = {}
    opened: dict[str, Any] = {}
    down: set[str] = set()
    for record in trace.records:
        if isinstance(record, Crash):
            down.add(record.node)
        elif isinstance(record, Open):
            if record.node in down:
                yield Back(
                    record.node, trace.role(record.node), _keeps(record.state, opened[record.node])
                )
            down.discard(record.node)
            opened.setdefault(record.node, record.state)
            states[record.node] = record.state
        elif isinstance(record, Step):
            before, role = states[record.node], trace.role(record.node)
            case, result = rules[role].step(before, record.event)
            if result != (record.state, record.effects):
                raise ValueError(
                    f"the run was made by other rules: at {record.at} {record.node} did not do what "
                    f"the case '{case.label}' does now. Run it again."
                )
            states[record.node] = record.state
            yield Seen(case, event_name(record.event), before, record)


def event_name(event: Any) -> str:
    """What happened to the node: the kind of message that came, or of event."""
    return type(event.message if isinstance(event, Answer) else event).__name__


def phase(state: Any) -> str:
    """Where a node stands, in one word."""
    if hasattr(state, "phase"):
        return str(state.phase)
    if hasattr(state, "chosen"):
        return "listens" if state.chosen is None else "knows"
    if getattr(state, "vote", None) is not None:
        return "voted"
    return "promised" if getattr(state, "promised", (0,))[0] else "fresh"


def _keeps(now: Any, first: Any) -> str:
    if getattr(now, "identity", None) != getattr(first, "identity", None):
        return "a new identity"
    return "nothing" if now == first else "what was saved"


def all_cases(rules: dict[str, Watched]) -> Iterable[Case]:
    """Every case of every role, taken or not, but for messages that its protocol does not know."""
    return (case for rule in rules.values() for case in rule.cases if case not in rule.foreign)


# All runs together.


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """What a role did, and how often."""

    case: Case
    event: str
    before: str  # the phase
    effects: tuple[str, ...]
    after: str
    changed: bool  # did the state change at all?
    count: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A kind of message that a case sends to a role."""

    case: Case
    kind: str
    role: str
    again: bool  # sent because a user asked again after a crash


@dataclass
class Story:
    """All that the runs tell: the table, and what came of what. Each arrow is one of these."""

    taken: Counter[Transition] = field(default_factory=Counter)
    done: Counter[tuple[Case, str]] = field(default_factory=Counter)  # effects, if no crash came
    sends: dict[Message, int] = field(default_factory=dict)  # -> most at once
    heard: Counter[tuple[Message, Case]] = field(default_factory=Counter)  # it arrived: the answer
    then: Counter[tuple[Case, Case]] = field(default_factory=Counter)  # one after the other
    waits: Counter[tuple[Case, str, Case]] = field(default_factory=Counter)  # asked, why, was over
    again: set[Case] = field(default_factory=set)  # asked again, first thing after a crash
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

    def counts(self, case: Case) -> bool:
        """Does it only count, and leave the phase as it was?"""
        return all(not one.effects and one.before == one.after for one in self.of(case))

    def keeps(self, role: str) -> str:
        """What a role comes back with after a crash; nothing, if there was nothing yet to keep."""
        found = {back.keeps for back in self.backs if back.role == role}
        return min(found - {"nothing"}, default="nothing" if found else "")

    def retries(self, case: Case) -> bool:
        """Does it belong to the second figure: a wait that is over, or a request refused?"""
        sent = {effect for effect in self.does(case) if effect.startswith("Send")}
        return sent == {"Send Refused"} or set(self.events(case)) <= {"Timeout", "Refused"}

    def arrived(self, case: Case, again: bool = False) -> dict[tuple[str, str], int]:
        """(role, kind) of what a case sent and another one answered -> how many at once.

        `again`: only what was sent because a user asked again after a crash.
        """
        found: dict[tuple[str, str], int] = {}
        for it in self._answered():
            if it.case == case and it.again >= again:
                found[it.role, it.kind] = max(self.sends[it], found.get((it.role, it.kind), 0))
        return dict(sorted(found.items()))

    def rejoins(self, role: str, kind: str) -> bool:
        """Did such a message come from the second figure?"""
        return any(
            (it.role, it.kind) == (role, kind) and (it.again or self.retries(it.case))
            for it in self._answered()
        )

    def _answered(self) -> set[Message]:
        shown = self.drawn()
        return {it for it, answer in self.heard if answer in shown}


def read(traces: Iterable[Trace]) -> Story:
    """Run every trace again and add up."""
    story, rules = Story(), watched()
    for trace in traces:
        story.runs += 1
        run = _Run(story, trace)
        for one in watch(trace, rules):
            if isinstance(one, Back):
                story.backs[one] += 1
                run.back(one.node)
            else:
                _add(story, one)
                run.follow(one)
    return story


def _add(story: Story, one: Seen) -> None:
    step = one.step
    effects = tuple(map(_told, step.effects))
    before, after = phase(one.before), phase(step.state)
    changed = step.state != one.before
    story.taken[Transition(one.case, one.event, before, effects, after, changed)] += 1
    story.done.update((one.case, effect) for effect in effects[: step.done])


class _Run:
    """What each node of one run did last, to tell what came of it."""

    def __init__(self, story: Story, trace: Trace) -> None:
        self.story, self.trace = story, trace
        self.last: dict[str, Case] = {}
        self.wait: dict[str, tuple[Case, str]] = {}  # who asked to wait, and what for
        self.returned: set[str] = set()  # and did nothing since
        self.sent: dict[int, Message] = {}

    def back(self, node: str) -> None:
        self.last.pop(node, None)
        self.wait.pop(node, None)
        self.returned.add(node)

    def follow(self, one: Seen) -> None:
        story, step, node = self.story, one.step, one.step.node
        if step.received in self.sent:
            story.heard[self.sent[step.received], one.case] += 1
        if not one.busy:
            return
        again = node in self.returned and one.event == Propose.__name__
        if again:
            story.again.add(one.case)
        if node in self.last:
            story.then[self.last[node], one.case] += 1
        if one.event == Timeout.__name__ and node in self.wait:
            story.waits[*self.wait[node], one.case] += 1
        self.last[node] = one.case
        self.returned.discard(node)
        for effect in step.effects[: step.done]:
            if isinstance(effect, Wait):
                self.wait[node] = one.case, effect.why
        self.note_sent(one, again)

    def note_sent(self, one: Seen, again: bool) -> None:
        kinds = {
            it.id: Message(one.case, event_name(it.message), self.trace.role(it.to), again)
            for it in one.step.sent
        }
        self.sent |= kinds
        for kind, many in Counter(kinds.values()).items():
            self.story.sends[kind] = max(many, self.story.sends.get(kind, 0))


def _told(effect: object) -> str:
    """An effect in a word or two."""
    match effect:
        case Send(_, message):
            return f"Send {type(message).__name__}"
        case Wait(why):
            return f"Wait {why}"
    return type(effect).__name__
