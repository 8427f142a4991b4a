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
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, get_args

from ..protocol import disk, learner, log, member, messages, passive, proposer
from ..protocol.events import Answer
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
    said: tuple[tuple[Case, tuple[Any, ...]], ...] = ()  # the parts inside: case, its effects

    @property
    def inner(self) -> tuple[Case, ...]:
        """What the proposer and the learner inside did, if it mattered."""
        return tuple(case for case, _ in self.said)

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
    """A `step` that tells which of its cases ran.

    `passes`: the messages of its protocol. `names`: what its module's names mean to it.
    """

    def __init__(
        self,
        role: str,
        rule: Rule,
        passes: Any = messages.Message,
        names: dict[str, Any] | None = None,
    ) -> None:
        source, tree, body, match = _source(role, rule)
        self.cases = tuple(_cases(role, source, body.args.args[0].arg, match))
        self.otherwise = Case(role, len(self.cases), "nothing to do", "", "_")
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
        names = {**(names or getattr(rule, "__globals__", {})), MARK: self.ran.append}
        exec(compile(ast.fix_missing_locations(tree), "<step, watched>", "exec"), names)
        self.rule: Rule = names[body.name]

    def step(self, state: Any, event: Any) -> tuple[Case, tuple[Any, tuple[Any, ...]]]:
        self.ran.clear()
        result = self.rule(state, event)
        return self.cases[self.ran[0]] if self.ran else self.otherwise, result


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


class Rules(dict[str, Watched]):
    """The roles of a protocol, as their source is now; and what they use: a proposer, a learner."""

    def __init__(self, protocol: str = "static") -> None:
        kind = PROTOCOLS[protocol]
        self.protocol, self.taken = protocol, set[Case]()
        self.said: list[tuple[Case, tuple[Any, ...]]] = []
        self.inner: dict[str, Watched] = {}
        names: dict[str, Any] = {}
        if kind.asks == "client":
            passes = PROTOCOLS["static"].messages if kind.remembers == "list" else messages.Message
            parts: dict[str, Any] = {"proposer": proposer.step, "learner": learner.step}
            self.inner = {role: Watched(role, rule, passes) for role, rule in parts.items()}
            names = self.overheard(disk if kind.remembers == "disk" else passive)
        super().__init__(
            (role, Watched(role, rule, kind.messages, names if role == kind.asks else None))
            for role, rule in kind.steps.items()
        )

    def overheard(self, module: ModuleType) -> dict[str, Any]:
        """The names of a module, with a proposer and a learner in it that are watched."""
        ears = {
            its: SimpleNamespace(**{**vars(where), "step": self.told(its)})
            for its, where in (("proposer", proposer), ("learner", learner))
        }
        many = SimpleNamespace(**copied(log, **ears))
        names = copied(member, **ears, log=many, RULES=dict(member.RULES))
        names["RULES"] |= {member.Member: names["step"], log.Writer: many.step}
        return copied(module, advance=names["advance"])

    def told(self, role: str) -> Rule:
        """A step of a part, and what it did, unless that was nothing."""

        def step(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
            case, result = self.inner[role].step(state, event)
            self.taken.add(case)
            if result != (state, ()):
                self.said.append((case, result[1]))
            return result

        return step


def copied(module: ModuleType, **others: Any) -> dict[str, Any]:
    """The names of a module, for functions of their own in which some names mean something else."""
    names = {**vars(module), **others}
    for name, its in vars(module).items():
        if isinstance(its, FunctionType) and its.__module__ == module.__name__:
            names[name] = FunctionType(its.__code__, names, name, its.__defaults__)
    return names


def watched(protocol: str = "static") -> Rules:
    """The roles of a protocol, as their source is now."""
    return Rules(protocol)


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


def watch(trace: Trace, rules: Rules) -> Iterator[Seen | Back]:
    """Run a trace again: every step with its case, and every return from a crash."""
    if trace.header.protocol != rules.protocol:
        raise ValueError(
            f"a figure of {rules.protocol!r} cannot be drawn from runs of {trace.header.protocol!r}"
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
            rules.said.clear()
            case, result = rules[role].step(before, record.event)
            rules.taken.add(case)
            if result != (record.state, record.effects):
                raise ValueError(
                    f"the run was made by other rules: at {record.at} {record.node} did not do what "
                    f"the case '{case.label}' does now. Run it again."
                )
            states[record.node] = record.state
            yield Seen(case, event_name(record.event), before, record, tuple(rules.said))


def event_name(event: Any) -> str:
    """What happened to the node: the kind of message that came, or of event."""
    return type(event.message if isinstance(event, Answer) else event).__name__


def phase(state: Any) -> str:
    """Where a node stands, in one word."""
    if isinstance(state, passive.Client):
        return state.state
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


def all_cases(rules: Rules) -> Iterable[Case]:
    """Every case of every role, taken or not, but for messages that its protocol does not know."""
    every = (*rules.values(), *rules.inner.values())
    return (case for rule in every for case in rule.cases if case not in rule.foreign)
