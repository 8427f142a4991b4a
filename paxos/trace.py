"""What happened, as records; and records as NDJSON, one a line. Figures and players read only this.

Schema, version 1. Each line is an object with a `kind`, the name of a dataclass, and its fields:

* line 1 is the `Header`; then records in the order in which they happened; then the `End`;
* `at` is virtual time in ticks, `Header.tick` ticks to one mean message delay;
* a `Ballot` is `[round, identity]`; a tuple is a list; whatever else is JSON's own;
* the `state` of a `Step` may be null, and then that of a `Save` in it: it is what the rules say.

A client at work on real services writes its own steps only, `at` in milliseconds, no states, and as what
it `received` the request that was answered (see `drivers.merging`).

A driver makes a `Trace`; `dumps` and `loads` are exact inverses.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, is_dataclass, replace
from functools import cache
from typing import Any, Literal

from .codec import decode, encode
from .protocol import (
    acceptor,
    blocks,
    disk,
    events,
    learner,
    lists,
    log,
    member,
    messages,
    passive,
    proposer,
    quorum,
    votes,
)
from .protocol.ballot import Ballot
from .protocol.kinds import PROTOCOLS, Kind

FORMAT, VERSION = "paxos-trace", 1
TICK = 1000
NOTHING = events.Save(None)  # of a state that was left out


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
    messages.Message | events.Propose | events.Answer | events.Timeout | events.Opened | lists.Amiss
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
    effects: tuple[events.Effect, ...]
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
class End:
    """The last line of a file, so that one that was cut short is not taken for a short run."""

    records: int


@dataclass(frozen=True, slots=True)
class Trace:
    """One run."""

    header: Header
    records: tuple[Record, ...] = ()
    names: dict[str, str] = field(init=False, compare=False, repr=False)  # identity -> short name

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for record in self.records:
            given = identity(record.state) if isinstance(record, Open) else None
            if isinstance(record, Open) and given is not None:
                lives = sum(name.split("'")[0] == record.node for name in seen.values())
                mark = "'" * lives if lives < 4 else f"'{lives}"
                seen.setdefault(given, record.node + mark)
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


def identity(state: Any) -> str | None:
    """The identity under which whoever is in this state proposes."""
    for inner in ("member", "proposer"):
        state = getattr(state, inner, state)
    return getattr(state, "identity", None)


def kind(message: Any) -> str:
    """The kind of a message, in lower case: `prepare`, also for a Prepare in a slot."""
    return type(bare(message)[1]).__name__.lower()


def bare(thing: Any) -> tuple[int | None, Any]:
    """The slot of an event, message or value, and the thing without it."""
    inner = getattr(thing, "message", thing)
    return (inner.slot, inner.content) if isinstance(inner, messages.InSlot) else (None, inner)


def text(value: Any) -> str:
    """A value as a user wrote it, and the slot that it was chosen for, if any."""
    if isinstance(value, messages.InSlot):
        return f"{text(value.content)} (slot {value.slot})"
    if isinstance(value, tuple):  # a batch
        return ", ".join(map(text, value)) or "no-op"
    return value.text if isinstance(value, messages.Command) else str(value)


def kept(step: Step) -> bool:
    """Does the node hold the state of this step? Not if a crash came before it was saved."""
    done = step.effects[: step.done]
    return done == step.effects or any(isinstance(effect, events.Save) for effect in done)


# Reading and writing.

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for module in (
        *(messages, events, acceptor, proposer, learner, quorum, votes, log),
        *(member, blocks, disk, lists, passive),
    )
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind)
} | {kind.__name__: kind for kind in (Header, Open, Sent, Step, Lost, Crash, Cut, Heal, End)}


def dumps(trace: Trace) -> str:
    """The trace as NDJSON, the same bytes for equal traces."""
    return "".join(map(line, (trace.header, *trace.records, End(len(trace.records)))))


def line(record: Header | Record | End) -> str:
    """One line of a file, for whoever writes as things happen."""
    return json.dumps(encode(record), ensure_ascii=False, separators=(",", ":")) + "\n"


def told(trace: Trace) -> Trace:
    """The same with the states that were left out: the rules tell them, for a step is pure."""
    steps, states, records = PROTOCOLS[trace.header.protocol].steps, dict[str, Any](), []
    roles = dict(trace.header.nodes)
    for number, record in enumerate(trace.records, 2):
        if isinstance(record, Step) and record.state is None:
            try:
                state, _ = steps[roles[record.node]](states[record.node], record.event)
            except (ValueError, TypeError, AttributeError) as error:
                raise TraceError(f"line {number}: no rule for this event ({error})") from None
            effects = (events.Save(state) if one == NOTHING else one for one in record.effects)
            record = replace(record, state=state, effects=tuple(effects))
        if isinstance(record, Open | Step):
            states[record.node] = record.state
        records.append(record)
    return Trace(trace.header, tuple(records))


def loads(text: str, whole: bool = True, states: bool = True) -> Trace:
    """Read NDJSON. Raises TraceError with the number of the line and the reason.

    `whole`: refuse a file that was cut short, as one of a process that was killed is; else read what is
    there. `states`: put in those that were left out.
    """
    if not whole and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
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
        except RecursionError:
            raise TraceError(f"line {number}: nested too deeply to be a trace") from None
        except ValueError as error:
            raise TraceError(f"line {number}: {error}") from None
    if not things:
        raise TraceError("the file is empty: a trace begins with a Header line")
    if not isinstance(things[-1], End):
        if whole:
            raise TraceError(f"line {len(things)}: the file was cut short; its End line is missing")
        things.append(End(len(things) - 1))
    trace = Trace(things[0], tuple(things[1:-1]))
    left_out = any(isinstance(one, Step) and one.state is None for one in trace.records)
    return told(trace) if states and left_out else trace


def _check(things: list[Any], known: set[int | str]) -> None:
    """Does the newest line make sense after those before it? `known`: ids sent, nodes opened."""
    newest, header = things[-1], things[0]
    if not isinstance(header, Header) or (header.format, header.version) != (FORMAT, VERSION):
        raise TraceError(f"not a {FORMAT} file of version {VERSION}: line 1 must be its Header")
    if len(things) == 1:
        _check_header(header)
    elif isinstance(things[-2], End):
        raise TraceError("nothing may follow the End line")
    elif isinstance(newest, End):
        if newest.records != len(things) - 2:
            raise TraceError(f"{len(things) - 2} records, where End counts {newest.records}")
    elif isinstance(newest, Record):
        _check_record(newest, header, known)
        before = things[-2].at if len(things) > 2 else 0
        if newest.at < before:
            raise TraceError(f"time runs backwards, from {before} to {newest.at}")
    else:
        raise TraceError(f"a {type(newest).__name__} is not a record")


def _check_header(header: Header) -> None:
    if header.protocol not in PROTOCOLS:
        raise TraceError(f"no protocol is called {header.protocol!r}")
    roles = PROTOCOLS[header.protocol].steps
    for role in sorted({role for _, role in header.nodes} - roles.keys()):
        raise TraceError(f"no role is called {role!r}; there are {', '.join(roles)}")
    least, most = sorted((header.quorums.phase1, header.quorums.phase2))
    if not 1 <= least <= most <= header.quorums.of:
        raise TraceError(f"quorums of {least} and {most} out of {header.quorums.of} cannot be")
    if header.tick < 1:
        raise TraceError(f"{header.tick} ticks are no message delay")


def _check_record(newest: Record, header: Header, known: set[int | str]) -> None:
    nodes = dict(header.nodes)
    node, id = getattr(newest, "node", None), getattr(newest, "received", None)
    if isinstance(newest, Open):
        known.add(newest.node)
    if node is not None and (node not in nodes or node not in known):
        raise TraceError(f"node {node!r} was never opened")
    if isinstance(newest, Lost):
        id = newest.id
    if id is not None and id not in known:
        raise TraceError(f"message {id} was never sent")
    if isinstance(newest, Open) or (isinstance(newest, Step) and newest.state is not None):
        _check_state(newest.state, header.protocol, nodes[newest.node])
        lists = {name for name, role in header.nodes if role == "list"}
        if hasattr(newest.state, "views") and dict(newest.state.views).keys() != lists:
            raise TraceError(f"{newest.node!r} must have one view of each list")
    if isinstance(newest, Step):
        _check_step(newest, known, PROTOCOLS[header.protocol])
    named = {one.to for one in getattr(newest, "sent", ())}
    for name in sorted(named.union(*getattr(newest, "groups", ())) - nodes.keys()):
        raise TraceError(f"no node is called {name!r}; there are {', '.join(nodes)}")


def _check_state(state: Any, protocol: str, role: str) -> None:
    """Is it a state of this role, with such a member in it as this protocol has?"""
    inside = type(getattr(state, "member", None)) is _member(protocol, role)
    if not (isinstance(state, PROTOCOLS[protocol].states[role]) and inside):
        raise TraceError(f"no {role} of {protocol} can be in the state {str(state)[:60]!r}")


@cache
def _member(protocol: str, role: str) -> type:
    mine = PROTOCOLS[protocol].start(role, "s1", quorum.majority(1), ("s1",))
    return type(getattr(mine, "member", None))


def _check_step(step: Step, known: set[int | str], kind: Kind) -> None:
    if not isinstance(step.event, Event):
        raise TraceError(f"Step.event cannot be {str(step.event)[:60]!r}")
    if not 0 <= step.done <= len(step.effects):
        raise TraceError(f"{step.done} effects done of {len(step.effects)}")
    said = [one.message for one in step.sent]
    said += [one.message for one in step.effects if isinstance(one, events.Send)]
    heard = getattr(step.event, "message", getattr(step.event, "request", step.event))
    said += [heard] if isinstance(heard, messages.Message) else []
    for message in said:
        slotted = isinstance(message, messages.InSlot)
        content = isinstance(bare(message)[1], messages.Request | messages.Reply)
        odd = (slotted and not content) or not all(
            isinstance(one, blocks.Block) for one in _carried(message)
        )
        if not isinstance(message, kind.messages) or odd:
            raise TraceError(f"no message is {str(message)[:60]!r}")
    for one in step.sent:
        if one.id in known:
            raise TraceError(f"message {one.id} is sent twice")
        known.add(one.id)


def _carried(message: Any) -> list[Any]:
    """The blocks in a message of a disk."""
    match message:
        case messages.Write(_, block) | messages.Written(block):
            return [block]
        case messages.Blocks(pairs):
            return [block for _, block in pairs]
    return []
