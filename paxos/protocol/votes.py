"""What an acceptor remembers: of one decision, or of a log; as a process, or read by others."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from . import acceptor
from .acceptor import Acceptor
from .alone import Entered, enter
from .ballot import NO_BALLOT, Ballot
from .events import Effect, Save, Send
from .messages import Accept, Command, InSlot, Prepare, Promise, Promises

T = TypeVar("T")
InSlots = tuple[tuple[int, T], ...]  # things, each with its slot, in order
Slots = InSlots[Accept]


@dataclass(frozen=True, slots=True)
class Votes:
    """What an acceptor of a log never forgets: one promise, and its last vote in each slot."""

    promised: Ballot = NO_BALLOT
    votes: Slots = ()


def vote(mine: Votes, request: InSlot) -> tuple[Votes, tuple[Effect, ...]]:
    """Answer one request by `acceptor.step`. What one slot promises, all slots promise."""
    slot = request.slot
    below, its, above = around(mine.votes, slot)
    now, effects = acceptor.step(Acceptor(mine.promised, its), request.content)
    votes = (*below, (slot, now.vote), *above) if now.vote else mine.votes
    mine = Votes(now.promised, votes)
    return mine, tuple(in_slot(slot, effect, mine) for effect in effects)


def around(things: InSlots[T], slot: int) -> tuple[InSlots[T], T | None, InSlots[T]]:
    """What there is in slots below this one, in it, and above it."""
    at = bisect_left(things, slot, key=lambda its: its[0])
    its = things[at][1] if at < len(things) and things[at][0] == slot else None
    return things[:at], its, things[at if its is None else at + 1 :]


def in_slot(slot: int, effect: Effect, mine: Votes) -> Effect:
    """The effect for a log: all is saved, and a promise reports every slot from here on."""
    match effect:
        case Send(to, Promise(ballot)):
            votes = tuple(its for its in mine.votes if its[0] >= slot)
            return Send(to, InSlot(slot, Promises(ballot, votes)))
        case Send(to, message):
            return Send(to, InSlot(slot, message))
    return Save(mine)


def in_order(slots: dict[int, Any]) -> tuple[tuple[int, Any], ...]:
    """A dictionary by slot, as a tuple."""
    return tuple(sorted(slots.items(), key=lambda its: its[0]))


Memory = Acceptor | Votes | Entered  # of one decision, of many, of one list alone


def fold(memory: Any, request: Any) -> tuple[Any, list[Any]]:
    """One more request, by the rules of an acceptor: the memory then, and the reply."""
    if isinstance(memory, Entered):
        return enter(memory, request)
    rules: Any = vote if isinstance(memory, Votes) else acceptor.step
    memory, effects = rules(memory, request)
    return memory, [
        one.message for one in effects if getattr(one, "to", "") == "sender"
    ]


def suits(memory: Memory, request: Any) -> bool:
    """Is this a request to such a memory?"""
    match memory, request:
        case Entered(), Command():
            return True
        case Votes(), InSlot(_, Prepare() | Accept()):
            return True
        case Acceptor(), Prepare() | Accept():
            return True
    return False


def union(memories: Sequence[Any]) -> Any:
    """A memory of all that these remember: the highest promise, the highest votes."""
    promised = max(memory.promised for memory in memories)
    if isinstance(memories[0], Acceptor):
        votes = [memory.vote for memory in memories if memory.vote]
        return Acceptor(promised, max(votes, key=lambda its: its.ballot, default=None))
    slots = (its for memory in memories for its in memory.votes)
    highest = dict(sorted(slots, key=lambda its: its[1].ballot))  # the last one stays
    return Votes(promised, in_order(highest))
