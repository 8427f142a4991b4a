"""A member: one client's proposer, and the learner beside it that hears the same answers.

Where a memory only stores, whoever reads it sees the votes of all. So a member may learn
that a value is chosen before its own proposer has got anywhere.
"""

from dataclasses import dataclass, replace
from typing import Any

from . import alone, learner, log, proposer
from .acceptor import Acceptor
from .alone import Alone, Entered
from .ballot import Ballot
from .events import Answer, Decide, Effect, Propose, Timeout
from .learner import Learner
from .log import Writer
from .messages import Accept, InSlot, Prepare
from .proposer import Proposer
from .quorum import Flexible
from .votes import Memory, Votes


@dataclass(frozen=True, slots=True)
class Member:
    """What one client wants, and what it knows."""

    proposer: Proposer
    learner: Learner

    @property
    def ballot(self) -> Ballot:
        return self.proposer.ballot

    @property
    def busy(self) -> bool:
        """Does it want something that it has not got yet?"""
        return self.proposer.phase not in ("idle", "done")

    @property
    def settled(self) -> bool:
        """Is there nothing left to learn?"""
        return self.learner.chosen is not None


Result = tuple[Member, tuple[Effect, ...]]


def step(me: Member, event: Propose | Answer | Timeout) -> Result:
    """Both hear every answer. The learner's word counts: it has heard at least as much."""
    if me.learner.chosen:
        told = Decide(me.learner.chosen.ballot, me.learner.chosen.value)
        return me, (told,) if isinstance(event, Propose) else ()
    asks, effects = proposer.step(me.proposer, event)
    me = replace(me, proposer=asks)
    if isinstance(event, Answer):
        knows, news = learner.step(me.learner, event)
        me = replace(me, learner=knows)
        if news:
            return replace(me, proposer=replace(asks, phase="done")), news
    return me, tuple(one for one in effects if not isinstance(one, Decide))


# What a client of a memory needs of a member: one that wants one decision, or a log.
def opened(identity: str, quorums: Flexible, many: bool) -> Member | Writer:
    """A member that has just been opened."""
    asks = Proposer(identity, quorums)
    return Writer(asks) if many else Member(asks, Learner(quorums))


RULES: dict[type, Any] = {Member: step, Writer: log.step, Alone: alone.step}


def advance(me: Any, *events: Any) -> tuple[Any, tuple[Effect, ...]]:
    """Steps of either, one after the other."""
    effects = list[Effect]()
    for event in events:
        me, more = RULES[type(me)](me, event)
        effects += more
    return me, tuple(effects)


def blank(me: Member | Writer | Alone) -> Memory:
    """What an acceptor remembers that nobody has asked anything."""
    if isinstance(me, Alone):
        return Entered()
    return Votes() if isinstance(me, Writer) else Acceptor()


def requests(me: Member | Writer) -> list[Any]:
    """What it asks of every acceptor now."""
    asks = me.proposer
    if isinstance(me, Writer) and asks.phase == "decide":
        return [InSlot(slot, its) for slot, its in me.asked]
    match asks.phase:
        case "prepare":
            request = Prepare(asks.ballot)
            return [InSlot(len(me.log), request) if isinstance(me, Writer) else request]
        case "decide":
            return [Accept(asks.ballot, asks.value)]
    return []
