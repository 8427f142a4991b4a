"""Which action of the proof is each step? The proof speaks of code whose steps all are one.

Steps of the simulator and of the checker alike: an eye that sees everything writes down what was
said and done (`Seen`), and `recognise` compares before and after.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..proof.seen import Seen, recognise
from ..protocol.acceptor import Acceptor
from ..protocol.ballot import NO_BALLOT
from ..protocol.messages import Accept, Accepted, Decide, Prepare, Promise, Propose, Save, Value
from ..protocol.quorum import Flexible
from ..trace import Open, Record, Step, Trace, kept
from .checker import Graph, Move
from .columns import Column


def matched(trace: Trace) -> Iterator[tuple[Record, str | None]]:
    """Every record of a run of Static Paxos, and the action that it is.

    Or "stutter", if it changes nothing that the proof speaks of; or None, if no action allows it.
    """
    if trace.header.protocol != "static":
        raise ValueError(f"no action of the proof is a step of {trace.header.protocol}")
    seen = Seen(frozenset((name, NO_BALLOT) for name in trace.of("acceptor")))
    for record in trace.records:
        before, seen = seen, look(seen, record)
        yield record, recognise(before, seen, trace.header.quorums)


def explored(graph: Graph, quorums: Flexible) -> Iterator[tuple[tuple[Move, ...], str | None]]:
    """Every step of a small world of Static Paxos, and the action that it is, in the same way.

    What the checker drops because nobody will ever heed it stays seen: it was said.
    """
    states = [survey(state) for state in graph.states]
    for before, moves, after in graph.moves:
        old, new = states[before], states[after]
        said = {it: getattr(old, it) | getattr(new, it) for it in ("asked", "promises", "told")}
        yield moves, recognise(old, replace(new, **said), quorums)


def look(seen: Seen, record: Record) -> Seen:
    """What has been seen after this record. A vote counts once it is saved."""
    match record:
        case Open(node=name, state=Acceptor(promised)) | Step(node=name, state=Acceptor(promised)):
            if isinstance(record, Open) or kept(record):
                others = {it for it in seen.held if it[0] != name}
                seen = replace(seen, held=frozenset({*others, (name, promised)}))
    if isinstance(record, Step):
        wish = getattr(record.state, "wish", None)
        for effect in record.effects[: record.done]:
            seen = noted(seen, news(record.node, getattr(effect, "message", effect), wish))
    return seen


def survey(state: Mapping[str, Column]) -> Seen:
    """What has been seen by the time of this state of a small world."""
    lives = {name: column.state.state for name, column in state.items()}
    held = ((name, life.promised) for name, life in lives.items() if isinstance(life, Acceptor))
    seen = Seen(frozenset(held))
    for name, column in state.items():
        wish = next((it.value for it in column.said if isinstance(it, Propose)), None)
        votes = {(name, it) for it in column.said if isinstance(it, Accept)}
        seen = replace(seen, votes=seen.votes | votes)
        said = [*(message for _, message in column.sent), *(column.said - {v for _, v in votes})]
        for thing in said:
            seen = noted(seen, news(name, thing, wish))
    return seen


def noted(seen: Seen, more: Iterable[tuple[str, Any]]) -> Seen:
    """What has been seen, and more: (field, member)."""
    for field, member in more:
        seen = replace(seen, **{field: getattr(seen, field) | {member}})
    return seen


def news(name: str, thing: Any, wish: Value) -> Iterator[tuple[str, Any]]:
    """What a message or another effect adds to what has been seen."""
    match thing:
        case Save(Acceptor(_, Accept() as vote)):
            yield "votes", (name, vote)
        case Decide(ballot, value):
            yield "decided", Accept(ballot, value)
        case Prepare(ballot):
            yield "asked", (ballot, wish)
        case Promise():
            yield "promises", (name, thing)
        case Accept():
            yield "proposed", thing
        case Accepted(ballot, value):
            yield "told", (name, Accept(ballot, value))
