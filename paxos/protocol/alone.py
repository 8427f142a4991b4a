"""One list: the list is the log. Entry k is decision k, and nobody asks for votes.

The client is the one of Passive Paxos. It has another member, that appends its commands
themselves, and reads what is decided where they stand (Herlihy 1991, section 3: a list
that never fails agrees for any number of clients).
"""

from dataclasses import dataclass, replace
from typing import Any

from .ballot import NO_BALLOT, Ballot
from .events import Answer, Decide, Effect, Propose, Send, Timeout, Wait
from .messages import Chosen, Command, InSlot
from .proposer import Proposer


@dataclass(frozen=True, slots=True)
class Entered:
    """What a list amounts to that is a log: so many entries, and no promise."""

    count: int = 0
    promised: Ballot = NO_BALLOT


@dataclass(frozen=True, slots=True)
class Alone:
    """A client of one list. It never leads, for there is nothing to lead."""

    proposer: Proposer
    log: tuple[tuple[Command, ...], ...] = ()  # one command in each slot
    pending: tuple[Command, ...] = ()  # ours, not seen in the list
    count: int = 0  # our commands so far

    settled = False

    @property
    def ballot(self) -> Ballot:
        return Ballot(1, self.proposer.identity)  # no rival: it only names our timer

    @property
    def busy(self) -> bool:
        return bool(self.pending)


Result = tuple[Alone, tuple[Effect, ...]]


def step(me: Alone, event: Propose | Answer | Timeout) -> Result:
    """Append what is wished. A command that got lost is appended again, and counts once."""
    match event:
        case Propose(text):
            mine = Command(me.proposer.identity, me.count, str(text))
            me = replace(me, pending=(*me.pending, mine), count=me.count + 1)
            return me, (Send("acceptors", mine), Wait("answers", me.ballot))

        case Answer(_, InSlot(slot, Chosen(ballot, value))) if slot == len(me.log):
            rest = tuple(one for one in me.pending if one not in value)
            me = replace(me, log=(*me.log, value), pending=rest)
            told = Decide(ballot, InSlot(slot, value))
            return me, (told, Wait("answers", me.ballot)) if rest else (told,)

        case Timeout() if me.pending:
            asks = (Send("acceptors", one) for one in me.pending)
            return me, (*asks, Wait("answers", me.ballot))
    return me, ()


def enter(mine: Entered, command: Command) -> tuple[Entered, list[Any]]:
    """One more entry: it is decided where it stands."""
    chosen = InSlot(mine.count, Chosen(NO_BALLOT, (command,)))
    return replace(mine, count=mine.count + 1), [chosen]
