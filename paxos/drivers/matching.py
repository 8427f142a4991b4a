"""Which action of the proof is each step? The proof speaks of code whose steps all are one.

Steps of the simulator and of the checker alike: an eye that sees everything notes as facts what was
ever said and done, and `recognise` compares before and after. A client of disks or lists does in one
step what is several actions: it reads a reply, and asks its next question.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..proof import static
from ..proof.checks import MODELS
from ..proof.seen import Seen, nothing, recognise
from ..protocol.acceptor import Acceptor
from ..protocol.ballot import NO_BALLOT, Ballot
from ..protocol.blocks import Block, Disk, answers
from ..protocol.events import Decide, Propose, Save, Send
from ..protocol.kinds import PROTOCOLS, cast
from ..protocol.lists import Entry, List, read
from ..protocol.member import requests
from ..protocol.messages import (
    Accept,
    Accepted,
    Append,
    Blocks,
    Prepare,
    Promise,
    Read,
    Write,
)
from ..protocol.quorum import Flexible
from ..trace import Crash, Open, Record, Step, Trace, kept
from .checker import Graph, Move
from .nodes import Column

Fact = tuple[Any, ...]  # a relation, and the things that it is true of
Facts = tuple[Fact, ...]


def matched(trace: Trace) -> Iterator[tuple[Record, str | None]]:
    """Every record of a run, and the action that it is; again, for each further action that it is.

    Or "stutter", if it changes nothing that the proof speaks of; or None, if no action allows it.
    """
    name = trace.header.protocol
    if name not in MODELS:
        raise ValueError(f"no action of the proof is a step of {name}")
    model, eye = MODELS[name], EYES.get(name, Eye)()
    seen = nothing(model, trace.of(PROTOCOLS[name].remembers))
    for record in trace.records:
        for after in [look(seen, record)] if name == "static" else eye.looks(seen, record):
            before, seen = seen, after
            yield record, recognise(model, before, after, trace.header.quorums)


def explored(graph: Graph, quorums: Flexible) -> Iterator[tuple[tuple[Move, ...], str | None]]:
    """Every step of a small world of Static Paxos, and the action that it is, in the same way.

    The first is the step from nothing to the start. What the checker drops because nobody will
    ever heed it stays seen: it was said.
    """
    model, states = static.MODEL, [survey(state) for state in graph.states]
    new = nothing(model, (name for name, _ in states[0]["left"]))
    yield (), recognise(model, new, states[0], quorums)
    for before, moves, after in graph.moves:
        old, new = states[before], states[after]
        said = {name: old[name] | new[name] for name in ("asked", "promised")}
        yield moves, recognise(model, old, {**new, **said}, quorums)


def look(seen: Seen, record: Record) -> Seen:
    """What has been seen after this record."""
    match record:
        case Open(node=name, state=Acceptor(promised)) | Step(node=name, state=Acceptor(promised)):
            if isinstance(record, Open) or kept(record):
                others = {it for it in seen["left"] if it[0] != name}
                seen = {**seen, "left": frozenset({*others, (name, promised)})}
    if not isinstance(record, Step):
        return seen
    done = [getattr(it, "message", it) for it in record.effects[: record.done]]
    # A wish counts with the first question that it leads to.
    asks = isinstance(record.event, Propose) and any(isinstance(it, Prepare) for it in done)
    return noted(seen, record.node, [*done, record.event] if asks else done)


def survey(state: Mapping[str, Column]) -> Seen:
    """What has been seen by the time of this state of a small world."""
    lives = {name: column.state.state for name, column in state.items()}
    held = {(name, it.promised) for name, it in lives.items() if isinstance(it, Acceptor)}
    seen: Seen = {**nothing(static.MODEL, ()), "left": frozenset(held)}
    for name, column in state.items():
        cast = [Save(Acceptor(it.ballot, it)) for it in column.said if isinstance(it, Accept)]
        other = [it for it in column.said if not isinstance(it, Accept)]
        seen = noted(seen, name, [*cast, *other, *(message for _, message in column.sent)])
    return seen


def noted(seen: Seen, name: str, things: Iterable[Any]) -> Seen:
    """What has been seen, and these messages and other effects of this node.

    To tell of a vote is nothing new, unless it is not saved.
    """
    for relation, *fact in (it for thing in things for it in news(name, thing)):
        if relation != "told" or tuple(fact) not in seen["voted"]:
            seen = plus(seen, (relation, *fact))
    return seen


def plus(seen: Seen, *facts: Fact) -> Seen:
    """What has been seen, and these facts. Of `left`: what a promise, or a vote, rises to."""
    more = dict(seen)
    for relation, *fact in facts:
        if relation == "left":
            fact[1] = max(fact[1], dict(more["left"])[fact[0]])
            more["left"] -= {it for it in more["left"] if it[0] == fact[0]}
        more[relation] |= {tuple(fact)}
    return more


def news(name: str, thing: Any) -> Iterator[tuple[Any, ...]]:
    """What a message or another effect adds to what has been seen: (relation, things)."""
    match thing:
        case Propose(value):
            yield "wished", value
        case Prepare(ballot):
            yield "asked", ballot
        case Promise(ballot, vote):
            yield "promised", name, *report(ballot, vote)
        case Accept(ballot, value):
            yield "proposed", ballot, value
        case Save(Acceptor(_, Accept(ballot, value))):
            yield "voted", name, ballot, value
        case Accepted(ballot, value):
            yield "told", name, ballot, value
        case Decide(ballot, value):
            yield "decided", ballot, value


def report(ballot: Ballot, vote: Accept | None) -> Fact:
    """A ballot, and the vote that is reported to it."""
    last = vote or Accept(NO_BALLOT, None)
    return ballot, last.ballot, last.value


class Eye:
    """Sees every step of clients, and of disks or lists."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}  # of every node
        self.senders: dict[int, str] = {}  # of every message
        self.said: set[Any] = set()  # by users
        self.clients: set[str] = set()

    def looks(self, seen: Seen, record: Record) -> Iterator[Seen]:
        """What has been seen after each action of this record; what was seen, if there is none."""
        groups: Iterable[Facts] = ()
        match record:
            case Crash(node=name):
                groups = self.crashed(seen, self.states.pop(name))
            case Step(state=Disk() | List()):
                groups = self.stored(seen, record) if kept(record) else ()
            case Step():
                groups = self.done(record)
        new = seen
        for group in groups:
            facts = [it for it in group if it[0] != "told" or not is_known(new, *it[1:])]
            if facts:
                new = plus(new, *facts)
                yield new
        if new is seen:
            yield seen
        if isinstance(record, Open | Step):
            self.states[record.node] = record.state
        if isinstance(record, Step):
            self.senders |= {one.id: record.node for one in record.sent}

    def done(self, step: Step) -> Iterator[Facts]:
        """What a client did: it counted replies, asked, and was told of a decision."""
        self.clients.add(step.node)
        if isinstance(step.event, Propose):
            self.said.add(step.event.value)
        yield from self.replies(step)
        asks, knows = step.state.member.proposer, step.state.member.learner
        for who, vote in asks.promises:
            yield (("told", "promised", who, *report(asks.ballot, vote)),)
        for b, who in knows.votes:
            yield (("told", "voted", who, b),)
        for effect in step.effects[: step.done]:
            match asked(effect):
                case Prepare(b):
                    wish = [("wished", asks.wish)] if asks.wish in self.said else []
                    yield ("asked", b), *wish
                case Accept(b, value):
                    yield (("proposed", b, value),)
                case Decide(b, value):
                    yield (("decided", b, value),)

    def replies(self, step: Step) -> Iterable[Facts]:
        """The promises that a client found by itself."""
        return ()

    def stored(self, seen: Seen, step: Step) -> Iterable[Facts]:
        """What a disk or a list did."""
        return ()

    def crashed(self, seen: Seen, state: Any) -> Iterable[Facts]:
        """What is lost with this state."""
        return ()


class ListEye(Eye):
    """A list votes when an entry gets into it; a promise is made when its client reads it."""

    def replies(self, step: Step) -> Iterator[Facts]:
        before = dict(self.states[step.node].views)
        for name, view in step.state.views:
            _, replies = read(before[name], before[name].end, view.things[before[name].end :])
            for reply in replies or ():
                if isinstance(reply, Promise) and reply.ballot == step.state.member.ballot:
                    yield (("promised", name, *report(reply.ballot, reply.vote)),)

    def stored(self, seen: Seen, step: Step) -> Iterator[Facts]:
        said = [one.message for one in step.effects if isinstance(one, Send)]
        name, (*before, entry) = step.node, step.state.things
        known = [(one.author, one.number) for one in before if isinstance(one, Entry)]
        if (
            not step.effects
            or not isinstance(step.effects[0], Save)
            or not isinstance(entry, Entry)
        ):
            return
        if (entry.author, entry.number) in known or any(map(closes, before)):
            return  # no reader heeds it
        match entry.content:
            case Prepare(b):
                yield ("prepares", name, len(before), b), ("left", name, b)
            case Accept(b, value):
                stands: Fact = ("accepts", name, len(before), b, value)
                votes = list(cast(step.state, step.event, said))
                yield stands, *((("voted", name, b, value), ("left", name, b)) if votes else ())


class DiskEye(Eye):
    """A disk promises and votes when it is read, by a client that will heed what it reads."""

    def stored(self, seen: Seen, step: Step) -> Iterator[Facts]:
        name, blocks = step.node, dict(step.state.blocks)
        wrote = {(b, c) for a, b, c, _ in seen["wrote"] if a == name}
        match step.event, step.effects:
            case Write(_, block), (Save(), *_) if block.memory.promised > NO_BALLOT:
                b, c, value = report(block.memory.promised, block.memory.vote)
                wrote.add((b, c))
                yield (("wrote", name, b, c, value),)
            case Read(), _:
                who = self.senders[step.received or 0]
                if asks := self.asks(who, blocks.get(who)):
                    replies = answers(asks, who, Blocks(step.state.blocks))
                    yield from self.heard(name, step.state.blocks, replies)
                if who in self.states and self.states[who].block is None:  # it comes back
                    lost = [b for (b,) in seen["over"] if b.proposer == who]
                    yield from ((("missed", name, b),) for b in lost if (b, b) not in wrote)
        for owner, block in blocks.items():
            newest = max((it for it in wrote if it[0].proposer == owner), default=None)
            stands = report(block.memory.promised, block.memory.vote)[:2]
            if newest and stands != newest:  # something older has taken its place
                yield (("told", "stands", name, owner),)

    def heard(self, name: str, blocks: Any, replies: Iterable[Any]) -> Iterator[Facts]:
        """What a disk amounts to, for whoever reads it block by block, and finds nothing higher."""
        found = {who: report(Ballot(0, who), None) for who in self.clients}
        found |= {who: report(it.memory.promised, it.memory.vote) for who, it in blocks}
        for reply in replies:
            match reply:
                case Promise(b, vote):
                    yield from ((("saw", name, b, *one),) for one in found.values())
                    yield (("promised", name, *report(b, vote)),)
                case Accepted(b, value):
                    yield from ((("checked", name, b, d),) for d, _, _ in found.values())
                    yield (("voted", name, b, value),)

    def asks(self, who: str, block: Any) -> list[Any]:
        """What a client that reads its own block asks by it. Only one that is up can vote."""
        if block is None:
            return []
        b, c, _ = report(block.memory.promised, block.memory.vote)
        if c < b:
            return [Prepare(b)]
        alive = who in self.states and self.states[who].block == block
        return requests(self.states[who].member) if alive else []

    def crashed(self, seen: Seen, state: Any) -> Iterator[Facts]:
        tried = {b for b, _ in seen["proposed"] if b.proposer == getattr(state, "name", None)}
        yield from ((("over", b),) for b in sorted(tried) if (b,) not in seen["over"])


def asked(effect: Any) -> Any:
    """What an effect asks of acceptors, or of what stands in their place; or the effect."""
    match effect:
        case Send(_, Append(Entry(content=request))):
            return request
        case Send(_, Write(_, Block(Acceptor(promised, vote)))):
            return vote if vote and vote.ballot == promised else Prepare(promised)
    return effect


def closes(thing: Any) -> bool:
    """Does every reader of a list stop at this?"""
    return isinstance(thing, Entry) and not isinstance(thing.content, Prepare | Accept)


def is_known(seen: Seen, relation: str, *fact: Any) -> bool:
    """Is such a fact seen, of these things and perhaps of more?"""
    return any(its[: len(fact)] == fact for its in seen.get(relation, ()))


EYES: dict[str, type[Eye]] = {"disk": DiskEye, "passive": ListEye}
