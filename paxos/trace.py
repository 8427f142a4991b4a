"""What happened, as records; and records as NDJSON, one a line. Figures and players read only this.

Schema, version 1. Each line is an object with a `kind`, the name of a dataclass, and its fields:

* line 1 is the `Header`; then records in the order in which they happened;
* `at` is virtual time in ticks, `Header.tick` ticks to one mean message delay;
* a `Ballot` is `[round, identity]`; a tuple is a list; whatever else is JSON's own.

A driver makes a `Trace`; `dumps` and `loads` are exact inverses.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Literal

from .codec import decode, encode
from .protocol import acceptor, learner, log, messages, proposer, quorum, static
from .protocol.ballot import Ballot

FORMAT, VERSION = "paxos-trace", 1
TICK = 1000


class TraceError(ValueError):
    """A trace that cannot be read: whose fault, where, why."""


@dataclass(frozen=True, slots=True)
class Header:
    """The world of the run."""

    protocol: str
    seed: int
    quorums: quorum.Flexible
    nodes: tuple[tuple[str, str], ...]  # (name, role)
    faults: tuple[str, ...] = ()
    tick: int = TICK
    format: str = FORMAT
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Open:
    """A node starts, or comes back, in `state`. A proposer comes back with a new identity."""

    at: int
    node: str
    state: Any


@dataclass(frozen=True, slots=True)
class Sent:
    """One message on its way to one node. `id` is unique in the trace."""

    id: int
    to: str
    message: messages.Message


Event = (
    messages.Prepare
    | messages.Accept
    | messages.Propose
    | messages.Answer
    | messages.Timeout
    | messages.InSlot
)


@dataclass(frozen=True, slots=True)
class Step:
    """A node took an event: `step(state before, event) == (state, effects)`.

    Fewer effects `done` than returned: the node crashed there, and the rest never happened.
    """

    at: int
    node: str
    event: Any  # an `Event`; which of them, the role knows
    state: Any
    effects: tuple[messages.Effect, ...]
    done: int
    sent: tuple[Sent, ...] = ()
    received: int | None = None  # the id of the message that was the event


@dataclass(frozen=True, slots=True)
class Lost:
    """A message will not arrive. An id that also arrives was duplicated, and lost a copy."""

    at: int
    id: int
    why: Literal["lost", "cut off", "node down"]


@dataclass(frozen=True, slots=True)
class Crash:
    """A node stops; all that it did not save is gone."""

    at: int
    node: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The network splits: nodes of different groups do not hear each other."""

    at: int
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Heal:
    """The network is whole again."""

    at: int


Record = Open | Step | Lost | Crash | Cut | Heal


@dataclass(frozen=True, slots=True)
class Trace:
    """One run."""

    header: Header
    records: tuple[Record, ...] = ()
    names: dict[str, str] = field(init=False, compare=False, repr=False)  # identity -> short name

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for record in self.records:
            identity = getattr(record.state, "identity", None) if isinstance(record, Open) else None
            if isinstance(record, Open) and identity is not None:
                lives = sum(name.rstrip("'") == record.node for name in seen.values())
                seen.setdefault(identity, record.node + "'" * lives)
        object.__setattr__(self, "names", seen)

    def role(self, node: str) -> str:
        return dict(self.header.nodes)[node]

    def of(self, role: str) -> list[str]:
        """The names of the nodes of a role."""
        return [name for name, its in self.header.nodes if its == role]

    def steps(self) -> Iterator[Step]:
        return (record for record in self.records if isinstance(record, Step))

    def short(self, ballot: Ballot) -> str:
        """A ballot for people: `2.ann`, and `1.ann'` after ann came back from a crash."""
        return f"{ballot.round}.{self.names.get(ballot.proposer, ballot.proposer[:6])}"


# What a trace amounts to.


@dataclass(frozen=True, slots=True)
class Chosen:
    """The instant at which a quorum had voted: record number `index`, and what became chosen."""

    index: int
    at: int
    proposal: messages.Accept
    slot: int | None = None
    news: Literal["chosen", "chosen again", "CHOSEN TOO"] = "chosen"  # the last: disagreement


def slots(trace: Trace) -> list[int | None]:
    """The slots that were voted on; only None where there is no log."""
    found = {bare(step.event)[0] for step in trace.steps() if trace.role(step.node) == "acceptor"}
    return sorted(found, key=lambda slot: -1 if slot is None else slot)


def history(trace: Trace, slot: int | None = None) -> static.History:
    """What the all-seeing eye has seen of one slot."""
    wishes: list[Any] = []
    decided: list[messages.Accept] = []
    for step in trace.steps():
        for effect in step.effects[: step.done]:
            if isinstance(effect, messages.Decide) and bare(effect.value)[0] == slot:
                decided.append(messages.Accept(effect.ballot, bare(effect.value)[1]))
        wishes += _wishes(step, slot)
    votes = tuple((who, vote) for _, its, who, vote in _votes(trace) if its == slot)
    return static.History(trace.header.quorums, tuple(wishes), votes, tuple(decided))


def chosen(trace: Trace) -> list[Chosen]:
    """Every instant at which a proposal became chosen, in order of time."""
    found: list[Chosen] = []
    seen: dict[int | None, tuple[tuple[str, messages.Accept], ...]] = {}
    for index, slot, who, vote in _votes(trace):
        seen[slot] = (*seen.get(slot, ()), (who, vote))
        known = [one.proposal for one in found if one.slot == slot]
        for one in static.chosen(static.History(trace.header.quorums, votes=seen[slot])):
            if one not in known:
                at = trace.records[index].at
                found.append(Chosen(index, at, one, slot, _news(one, known)))
    return found


def _votes(trace: Trace) -> Iterator[tuple[int, int | None, str, messages.Accept]]:
    """Every vote: (record number, slot, acceptor, vote). It counts once it is saved, said or not."""
    for index, record in enumerate(trace.records):
        if isinstance(record, Step):
            slot, event = bare(record.event)
            done = record.effects[: record.done]
            if isinstance(event, messages.Accept) and any(
                isinstance(e, messages.Save) for e in done
            ):
                yield index, slot, record.node, event


def _news(
    one: messages.Accept, known: list[messages.Accept]
) -> Literal["chosen", "chosen again", "CHOSEN TOO"]:
    if not known:
        return "chosen"
    return "chosen again" if one.value == known[0].value else "CHOSEN TOO"


def final(trace: Trace) -> dict[str, Any]:
    """The state of every node at the end of the run."""
    return {one.node: one.state for one in trace.records if isinstance(one, Open | Step)}


def logs(trace: Trace) -> list[tuple[int, tuple[Any, ...], int]]:
    """How a log grew: (time, the longest log any learner has, how much of it every learner has)."""
    held: dict[str, tuple[Any, ...]] = dict.fromkeys(trace.of("learner"), ())
    grown: list[tuple[int, tuple[Any, ...], int]] = []
    for record in trace.records:
        if isinstance(record, Step) and record.node in held:
            held[record.node] = log.prefix(record.state)
            longest, least = max(held.values(), key=len), min(map(len, held.values()))
            if not grown or grown[-1][1:] != (longest, least):
                grown.append((record.at, longest, least))
    return [one for one in grown if one[1]]


def broken(trace: Trace) -> list[str]:
    """The invariants of Paxos that the run breaks; empty for every run of the rules as they are."""
    return [
        name if slot is None else f"{name} (slot {slot})"
        for slot in slots(trace)
        for name in static.broken(history(trace, slot))
    ]


def delays(trace: Trace) -> dict[int, int]:
    """For each record number of a step: the longest chain of messages that led to it."""
    reached: dict[str, int] = {}
    chain: dict[int, int] = {}
    found: dict[int, int] = {}
    for index, record in enumerate(trace.records):
        if isinstance(record, Step):
            longest = max(reached.get(record.node, 0), chain.get(record.received or 0, 0))
            reached[record.node] = found[index] = longest
            chain.update((one.id, longest + 1) for one in record.sent)
    return found


def kind(message: Any) -> str:
    """The kind of a message, in lower case: `prepare`, also for a Prepare in a slot."""
    return type(bare(message)[1]).__name__.lower()


def bare(thing: Any) -> tuple[int | None, Any]:
    """The slot of an event, message or value, and the thing without it."""
    inner = getattr(thing, "message", thing)
    return (inner.slot, inner.content) if isinstance(inner, messages.InSlot) else (None, inner)


def _wishes(step: Step, slot: int | None) -> list[Any]:
    """What users asked for: the value itself, or the commands that a log's client made of it."""
    if not isinstance(step.event, messages.Propose):
        return []
    return [step.event.value] if slot is None else list(step.state.pending)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took, up to the first decision that a participant knew of."""

    messages: int  # sent by then
    delays: int  # the longest chain of messages that led there
    time: float  # in mean message delays, from the start of the run


def cost(trace: Trace) -> Cost | None:
    """The cost of the first decision; None if nobody ever knew of one."""
    sent, chain = 0, delays(trace)
    for index, record in enumerate(trace.records):
        if isinstance(record, Step):
            sent += len(record.sent)
            if any(isinstance(one, messages.Decide) for one in record.effects[: record.done]):
                return Cost(sent, chain[index], record.at / trace.header.tick)
    return None


# Reading and writing.

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for module in (messages, acceptor, proposer, learner, quorum, log)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind)
} | {kind.__name__: kind for kind in (Header, Open, Sent, Step, Lost, Crash, Cut, Heal)}


def dumps(trace: Trace) -> str:
    """The trace as NDJSON, the same bytes for equal traces."""
    lines = (encode(one) for one in (trace.header, *trace.records))
    return "".join(
        json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines
    )


def loads(text: str) -> Trace:
    """Read NDJSON. Raises TraceError with the number of the line and the reason."""
    things: list[Any] = []
    known: set[int | str] = set()
    # Not splitlines(): it also splits at signs that JSON leaves as they are inside a string.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        try:
            things.append(decode(json.loads(line), _KINDS))
            _check(things, known)
        except json.JSONDecodeError as error:
            raise TraceError(
                f"line {number}: not JSON ({error.msg}, column {error.colno})"
            ) from None
        except (TraceError, ValueError, RecursionError) as error:
            raise TraceError(f"line {number}: {error}") from None
    if not things:
        raise TraceError("the file is empty: a trace begins with a Header line")
    return Trace(things[0], tuple(things[1:]))


def _check(things: list[Any], known: set[int | str]) -> None:
    """Does the newest line make sense after those before it? `known`: ids sent, nodes opened."""
    newest, header = things[-1], things[0]
    if not isinstance(header, Header) or (header.format, header.version) != (FORMAT, VERSION):
        raise TraceError(f"not a {FORMAT} file of version {VERSION}: line 1 must be its Header")
    nodes = dict(header.nodes)
    if len(things) == 1:
        for role in set(nodes.values()) - static.STEPS.keys():
            raise TraceError(f"no role is called {role!r}; there are {', '.join(static.STEPS)}")
        return
    if not isinstance(newest, Record):
        raise TraceError(f"a {type(newest).__name__} is not a record")
    before = things[-2].at if len(things) > 2 else 0
    if newest.at < before:
        raise TraceError(f"time runs backwards, from {before} to {newest.at}")
    if isinstance(newest, Open):
        known.add(newest.node)
    node, id = (
        getattr(newest, "node", None),
        getattr(newest, "received", getattr(newest, "id", None)),
    )
    if node is not None and (node not in nodes or node not in known):
        raise TraceError(f"node {node!r} was never opened")
    if id is not None and id not in known:
        raise TraceError(f"message {id} was never sent")
    if isinstance(newest, Step):
        _check_step(newest, known)
    named = {one.to for one in getattr(newest, "sent", ())}
    for name in named.union(*getattr(newest, "groups", ())) - nodes.keys():
        raise TraceError(f"no node is called {name!r}; there are {', '.join(nodes)}")


def _check_step(step: Step, known: set[int | str]) -> None:
    if not isinstance(step.event, Event):
        raise TraceError(f"Step.event cannot be {str(step.event)[:60]!r}")
    if not 0 <= step.done <= len(step.effects):
        raise TraceError(f"{step.done} effects done of {len(step.effects)}")
    for one in step.sent:
        if one.id in known:
            raise TraceError(f"message {one.id} is sent twice")
        known.add(one.id)
