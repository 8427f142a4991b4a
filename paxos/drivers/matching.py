"""Which action of the proof is each step? The proof speaks of code whose steps all are one.

Steps of the simulator and of the checker alike: an eye that sees everything notes as facts what was
ever said and done, and `recognise` compares before and after.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..proof.seen import Seen, nothing, recognise
from ..protocol.acceptor import Acceptor
from ..protocol.ballot import NO_BALLOT
from ..protocol.events import Decide, Propose, Save
from ..protocol.messages import Accept, Accepted, Prepare, Promise
from ..protocol.quorum import Flexible
from ..trace import Open, Record, Step, Trace, kept
from .checker import Graph, Move
from .nodes import Column


def matched(trace: Trace) -> Iterator[tuple[Record, str | None]]:
    """Every record of a run of Static Paxos, and the action that it is.

    Or "stutter", if it changes nothing that the proof speaks of; or None, if no action allows it.
    """
    if trace.header.protocol != "static":
        raise ValueError(f"no action of the proof is a step of {trace.header.protocol}")
    seen = nothing(trace.of("acceptor"))
    for record in trace.records:
        before, seen = seen, look(seen, record)
        yield record, recognise(before, seen, trace.header.quorums)


def explored(graph: Graph, quorums: Flexible) -> Iterator[tuple[tuple[Move, ...], str | None]]:
    """Every step of a small world of Static Paxos, and the action that it is, in the same way.

    The first is the step from nothing to the start. What the checker drops because nobody will
    ever heed it stays seen: it was said.
    """
    states = [survey(state) for state in graph.states]
    yield (), recognise(nothing(name for name, _ in states[0]["left"]), states[0], quorums)
    for before, moves, after in graph.moves:
        old, new = states[before], states[after]
        said = {name: old[name] | new[name] for name in ("asked", "promised")}
        yield moves, recognise(old, {**new, **said}, quorums)


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
    seen: Seen = {**nothing(()), "left": frozenset(held)}
    for name, column in state.items():
        cast = [Save(Acceptor(it.ballot, it)) for it in column.said if isinstance(it, Accept)]
        other = [it for it in column.said if not isinstance(it, Accept)]
        seen = noted(seen, name, [*cast, *other, *(message for _, message in column.sent)])
    return seen


def noted(seen: Seen, name: str, things: Iterable[Any]) -> Seen:
    """What has been seen, and these messages and other effects of this node.

    To tell of a vote is nothing new, unless it is not saved.
    """
    more = dict(seen)
    for relation, *fact in (it for thing in things for it in news(name, thing)):
        if relation != "told" or tuple(fact) not in more["voted"]:
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
            last = vote or Accept(NO_BALLOT, None)
            yield "promised", name, ballot, last.ballot, last.value
        case Accept(ballot, value):
            yield "proposed", ballot, value
        case Save(Acceptor(_, Accept(ballot, value))):
            yield "voted", name, ballot, value
        case Accepted(ballot, value):
            yield "told", name, ballot, value
        case Decide(ballot, value):
            yield "decided", ballot, value
