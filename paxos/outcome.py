"""What a trace amounts to: what was chosen and when, what it cost, and whether an invariant was broken.

All of it is seen by the all-seeing eye. No participant knows as much.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Literal

from .protocol import events, machine, messages, safety
from .protocol.kinds import PROTOCOLS, cast, voted
from .protocol.lists import List, View, read
from .trace import Open, Step, Trace, bare, kept


@dataclass(frozen=True, slots=True)
class Chosen:
    """The instant at which a quorum had voted: record number `index`, and what became chosen."""

    index: int
    at: int
    proposal: messages.Accept
    slot: int | None = None
    news: Literal["chosen", "chosen again", "CHOSEN TOO"] = "chosen"  # the last: disagreement


Votes = list[tuple[int, int | None, str, messages.Accept]]  # see `votes`


def slots(trace: Trace, known: Votes | None = None) -> list[int | None]:
    """The slots that were voted on, or of which somebody was told; only None where there is no log."""
    found = {slot for _, slot, _, _ in known or votes(trace)}
    found |= {
        bare(effect.value)[0]
        for step in trace.steps()
        for effect in step.effects[: step.done]
        if isinstance(effect, events.Decide)
    }
    return sorted(found, key=lambda slot: -1 if slot is None else slot)


def history(trace: Trace, slot: int | None = None, known: Votes | None = None) -> safety.History:
    """What the all-seeing eye has seen of one slot. `known`: the votes, if counted before."""
    nothing = safety.History(trace.header.quorums, asked(trace) if slot is None else ())
    return histories(trace, known).get(slot, nothing)


def histories(trace: Trace, known: Votes | None = None) -> dict[int | None, safety.History]:
    """The same of every slot that was voted on, or of which somebody was told."""
    mine: dict[int | None, list[tuple[str, messages.Accept]]] = defaultdict(list)
    decided: dict[int | None, list[messages.Accept]] = defaultdict(list)
    for _, slot, who, vote in votes(trace) if known is None else known:
        mine[slot].append((who, vote))
    for step in trace.steps():
        for effect in step.effects[: step.done]:
            if isinstance(effect, events.Decide):
                slot, value = bare(effect.value)
                decided[slot].append(messages.Accept(effect.ballot, value))
    plain, wished = asked(trace), set[Any]()
    for step in trace.steps():
        wished.update(getattr(getattr(step.state, "member", step.state), "pending", ()))
    found = dict[int | None, safety.History]()
    for slot in sorted(mine.keys() | decided.keys(), key=lambda its: -1 if its is None else its):
        wishes = plain
        if slot is not None:  # a batch of wishes is a wish, and so is the empty one
            wishes = tuple(its.value for _, its in mine[slot] if wished.issuperset(its.value))
        told = tuple(decided[slot])
        found[slot] = safety.History(trace.header.quorums, wishes, tuple(mine[slot]), told)
    return found


def asked(trace: Trace) -> tuple[Any, ...]:
    """What users asked for, as they said it."""
    return tuple(one.event.value for one in trace.steps() if isinstance(one.event, events.Propose))


def chosen(trace: Trace) -> list[Chosen]:
    """Every instant at which a proposal became chosen, in order of time."""
    found: list[Chosen] = []
    seen: dict[int | None, tuple[tuple[str, messages.Accept], ...]] = {}
    for index, slot, who, vote in votes(trace):
        seen[slot] = (*seen.get(slot, ()), (who, vote))
        known = [one.proposal for one in found if one.slot == slot]
        for one in safety.chosen(safety.History(trace.header.quorums, votes=seen[slot])):
            if one not in known:
                at = trace.records[index].at
                found.append(Chosen(index, at, one, slot, _news(one, known)))
    return found


def votes(trace: Trace) -> Votes:
    """Every vote: (record number, slot, acceptor, vote). It counts once it is saved, said or not."""
    found: Votes = []
    kind, views = PROTOCOLS[trace.header.protocol], dict[str, View]()
    those = set(trace.of(kind.remembers))
    for index, record in enumerate(trace.records):
        if isinstance(record, Step) and record.node in those and kept(record):
            said = [one.message for one in record.effects if isinstance(one, events.Send)]
            cast_now = cast(record.state, record.event, said)
            if isinstance(record.state, List) and isinstance(record.event, messages.Append):
                cast_now = iter(landed(record, said, views, kind.memory()))
            found += [(index, slot, record.node, vote) for slot, vote in cast_now]
    return found


def landed(
    record: Step, said: list[Any], views: dict[str, View], blank: Any
) -> list[tuple[int | None, messages.Accept]]:
    """The same as `cast` of an append, without reading the whole list each time."""
    if not said[:1] or not said[0].done:
        return []
    *before, entry = record.state.things
    view = views.get(record.node)
    if view is None or tuple(before) != view.things:
        view, _ = read(View(before[0], blank), 0, tuple(before))
    view, replies = read(view, len(before), (entry,))
    views[record.node] = view
    return list(voted(getattr(entry, "content", None), replies or []))


def decision(trace: Trace) -> Chosen:
    """The first of these instants. Raises ValueError where nothing was chosen."""
    found = chosen(trace)
    if not found:
        raise ValueError("nothing was chosen in this run")
    return found[0]


def _news(
    one: messages.Accept, known: list[messages.Accept]
) -> Literal["chosen", "chosen again", "CHOSEN TOO"]:
    if not known:
        return "chosen"
    return "chosen again" if one.value == known[0].value else "CHOSEN TOO"


def final(trace: Trace) -> dict[str, Any]:
    """The state of every node at the end of the run."""
    return {
        one.node: one.state
        for one in trace.records
        if isinstance(one, Open) or (isinstance(one, Step) and kept(one))
    }


def logs(trace: Trace) -> list[tuple[int, tuple[Any, ...], int]]:
    """How a log grew: (time, what any learner ever knew of it, how much every learner holds now).

    Empty where there is no log.
    """
    kind = PROTOCOLS[trace.header.protocol]
    if not kind.many:
        return []
    readers = trace.of(kind.listens or kind.asks)
    held: dict[str, tuple[Any, ...]] = dict.fromkeys(readers, ())
    grown: list[tuple[int, tuple[Any, ...], int]] = []
    longest: tuple[Any, ...] = ()
    for record in trace.records:
        if isinstance(record, Open | Step) and record.node in held:
            if isinstance(record, Open) or kept(record):
                batches = getattr(record.state, "member", record.state).log
                held[record.node] = machine.commands(batches)
            longest = max(longest, *held.values(), key=len)
            least = min(map(len, held.values()))
            if not grown or grown[-1][1:] != (longest, least):
                grown.append((record.at, longest, least))
    return [one for one in grown if one[1]]


def broken(trace: Trace) -> list[str]:
    """The invariants of Paxos that the run breaks; empty for every run of the rules as they are."""
    return [
        name if slot is None else f"{name} (slot {slot})"
        for slot, seen in histories(trace).items()
        for name in safety.broken(seen)
    ]


def chains(trace: Trace) -> dict[int, int]:
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took, up to the first decision that a participant knew of."""

    node: str  # who knew first
    messages: int  # sent by then
    chain: int  # the longest chain of messages that led there
    time: float  # in mean message delays, from the start of the run


def cost(trace: Trace) -> Cost:
    """The cost of the first decision. Raises ValueError where nobody knew of one."""
    sent, chain = 0, chains(trace)
    for index, record in enumerate(trace.records):
        if isinstance(record, Step):
            sent += len(record.sent)
            if any(isinstance(one, events.Decide) for one in record.effects[: record.done]):
                return Cost(record.node, sent, chain[index], record.at / trace.header.tick)
    raise ValueError("nobody heard of a decision in this run")
