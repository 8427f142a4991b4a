"""Which action of the proof is each step of a run? The proof speaks of code whose steps all are one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..proof.seen import Seen, recognise
from ..protocol.acceptor import Acceptor
from ..protocol.ballot import NO_BALLOT
from ..protocol.messages import Accept, Accepted, Decide, Prepare, Promise, Save, Send
from ..trace import Open, Record, Step, Trace, kept


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


def look(seen: Seen, record: Record) -> Seen:
    """What has been seen after this record. A vote counts once it is saved."""
    match record:
        case Open(node=name, state=Acceptor(promised)) | Step(node=name, state=Acceptor(promised)):
            if isinstance(record, Open) or kept(record):
                others = {it for it in seen.held if it[0] != name}
                seen = replace(seen, held=frozenset({*others, (name, promised)}))
    if isinstance(record, Step):
        for effect in record.effects[: record.done]:
            for field, news in witnessed(record, effect):
                seen = replace(seen, **{field: getattr(seen, field) | {news}})
    return seen


def witnessed(step: Step, effect: Any) -> Iterator[tuple[str, Any]]:
    """What this effect adds to what was seen: (field, member)."""
    match effect:
        case Save(Acceptor(_, Accept() as vote)):
            yield "votes", (step.node, vote)
        case Decide(ballot, value):
            yield "decided", Accept(ballot, value)
        case Send(_, Prepare(ballot)):
            yield "asked", (ballot, step.state.wish)
        case Send(_, Promise() as promise):
            yield "promises", (step.node, promise)
        case Send(_, Accept() as request):
            yield "proposed", request
        case Send(_, Accepted(ballot, value)):
            yield "told", (step.node, Accept(ballot, value))
