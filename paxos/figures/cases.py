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
from typing import Any

from ..protocol import static
from ..protocol.messages import Answer, Send, Wait
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


@dataclass(frozen=True, slots=True)
class Back:
    """A node that came back from a crash, and what it came back with."""

    role: str
    keeps: str


class Watched:
    """A `step` that tells which of its cases ran."""

    def __init__(self, role: str, rule: Rule) -> None:
        source, tree, body, match = _source(role, rule)
        self.cases = tuple(_cases(role, source, body.args.args[0].arg, match))
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
    steps: dict[str, Rule] = dict(static.STEPS)  # type: ignore[arg-type]  # each has its own types
    return {role: Watched(role, rule) for role, rule in steps.items()}


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
                yield Back(trace.role(record.node), _keeps(record.state, opened[record.node]))
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
    """Every case of every role, taken or not."""
    return (case for rule in rules.values() for case in rule.cases)


# All runs together.


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

    def keeps(self, role: str) -> str:
        """What a role comes back with after a crash; nothing, if there was nothing yet to keep."""
        found = {back.keeps for back in self.backs if back.role == role}
        return min(found - {"nothing"}, default="nothing" if found else "")

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
