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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..protocol import static
from ..protocol.messages import Answer
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
        source = textwrap.dedent(inspect.getsource(rule))
        tree = ast.parse(source)
        body = tree.body[0]
        assert isinstance(body, ast.FunctionDef)
        matches = [one for one in body.body if isinstance(one, ast.Match)]
        if len(matches) != 1:
            raise ValueError(
                f"the step of the {role} must be one `match` with a case for each rule"
            )
        self.cases = tuple(_cases(role, source, body.args.args[0].arg, matches[0]))
        self.ran: list[int] = []
        for number, case in enumerate(matches[0].cases):
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


def watched() -> dict[str, Watched]:
    """The three roles of Static Paxos, as their source is now."""
    return {role: Watched(role, rule) for role, rule in static.STEPS.items()}


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
    return (case for rule in rules.values() for case in rule.cases)
